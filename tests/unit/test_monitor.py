"""The core by example: each test is a complaint of a real user or a rule of the design."""

import pytest

from flowmon.facts import Acknowledged, Count, DesksOpen, DeviceStatus, Fact, Presence, Recounted, Served, Shelved, Tick
from flowmon.findings import (
    Correction,
    DeviceState,
    Dwell,
    EpisodeChanged,
    Flow,
    QueueState,
    Rejected,
    VenueState,
    ZoneState,
)
from flowmon.monitor.core import Monitor
from flowmon.venue.model import Counter, Hours, Portal, Rule
from tests.small import T0, cross, episodes, run, tick, ticks, total, venue, zones


def register(at: float, forward: int, backward: int = 0) -> Count:
    return Count(
        at=T0 + at, source="ctr-gate", counter="ctr-gate", kind="cumulative", forward=forward, backward=backward
    )


def cumulative() -> Monitor:
    return Monitor(venue(counters={"ctr-gate": Counter(portal="gate", towards="hall", credit="cumulative")}))


def test_a_crossing_moves_the_shown_number_before_the_watermark() -> None:
    monitor = Monitor(venue())
    run(monitor, ticks(0, 2))
    told = monitor.apply(cross("ctr-gate", 1.5, 1, forward=3))
    hall, whole = told
    assert isinstance(hall, ZoneState)
    assert isinstance(whole, VenueState)
    assert (hall.occupancy, hall.provisional, whole.occupancy) == (3.0, True, 3.0)


def test_a_closed_state_does_not_hide_what_was_shown_since() -> None:
    monitor = Monitor(venue())
    run(monitor, [*ticks(0, 5), cross("ctr-gate", 4.5, 1)])
    last = [f for f in run(monitor, [tick(5)]) if isinstance(f, ZoneState) and f.zone == "hall"]
    assert last == [] or last[-1].occupancy == 1.0


def test_over_exit_by_k_then_one_entry_shows_one() -> None:
    monitor = Monitor(venue())
    run(monitor, [*ticks(0, 3), cross("ctr-gate", 2.5, 1, 0, 4), *ticks(3, 8), cross("ctr-gate", 8, 2)])
    run(monitor, ticks(8, 12))
    assert zones(monitor)["hall"].occupancy == 1.0
    assert zones(monitor)["hall"].raw == -3


def test_a_negative_room_takes_its_people_from_the_neighbour_they_came_from() -> None:
    monitor = Monitor(venue())
    facts: list[Fact] = [cross("ctr-gate", 1, 1, forward=10), cross("ctr-door", 2, 1, forward=2), *ticks(0, 6)]
    told = run(monitor, [*facts, cross("ctr-door", 6, 2, 0, 5), *ticks(6, 12)])
    assert {z: s.occupancy for z, s in zones(monitor).items()} == {"hall": 10.0, "room": 0.0, "tower": 0.0}
    assert total(monitor).occupancy == 10.0
    assert {(c.zone, c.after - c.before) for c in told if isinstance(c, Correction)} == {("room", 3.0), ("hall", -3.0)}


def test_the_interval_grows_with_crossings_and_shrinks_with_a_recount() -> None:
    monitor = Monitor(venue())
    run(monitor, [*ticks(0, 3), Recounted(at=T0 + 2.5, source="u", zone="hall", people=0, by="u", command="a")])
    before = zones(monitor)["hall"]
    run(monitor, [cross("ctr-gate", 3 + i / 10, i, 1, 1) for i in range(200)] + ticks(3, 40))
    grown = zones(monitor)["hall"]
    told = monitor.apply(Recounted(at=T0 + 40, source="u", zone="hall", people=30, by="ana", command="b", note="twice"))
    after = zones(monitor)["hall"]
    assert before.hi - before.lo < 1.5 < grown.hi - grown.lo
    assert after.occupancy == pytest.approx(30, abs=1.5)
    assert after.hi - after.lo < grown.hi - grown.lo
    correction = next(f for f in told if isinstance(f, Correction))
    assert (correction.by, correction.cause, correction.reason) == ("ana", "b", "recount")


def test_two_counters_on_one_portal_are_fused_not_summed() -> None:
    two = {"a": Counter(portal="gate", towards="hall"), "b": Counter(portal="gate", towards="hall")}
    monitor = Monitor(venue(counters=two))
    run(monitor, [*ticks(0, 3), cross("a", 2.5, 1, forward=6), cross("b", 2.5, 1, forward=6), *ticks(3, 8)])
    assert zones(monitor)["hall"].occupancy == 6.0


def test_registers_credit_differences_resets_and_wraps() -> None:
    monitor = cumulative()
    run(monitor, [*ticks(0, 2), register(1, 5_000), register(10, 5_004), register(20, 3), *ticks(20, 30)])
    assert zones(monitor)["hall"].raw == 7
    run(monitor, [register(40, 65_530 - 65_530 + 3)])
    wrap = cumulative()
    run(wrap, [*ticks(0, 2), register(1, 65_530), register(5, 4), *ticks(5, 12)])
    assert zones(wrap)["hall"].raw == 10


def test_a_register_told_late_is_already_in_the_later_one() -> None:
    monitor = cumulative()
    run(monitor, [*ticks(0, 2), register(1, 10), *ticks(2, 9), register(9, 15), register(5, 12), *ticks(9, 15)])
    assert zones(monitor)["hall"].raw == 5


def test_a_leap_no_door_can_make_is_named_and_counting_goes_on() -> None:
    monitor = cumulative()
    told = run(monitor, [*ticks(0, 2), register(1, 10), register(2, 111_227), register(5, 111_229), *ticks(5, 12)])
    assert zones(monitor)["hall"].raw == 2
    assert any(isinstance(f, DeviceState) and f.health == "suspect" and "no door" in f.reason for f in told)


def test_only_the_configured_kind_is_credited() -> None:
    monitor = Monitor(venue())
    window = Count(at=T0 + 2, source="ctr-gate", counter="ctr-gate", kind="window", forward=3, start=T0, end=T0 + 2)
    told = run(monitor, [*ticks(0, 3), window, cross("ctr-gate", 2.5, 1), *ticks(3, 8)])
    assert zones(monitor)["hall"].raw == 1
    assert not any(isinstance(f, Rejected) for f in told)


@pytest.mark.parametrize("clock", [0.0, 946_684_800.0, 165_776_767.0, 4_070_908_800.0, T0 * 1000])
def test_a_lying_clock_is_named_and_moves_nothing_but_its_own_count(clock: float) -> None:
    monitor = Monitor(venue())
    run(monitor, ticks(0, 3))
    run(monitor, [Count(at=clock, seen=T0 + 3, source="ctr-gate", seq=1, counter="ctr-gate", kind="event", forward=1)])
    told = run(monitor, [*ticks(3, 70), cross("ctr-door", 69, 1)])
    assert zones(monitor)["hall"].raw == 1
    state = [f for f in told if isinstance(f, DeviceState) and f.device == "ctr-gate"][-1]
    assert "clock" in state.reason
    assert total(monitor).at == T0 + 67


def test_a_server_clock_that_leaps_and_comes_back_loses_nobody() -> None:
    monitor = Monitor(venue())
    run(monitor, [*ticks(0, 3), cross("ctr-gate", 2.5, 1, forward=5), *ticks(3, 8)])
    far = 4_070_908_800.0
    one = run(monitor, [Tick(at=far, source="ticker")])
    assert [type(f) for f in one] == [Rejected]
    run(monitor, [Tick(at=far + s, source="ticker") for s in range(1, 6)])
    run(monitor, [*ticks(20, 30), cross("ctr-gate", 29, 2), *ticks(30, 40)])
    assert zones(monitor)["hall"].raw == 6
    assert total(monitor).at == T0 + 37


def test_a_silent_counter_is_named_blinds_its_zones_and_widens_them() -> None:
    monitor = Monitor(venue())
    facts: list[Fact] = [*ticks(0, 60)]
    facts += [cross(c, float(s), s, 1, 1) for s in range(1, 60) for c in ("ctr-gate", "ctr-door", "ctr-stairs")]
    run(monitor, sorted(facts, key=lambda f: f.at))
    before = zones(monitor)["room"]
    more = [cross(c, float(s), s, 1, 1) for s in range(60, 300) for c in ("ctr-gate", "ctr-stairs")]
    told = run(monitor, sorted([*ticks(60, 300), *more], key=lambda f: f.at))
    silent = [f for f in told if isinstance(f, DeviceState) and f.health == "silent" and f.kind == "counter"]
    assert {(f.device, tuple(f.zones)) for f in silent} == {("ctr-door", ("hall", "room"))}
    after = zones(monitor)["room"]
    assert after.quality == "stale"
    assert zones(monitor)["tower"].quality != "stale"
    assert after.hi - after.lo > before.hi - before.lo
    back = run(monitor, [cross("ctr-door", 300, 999), *ticks(300, 305)])
    assert any(isinstance(f, DeviceState) and f.device == "ctr-door" and f.health == "good" for f in back)


def test_a_zone_without_any_seeing_counter_is_unknown_and_its_alarm_freezes() -> None:
    monitor = Monitor(venue())
    run(monitor, [*ticks(0, 3), cross("ctr-stairs", 2.5, 1, forward=15), cross("ctr-door", 2, 1, 20), *ticks(3, 20)])
    assert [e.subject for e in monitor._alerts.open_episodes(T0)] == ["tower"]
    run(monitor, ticks(20, 200))
    tower = zones(monitor)["tower"]
    assert (tower.occupancy, tower.level) == (None, "unknown")
    assert [e.state for e in monitor._alerts.open_episodes(T0) if e.subject == "tower"] == ["UNACK"]


def crowd(monitor: Monitor, at: int, people: int, seq: int) -> list[EpisodeChanged]:
    """`people` go up into the tower (room for 10) or, negative, down again; fifteen seconds pass."""
    up, down = max(people, 0), max(-people, 0)
    return episodes(run(monitor, [cross("ctr-stairs", at + 0.5, seq, up, down), *ticks(at + 1, at + 16)]))


def test_an_episode_is_raised_acknowledged_with_its_revision_and_cleared() -> None:
    monitor = Monitor(venue())
    run(monitor, [*ticks(0, 3), cross("ctr-gate", 2, 1, 50), cross("ctr-door", 2.5, 1, 40)])
    room, raised = crowd(monitor, 3, 12, 1)
    assert (raised.state, raised.severity, raised.value, raised.limit, raised.subject) == (
        "UNACK",
        "critical",
        12,
        10,
        "tower",
    )
    assert room.subject == "room"
    stale = monitor.apply(
        Acknowledged(at=T0 + 20, source="u", episode=raised.episode, revision=9, by="u", command="c1")
    )
    assert isinstance(stale[0], Rejected)
    assert stale[0].reason.startswith("stale_rev")
    assert stale[0].cause == "c1"
    good = Acknowledged(
        at=T0 + 21, source="u", episode=raised.episode, revision=1, by="ana", command="c2", note="going"
    )
    (acked,) = monitor.apply(good)
    assert isinstance(acked, EpisodeChanged)
    assert (acked.state, acked.revision, acked.by, acked.cause) == ("ACKED", 2, "ana", "c2")
    assert monitor.apply(good) == []
    (cleared,) = crowd(monitor, 22, -8, 2)
    assert (cleared.state, cleared.revision) == ("NORM", 3)
    (again,) = crowd(monitor, 40, 9, 3)
    assert again.episode != raised.episode


def test_cleared_before_anyone_saw_it_waits_to_be_seen() -> None:
    monitor = Monitor(
        venue(rules={"full": Rule(watches="zone", severity="high", hold_s=0, clear_hold_s=0, only=["tower"])})
    )
    run(monitor, ticks(0, 3))
    run(monitor, [cross("ctr-door", 2.5, 1, 30)])
    assert [e.state for e in crowd(monitor, 3, 12, 1)] == ["UNACK"]
    (returned,) = crowd(monitor, 20, -8, 2)
    assert returned.state == "RTNUN"
    ack = Acknowledged(at=T0 + 40, source="u", episode=returned.episode, revision=2, by="u", command="k")
    assert [e.state for e in episodes(monitor.apply(ack))] == ["NORM"]


def test_a_count_that_hovers_at_the_limit_raises_one_alarm() -> None:
    monitor = Monitor(
        venue(rules={"full": Rule(watches="zone", severity="high", hold_s=3, clear_hold_s=5, only=["tower"])})
    )
    came = [cross("ctr-gate", 0.5, 1, 60), cross("ctr-door", 1, 1, 19)]
    run(monitor, [*ticks(0, 3), *came, cross("ctr-stairs", 2.5, 1, 10), *ticks(3, 10)])
    hover: list[Fact] = [cross("ctr-stairs", 10.0 + s, 10 + s, s % 2, (s + 1) % 2) for s in range(900)]
    told = episodes(run(monitor, sorted([*hover, *ticks(10, 915)], key=lambda f: (f.at, isinstance(f, Tick)))))
    assert [e.state for e in monitor._alerts.open_episodes(T0)] == ["UNACK"]
    assert len(told) <= 1


def test_shelved_comes_back_when_it_is_still_true() -> None:
    monitor = Monitor(venue(rules={"full": Rule(watches="zone", severity="high", hold_s=0, only=["tower"])}))
    run(monitor, [*ticks(0, 3), cross("ctr-door", 2, 1, 30)])
    (raised,) = crowd(monitor, 3, 12, 1)
    shelve = Shelved(at=T0 + 20, source="u", episode=raised.episode, revision=1, by="u", until=T0 + 60, reason="school")
    (shelved,) = monitor.apply(shelve)
    assert isinstance(shelved, EpisodeChanged)
    assert shelved.state == "SHLVD"
    assert [e.state for e in episodes(run(monitor, ticks(20, 70)))] == ["UNACK"]


def test_half_of_all_devices_silent_is_one_outage() -> None:
    rules = {"silent": Rule(watches="device", severity="medium", hold_s=0, clear_hold_s=0)}
    monitor = Monitor(venue(rules=rules))
    beats: list[Fact] = [
        DeviceStatus(at=T0, source=d, health="online") for d in ("ctr-gate", "ctr-door", "ctr-stairs", "ble-hall")
    ]
    told = episodes(run(monitor, [tick(0), *beats, *ticks(1, 300)]))
    assert [e.subject for e in told if e.state == "UNACK"] == ["all"]


def test_a_last_will_is_believed_at_once() -> None:
    monitor = Monitor(venue())
    online, will = (
        DeviceStatus(at=T0 + at, source="ctr-door", health=health)  # type: ignore[arg-type]
        for at, health in ((0, "online"), (1.5, "offline"))
    )
    told = run(monitor, [tick(0), online, tick(1), will, tick(2)])
    of_door = [f.health for f in told if isinstance(f, DeviceState) and f.device == "ctr-door"]
    assert of_door == ["unknown", "good", "silent"]


def test_a_queue_tells_experienced_and_projected_waits_and_zero_when_empty() -> None:
    monitor = Monitor(venue())
    facts: list[Fact] = [cross("ctr-gate", float(s), s, 1) for s in range(0, 600, 10)]
    facts += [Served(at=T0 + 20.0 * k, source="desk-1", seq=k, queue="tickets") for k in range(1, 30)]
    facts += [cross("ctr-door", 20.0 * k + 0.1, k, 1) for k in range(1, 30)]
    told = run(monitor, sorted([*facts, *ticks(0, 603)], key=lambda f: (f.at, isinstance(f, Tick))))
    queue = [f for f in told if isinstance(f, QueueState)][-1]
    assert queue.length == pytest.approx(31, abs=2)
    assert queue.throughput == pytest.approx(3.0, abs=0.3)
    assert queue.wait_p50_s == pytest.approx(32 * 20, rel=0.1)
    assert queue.wait_p50_s is not None
    assert queue.wait_p90_s is not None
    assert queue.wait_p90_s > queue.wait_p50_s
    assert queue.wait_leaving_s == pytest.approx(220, rel=0.2)
    empty = run(monitor, [cross("ctr-door", 604, 99, 31), *ticks(603, 610)])
    last = [f for f in empty if isinstance(f, QueueState)][-1]
    assert (last.wait_p50_s, last.wait_p90_s) == (0.0, 0.0)


def test_opening_a_desk_halves_the_projected_wait_at_once() -> None:
    monitor = Monitor(venue())
    facts: list[Fact] = [
        cross("ctr-gate", 1.0, 1, 40),
        *[Served(at=T0 + 10.0 * k, source="d", seq=k, queue="tickets") for k in range(1, 10)],
    ]
    run(monitor, sorted([*facts, *ticks(0, 100)], key=lambda f: f.at))
    before = next(f for f in monitor.current() if isinstance(f, QueueState))
    run(monitor, [DesksOpen(at=T0 + 100, source="d", seq=100, queue="tickets", desks=4)])
    after = next(f for f in monitor.current() if isinstance(f, QueueState))
    assert before.wait_p50_s is not None
    assert after.wait_p50_s == pytest.approx(before.wait_p50_s / 2, rel=0.01)


def test_flows_are_told_per_closed_window_and_what_comes_later_is_a_late_flow() -> None:
    monitor = Monitor(venue())
    run(monitor, [*ticks(0, 3), cross("ctr-door", 2, 1, 4, 1)])
    told = [f for f in run(monitor, ticks(3, 310)) if isinstance(f, Flow)]
    assert {(f.origin, f.destination, f.people) for f in told} == {("hall", "room", 4), ("room", "hall", 1)}
    late = run(monitor, [cross("ctr-door", 5, 2, 7), *ticks(310, 700)])
    assert [(f.late, f.people, f.counter) for f in late if isinstance(f, Flow)] == [(True, 7, "ctr-door")]
    assert zones(monitor)["room"].raw == 10


def test_dwell_speaks_of_five_visits_or_not_at_all() -> None:
    monitor = Monitor(venue())

    def present(at: float, beacon: str, zone: str) -> Presence:
        return Presence(
            at=T0 + at, source=f"beacon:{beacon}", beacon=beacon, zone=zone, probability=1, expires=T0 + at + 60
        )

    facts: list[Fact] = [present(s, str(beacon), "room") for beacon in range(6) for s in range(0, 120, 30)]
    facts.append(present(0, "x", "hall"))
    told = run(monitor, sorted([*facts, *ticks(0, 1_200)], key=lambda f: (f.at, isinstance(f, Tick))))
    dwell = [f for f in told if isinstance(f, Dwell)]
    assert [(f.zone, f.visits, f.p50_s) for f in dwell] == [("room", 6, 90.0)]
    assert zones(monitor)["room"].beacons == 0


def test_an_hour_after_closing_the_books_are_zero_and_the_rest_is_explained() -> None:
    monitor = Monitor(venue(hours=[Hours(opens="09:00", closes="16:30")]))  # T0 is 16:00 in Paris
    run(monitor, [*ticks(0, 3), cross("ctr-gate", 2, 1, 7)])
    told = run(monitor, [tick(float(s)) for s in range(3, 5_500, 10)])
    assert [(f.zone, f.before, f.after) for f in told if isinstance(f, Correction)] == [("hall", 7.0, 0.0)]
    assert zones(monitor)["hall"].raw == 0
    assert zones(monitor)["hall"].truth_age_s is not None


def test_unknown_devices_zones_queues_and_absurd_counts_are_refused_once_a_minute() -> None:
    monitor = Monitor(venue())
    bad: list[Fact] = [cross("ghost", s / 10, s) for s in range(100)]
    bad += [Recounted(at=T0, source="u", zone="attic", people=1, by="u"), Served(at=T0, source="d", queue="bar")]
    bad += [cross("ctr-gate", 1, 500, forward=-3), cross("ctr-gate", 1, 501, forward=999_999)]
    told = run(monitor, [*ticks(0, 3), *bad])
    assert len([f for f in told if isinstance(f, Rejected)]) == 5
    assert all(len(f.reason) > 20 for f in told if isinstance(f, Rejected))


def test_one_simulated_fact_marks_everything_from_then_on() -> None:
    monitor = Monitor(venue())
    assert not any(f.simulated for f in run(monitor, ticks(0, 3)))
    run(monitor, [Count(at=T0 + 3, source="ctr-gate", seq=1, counter="ctr-gate", kind="event", simulated=True)])
    told = run(monitor, ticks(3, 30))
    assert told
    assert all(f.simulated for f in [*told, *monitor.current()])
    assert all(f.simulated for f in Monitor.restore(venue(), monitor.snapshot()).current())


def test_what_is_told_long_after_it_happened_moves_no_live_number() -> None:
    monitor = Monitor(venue())
    old = Count(
        at=T0 - 9e4, seen=T0 + 2, source="ctr-gate", counter="ctr-gate", kind="event", forward=1, historical=True
    )
    told = run(monitor, [*ticks(0, 3), old, *ticks(3, 8)])
    assert zones(monitor)["hall"].raw == 0
    assert [f.health for f in told if isinstance(f, DeviceState) and f.device == "ctr-gate"] == ["unknown"]
    assert [(f.late, f.people, f.at) for f in told if isinstance(f, Flow)] == [(True, 1, T0 - 9e4)]


def test_a_snapshot_of_another_venue_is_refused() -> None:
    data = Monitor(venue()).snapshot()
    with pytest.raises(ValueError, match="rebuild"):
        Monitor.restore(
            venue(portals={**venue().portals, "gate": Portal(between=("outside", "hall"), name="Gate")}), data
        )
    with pytest.raises(ValueError, match="rebuild"):
        Monitor.restore(venue(), b"\xc1 rubbish")

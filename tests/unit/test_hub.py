import math

import msgspec
import pytest

from flowmon.feed.entries import Floors, entry, ms
from flowmon.feed.hub import SUBJECTS_MAX, Hub
from flowmon.feed.mailbox import KeyedMailbox, LogMailbox, mailbox
from flowmon.feed.messages import KEYED_CHANNELS, LOG_CHANNELS, Since, Sub, Where
from flowmon.feed.state import EVENTS_MAX, TOMBSTONE_MS
from flowmon.findings import (
    Correction,
    DeviceState,
    DoorAccount,
    Dwell,
    Explained,
    Finding,
    Forecast,
    QueueState,
    Rejected,
    VenueState,
)
from tests.unit.feed_samples import T0, T0_MS, Names, episode, known, queue, venue, zone


@pytest.fixture
def hub() -> Hub:
    return Hub(venue(), "e1")


@pytest.fixture
def names() -> Names:
    return Names()


def test_every_finding_has_the_fields_of_the_protocol() -> None:
    floors = Floors(venue())
    cases: dict[str, Finding] = {
        "occ lo hi cap dens in out lvl q at age m inp raw bcn prov": zone(),
        "occ lo hi cap in out entered lvl q at age next prov": VenueState(at=T0, occupancy=1, lo=0, hi=2, capacity=5),
        "len lo hi leaving p50 p90 thr desks q at m sign": queue(),
        "kind health since reason last zones skew time at": DeviceState(
            at=T0, device="ctr-1", kind="counter", health="silent", since=T0
        ),
        "msgs rej worst kind health since reason last zones skew time at": DeviceState(
            at=T0, device="gateway", kind="gateway", health="suspect", since=T0, messages=9, rejected=4, worst="no JSON"
        ),
        "v sd base by t doors ev share m at": Explained(at=T0, zone="foyer", value=3, sd=1, base=3, base_by="start"),
        "zone horizon occ lo hi at m over": Forecast(
            at=T0, zone="foyer", horizon_s=900.0, occupancy=5, lo=4, hi=6, method="rls"
        ),
        "id key rule subject state pri rev raised at text value limit unit q by note until": episode(),
        "what zone before after reason by note at": Correction(
            at=T0, zone="foyer", before=1, after=2, reason="recount", by="dupont"
        ),
        "what source reason topic dialect at": Rejected(at=T0, source="ctr-9", reason="unknown counter"),
    }
    for fields, finding in cases.items():
        made = entry(finding, "museum", floors)
        assert made is not None
        assert list(made.fields) == fields.split()
        assert made.channel in (*KEYED_CHANNELS, *LOG_CHANNELS)
        msgspec.json.encode(made.fields)


def test_what_no_channel_carries_has_no_entry() -> None:
    dwell = Dwell(at=T0, zone="foyer", visits=5, p50_s=60, p90_s=90, start=T0 - 300)
    assert entry(dwell, "museum", Floors(venue())) is None


def test_an_entry_in_detail() -> None:
    floors = Floors(venue())
    made = entry(episode(until=T0 + 60, value=101.239, limit=100.0), "museum", floors)
    assert made is not None
    assert made.key == "full.1"
    assert made.fields["key"] == "museum/foyer/zone-full"
    assert (made.fields["raised"], made.fields["until"]) == (T0_MS, T0_MS + 60_000)
    assert made.fields["value"] == 101.24
    assert made.floors == ("ground",)
    forecast = Forecast(at=T0, zone="attic", horizon_s=900.0, occupancy=5, lo=4, hi=6, method="rls")
    made = entry(forecast, "museum", floors)
    assert made is not None
    assert (made.key, made.floors) == ("attic/900", ("first",))


def test_simulated_findings_say_so_each_and_all_together(hub: Hub, names: Names) -> None:
    assert not hub.simulated
    hub.publish(names(zone(simulated=True)), 0)
    assert hub.simulated
    assert hub.snapshot("zones")["foyer"]["sim"] is True


@pytest.mark.parametrize("at", [0.0, -1e9, 1e300, -1e300, math.inf, math.nan])
def test_any_time_can_be_sent(at: float) -> None:
    msgspec.json.encode(ms(at))


def test_repeats_and_older_findings_of_a_subject_are_dropped(hub: Hub) -> None:
    names = Names()
    old, new = names(zone(people=1)), names(zone(people=2))
    hub.publish(new, 0)
    seq = hub.keyed["zones"].seq
    for again in (old, new, old + new):
        hub.publish(again, 0)
    assert hub.snapshot("zones")["foyer"]["occ"] == 2
    assert hub.keyed["zones"].seq == seq


def test_an_older_name_of_another_subject_is_no_repeat(hub: Hub) -> None:
    names = Names()
    first, second = names(zone("foyer")), names(zone("hall"))
    hub.publish(second, 0)
    hub.publish(first, 0)
    assert set(hub.snapshot("zones")) == {"foyer", "hall"}


def test_a_flood_of_sources_does_not_fill_the_memory(hub: Hub) -> None:
    names = Names()
    for number in range(SUBJECTS_MAX + 500):
        hub.publish(names(Rejected(at=T0, source=f"s{number}", reason="rubbish")), 0)
    assert len(hub._names) == SUBJECTS_MAX
    assert len(hub.logs["audit"].events) == EVENTS_MAX
    assert hub.logs["audit"].get("s0") is None


def test_places_that_the_venue_no_longer_has_are_not_shown(hub: Hub, names: Names) -> None:
    hub.publish(names(zone("cellar"), QueueState(at=T0, queue="bar", length=1, lo=1, hi=1)), 0)
    assert hub.snapshot("zones") == hub.snapshot("queues") == {}


def test_a_state_that_says_the_same_moves_nothing(hub: Hub, names: Names) -> None:
    hub.publish(names(zone()), 0)
    seq = hub.keyed["zones"].seq
    hub.publish(names(zone()), 0)
    assert hub.keyed["zones"].seq == seq


def test_a_delta_has_the_changed_fields_only(hub: Hub, names: Names) -> None:
    hub.publish(names(zone("foyer"), zone("hall")), 0)
    hub.publish(names(zone("hall", people=10.5, at=T0 + 1)), 7)
    delta = msgspec.json.decode(hub.delta_message("zones", Where(), 2, 2, ""))
    changed = {"hall": {"occ": 10.5, "lo": 9.5, "hi": 11.5, "at": T0_MS + 1000}}
    assert delta == {"t": "delta", "ch": "zones", "from": 3, "to": 3, "at": 7, "z": changed}


def test_clients_at_the_same_place_share_one_encoding(hub: Hub, names: Names) -> None:
    hub.publish(names(zone()), 0)
    first = hub.delta_message("zones", Where(), 0, 0, "")
    assert hub.delta_message("zones", Where(), 0, 0, "") is first
    hub.publish(names(zone(people=11)), 0)
    assert hub.delta_message("zones", Where(), 0, 0, "") is not first
    event = hub.logs["alerts"]
    hub.publish(names(episode()), 0)
    message = hub.event_message("alerts", event.events[0], "")
    assert hub.event_message("alerts", event.events[0], "") is message


def test_where_selects_by_floor_and_by_id(hub: Hub, names: Names) -> None:
    hub.publish(names(zone("foyer"), zone("hall"), zone("attic"), queue(), episode()), 0)
    hub.publish(names(DeviceState(at=T0, device="ctr-1", kind="counter", health="good", since=T0)), 0)
    hub.publish(names(VenueState(at=T0, occupancy=1, lo=0, hi=2, capacity=5)), 0)
    assert set(known(hub, "zones", floor=("first",))) == {"attic"}
    assert set(known(hub, "zones", id=("hall", "attic"))) == {"hall", "attic"}
    assert set(known(hub, "zones", floor=("ground",), id=("attic",))) == set()
    assert set(known(hub, "queues", floor=("first",))) == set()
    assert set(known(hub, "sensors", floor=("first",))) == {"ctr-1"}  # at a portal between both floors
    assert set(known(hub, "sensors", floor=("ground",))) == {"ctr-1"}
    assert set(known(hub, "alerts", floor=("first",))) == set()
    assert set(known(hub, "alerts", id=("foyer",))) == {"full.1"}
    assert set(known(hub, "kpi", floor=("first",))) == {"venue"}  # the whole venue is on every floor


def test_an_alert_without_a_place_is_on_every_floor(hub: Hub, names: Names) -> None:
    hub.publish(names(episode(subject="venue")), 0)
    assert set(known(hub, "alerts", floor=("first",))) == {"full.1"}


def test_open_episodes_are_the_snapshot_and_closed_ones_are_found_for_a_while(hub: Hub, names: Names) -> None:
    hub.publish(names(episode("a"), episode("b")), 0)
    hub.publish(names(episode("a", revision=2, state="NORM")), 0)
    assert set(hub.snapshot("alerts")) == {"b"}
    assert hub.logs["alerts"].get("a") is not None
    assert [event.seq for event in hub.logs["alerts"].events] == [1, 2, 3]


def test_a_removed_key_is_told_as_null_and_forgotten_after_ten_minutes(hub: Hub, names: Names) -> None:
    hub.publish(names(zone("foyer"), zone("hall")), 0)
    zones = hub.keyed["zones"]
    zones.remove("hall", 1_000)
    zones.remove("hall", 1_000)
    assert zones.since(2, Where()) == {"hall": None}
    assert zones.get("hall") is None
    assert zones.resumable(2)
    hub.publish([], 1_000 + TOMBSTONE_MS)
    assert zones.resumable(2)
    hub.publish([], 1_001 + TOMBSTONE_MS)
    assert not zones.resumable(2)
    assert zones.resumable(3)


def test_a_key_that_comes_back_is_whole_again(hub: Hub, names: Names) -> None:
    hub.publish(names(zone("hall")), 0)
    zones = hub.keyed["zones"]
    zones.remove("hall", 0)
    hub.publish(names(zone("hall", at=T0 + 1)), 0)
    assert zones.since(1, Where())["hall"] == hub.snapshot("zones")["hall"]
    hub.publish([], 2 * TOMBSTONE_MS)
    assert zones.get("hall") is not None


def test_a_field_that_is_gone_is_deleted_at_the_client(hub: Hub, names: Names) -> None:
    hub.publish(names(zone(simulated=True)), 0)
    hub.publish(names(zone()), 0)
    assert hub.keyed["zones"].since(1, Where()) == {"foyer": {"sim": None}}


def take(box: KeyedMailbox | LogMailbox, now: float = 0.0) -> list[dict[str, object]]:
    return [msgspec.json.decode(data) for data, _ in box.take(now, slow=False)]


def test_a_mailbox_merges_what_it_may_not_send_yet(hub: Hub, names: Names) -> None:
    box = KeyedMailbox(hub, Sub(ch="zones", id=5, max_hz=2), foreign=False)
    assert [m["t"] for m in take(box, 10.0)] == ["snap"]
    assert box.next_at() == math.inf
    for people in range(20):
        hub.publish(names(zone(people=people)), 0)
    assert box.next_at() == box.due == 10.5
    assert take(box, 10.4) == []
    (delta,) = take(box, 10.5)
    assert (delta["from"], delta["to"]) == (1, 20)
    assert box.due == 11.0


def test_a_lagging_client_gets_half_the_rate(hub: Hub) -> None:
    box = KeyedMailbox(hub, Sub(ch="zones", max_hz=2), foreign=False)
    box.take(10.0, slow=True)
    assert box.due == 11.0


@pytest.mark.parametrize("hz", [None, 0.0, -1.0, math.nan, math.inf, 1e300])
def test_any_rate_asked_for_gives_a_rate(hub: Hub, hz: float | None) -> None:
    box = KeyedMailbox(hub, Sub(ch="zones", max_hz=hz), foreign=False)
    box.take(10.0, slow=False)
    assert 10.0 < box.due < 120.0


def test_changes_that_where_hides_keep_the_numbers_together(hub: Hub, names: Names) -> None:
    box = KeyedMailbox(hub, Sub(ch="zones", where=Where(floor=("first",))), foreign=False)
    take(box)
    hub.publish(names(zone("foyer"), zone("hall")), 0)
    assert take(box, 1.0) == []
    assert box.next_at() == math.inf
    hub.publish(names(zone("attic")), 0)
    (delta,) = take(box, 2.0)
    assert (delta["from"], delta["to"]) == (1, 3)
    assert list(delta["z"]) == ["attic"]  # type: ignore[call-overload]


def test_whoever_comes_back_gets_what_changed(hub: Hub, names: Names) -> None:
    hub.publish(names(zone("foyer"), zone("hall")), 0)
    hub.publish(names(zone("hall", people=11)), 0)
    box = KeyedMailbox(hub, Sub(ch="zones", id=3, since=Since("e1", 2)), foreign=False)
    (snap,) = take(box)
    assert (snap["t"], snap["id"], snap["partial"], snap["seq"]) == ("snap", 3, True, 3)
    assert snap["z"] == {"hall": {"occ": 11, "lo": 10, "hi": 12}}


@pytest.mark.parametrize("since", [Since("e0", 2), Since("e1", 99), Since("e1", -1)])
def test_whoever_comes_back_from_elsewhere_gets_everything(hub: Hub, names: Names, since: Since) -> None:
    hub.publish(names(zone("foyer"), zone("hall"), episode()), 0)
    (snap,) = take(KeyedMailbox(hub, Sub(ch="zones", since=since), foreign=False))
    assert "partial" not in snap
    assert len(snap["z"]) == 2  # type: ignore[arg-type]
    (snap,) = take(LogMailbox(hub, Sub(ch="alerts", since=since), foreign=False))
    assert snap["t"] == "snap"
    assert list(snap["z"]) == ["full.1"]  # type: ignore[call-overload]


def test_events_missed_are_told_in_order_then_what_is_open(hub: Hub, names: Names) -> None:
    for number in range(120):
        hub.publish(names(episode(f"e{number}")), 0)
    box = LogMailbox(hub, Sub(ch="alerts", id=4, since=Since("e1", 3)), foreign=False)
    heard = []
    while box.next_at() < math.inf:
        heard += take(box)
    assert [m["seq"] for m in heard[:-1]] == list(range(4, 121))
    assert (heard[-1]["t"], heard[-1]["id"], len(heard[-1]["z"])) == ("snap", 4, 120)  # type: ignore[arg-type]


def test_the_latest_events_of_a_log_may_be_asked_for(hub: Hub, names: Names) -> None:
    for number in range(8):
        hub.publish(names(Correction(at=T0, zone="foyer", before=number, after=0, reason="negative", by="filter")), 0)
    (*events, snap) = take(LogMailbox(hub, Sub(ch="audit", id=4, last=3), foreign=False))
    assert [event["audit"]["before"] for event in events] == [5, 6, 7]  # type: ignore[index]
    assert (snap["t"], snap["id"], snap["z"], "gap" in snap) == ("snap", 4, {}, False)
    for last, told in ((0, 0), (-5, 0), (10**9, 8)):
        heard = take(LogMailbox(hub, Sub(ch="audit", last=last), foreign=False))
        assert len(heard) == told + 1


def test_why_a_number_is_what_it_is_adds_up(hub: Hub, names: Names) -> None:
    door = DoorAccount(
        counter="ctr-1", entered=12.3, left=4.1, gain_in=1.02, gain_out=1.0, counted_in=12, counted_out=4
    )
    told = Explained(
        at=T0, zone="attic", value=9.7, sd=1.0, base=2.0, base_by="recount", base_at=T0 - 60, doors=[door],
        evidence={"beacons": -0.5},
    )  # fmt: skip
    hub.publish(names(told), 0)
    why = hub.snapshot("why")["attic"]
    assert why["v"] == pytest.approx(
        why["base"] + sum(d["in"] - d["out"] for d in why["doors"]) + sum(why["ev"].values())
    )
    assert (why["by"], why["t"], why["doors"][0]["ni"]) == ("recount", T0_MS - 60_000, 12)
    hub.publish(names(msgspec.structs.replace(told, zone="cellar")), 0)
    assert list(hub.snapshot("why")) == ["attic"]


def test_whoever_is_too_far_behind_is_told_so_and_gets_the_open_episodes(hub: Hub, names: Names) -> None:
    box = LogMailbox(hub, Sub(ch="alerts", where=Where(id=("foyer",))), foreign=False)
    take(box)
    hub.publish(names(episode("open")), 0)
    for number in range(EVENTS_MAX):
        hub.publish(names(episode("x", revision=number + 1, state="NORM")), 0)
    (snap,) = take(box)
    assert (snap["gap"], list(snap["z"]), snap["seq"]) == (True, ["open"], EVENTS_MAX + 1)  # type: ignore[call-overload]
    resumed = LogMailbox(hub, Sub(ch="alerts", id=9, since=Since("e1", 0)), foreign=False)
    (snap,) = take(resumed)
    assert (snap["gap"], snap["id"]) == (True, 9)


def test_a_journal_that_starts_anew_gives_every_client_a_snapshot(hub: Hub, names: Names) -> None:
    boxes = [mailbox(hub, Sub(ch=channel), foreign=False) for channel in ("zones", "alerts")]
    hub.publish(names(zone(), episode()), 0)
    for box in boxes:
        box.take(0.0, slow=False)
    hub.reset("e2")
    hub.publish(Names()(zone(people=3)), 0)
    for box, size in zip(boxes, (1, 0), strict=True):
        assert box.next_at() == 0.0
        ((data, seq),) = box.take(0.1, slow=False)
        snap = msgspec.json.decode(data)
        assert (snap["t"], snap["epoch"], snap["seq"], len(snap["z"])) == ("snap", "e2", seq, size)


def test_messages_of_another_venue_name_it(hub: Hub, names: Names) -> None:
    zones = mailbox(hub, Sub(ch="zones"), foreign=True)
    alerts = mailbox(hub, Sub(ch="alerts"), foreign=True)
    assert (zones.label, alerts.label) == ("museum/zones", "museum/alerts")
    said = [msgspec.json.decode(data) for box in (zones, alerts) for data, _ in box.take(0.0, slow=False)]
    hub.publish(names(zone(), episode()), 0)
    said += [msgspec.json.decode(data) for box in (zones, alerts) for data, _ in box.take(9.0, slow=False)]
    assert [(m["t"], m["venue"]) for m in said] == [(t, "museum") for t in ("snap", "snap", "delta", "ev")]

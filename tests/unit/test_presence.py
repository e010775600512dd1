"""Sightings to presences, and the radio map behind them."""

import math
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from flowmon.facts import Presence, Sighting
from flowmon.monitor.presence import EXPIRY_S, REPEAT_S, Presences
from flowmon.monitor.radiomap import radio_map
from flowmon.monitor.visits import Visits
from flowmon.venue.model import Heard, Radio, Receiver, Venue
from tests import tiny_museum

T0 = 1_790_000_000.0
VENUE = tiny_museum.venue()


def venue(**more: object) -> Venue:
    return structs.replace(tiny_museum.venue(), **more)


def sighting(beacon: str, receiver: str, at: float, rssi: float = -68.0) -> Sighting:
    return Sighting(at=at, seen=at, source=receiver, beacon=beacon, receiver=receiver, rssi_dbm=rssi, simulated=True)


def east(beacon: str, at: float) -> list[Sighting]:
    return [sighting(beacon, "r-east", at), sighting(beacon, "r-west", at + 0.1, -90.0)]


def west(beacon: str, at: float) -> list[Sighting]:
    return [sighting(beacon, "r-west", at), sighting(beacon, "r-east", at + 0.1, -90.0)]


def heard(presences: Presences, sightings: list[Sighting]) -> list[Presence]:
    return [presence for sighting in sightings for presence in presences.apply(sighting)]


def walked() -> list[Sighting]:
    """A minute in the east, a minute in the west."""
    return [s for n in range(60) for s in east("b", T0 + n)] + [s for n in range(60, 120) for s in west("b", T0 + n)]


def test_a_beacon_is_told_where_it_goes_and_again_every_half_minute() -> None:
    told = heard(Presences(venue()), walked())
    changes = [p for n, p in enumerate(told) if n == 0 or p.zone != told[n - 1].zone]
    assert [p.zone for p in changes] == ["east", "west"]
    assert 60 <= changes[1].at - T0 <= 70
    again = [b.at - a.at for a, b in pairwise(told) if a.zone == b.zone]
    assert again
    assert all(gap == REPEAT_S for gap in again)
    assert all(p.expires == p.at + EXPIRY_S and p.simulated and p.source == "beacon:b" for p in told)
    assert all(0.95 < p.probability <= 1.0 for p in changes)
    assert all(0.0 < p.probability <= 1.0 and p.at <= p.seen for p in told)


def test_a_restart_at_any_second_changes_nothing() -> None:
    sightings = walked()
    whole = heard(Presences(venue()), sightings)
    for cut in (1, 7, 61, 120, 131, 200):
        first = Presences(venue())
        told = heard(first, sightings[:cut])
        second = Presences.restore(venue(), first.snapshot())
        assert second.snapshot() == first.snapshot()
        assert told + heard(second, sightings[cut:]) == whole


def test_time_moves_by_anybodys_sightings_and_the_lost_are_told_once() -> None:
    presences = Presences(venue())
    heard(presences, [s for n in range(20) for s in east("gone", T0 + n)])
    told = heard(presences, [s for n in range(20, 120) for s in west("here", T0 + n)])
    last = [p for p in told if p.beacon == "gone"]
    assert [(p.zone, p.probability) for p in last] == [("east", 0.0)]
    assert T0 + 19 <= last[0].expires <= T0 + 21 < last[0].at


def test_what_is_no_evidence_is_left_out() -> None:
    presences = Presences(venue())
    before = presences.snapshot()
    for rssi in (math.nan, math.inf, 500.0, -500.0):
        assert presences.apply(sighting("b", "r-east", T0, rssi)) == []
    assert presences.apply(sighting("b", "nobody", T0)) == []
    assert presences.apply(sighting("b", "r-east", math.nan)) == []
    assert presences.apply(sighting("b", "r-east", -5.0)) == []
    assert presences.snapshot() == before


def test_one_lying_clock_neither_moves_time_nor_stops_it() -> None:
    sightings = walked()
    presences = Presences(venue())
    told = heard(presences, sightings[:40])
    told += heard(presences, [sighting("b", "r-east", T0 + 86_400), sighting("b", "r-east", T0 - 86_400)])
    told += heard(presences, sightings[40:])
    assert told == heard(Presences(venue()), sightings)


@pytest.mark.parametrize("leap", [86_400.0, -86_400.0])
def test_a_leap_that_three_sightings_agree_on_is_believed(leap: float) -> None:
    presences = Presences(venue())
    heard(presences, walked())
    told = heard(presences, [s for n in range(10) for s in west("c", T0 + leap + n)])
    assert [(p.beacon, p.zone) for p in told if p.probability > 0.5] == [("c", "west")]
    assert all(abs(p.at - T0 - leap) < 20 for p in told if p.beacon == "c")


def test_late_sightings_join_the_step_under_way_and_older_ones_do_not() -> None:
    presences = Presences(venue())
    heard(presences, [s for n in range(10) for s in east("b", T0 + n)])
    before = presences.snapshot()
    presences.apply(sighting("b", "r-east", T0 + 2.0))
    assert presences.snapshot() == before
    presences.apply(sighting("b", "r-east", T0 + 7.0))
    assert presences.snapshot() != before


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c"]),
            st.sampled_from(["r-east", "r-west", "stranger"]),
            st.floats(allow_nan=True, allow_infinity=True),
            st.one_of(st.floats(0.0, 400.0), st.floats(allow_nan=True, allow_infinity=True)),
        ),
        max_size=60,
    ),
    st.integers(0, 60),
)
def test_any_sightings_in_any_order_are_survived_and_a_restart_changes_nothing(
    sightings: list[tuple[str, str, float, float]], cut: int
) -> None:
    said = [
        Sighting(at=T0 + at, source=receiver, beacon=beacon, receiver=receiver, rssi_dbm=rssi)
        for beacon, receiver, rssi, at in sightings
    ]
    whole = heard(Presences(VENUE), said)
    first = Presences(VENUE)
    told = heard(first, said[:cut])
    assert told + heard(Presences.restore(VENUE, first.snapshot()), said[cut:]) == whole
    assert all(p.zone in VENUE.zones and 0.0 <= p.probability <= 1.0 and math.isfinite(p.expires) for p in whole)


def test_a_beacon_at_the_charging_rack_is_in_no_zone() -> None:
    plain = venue()
    rack = Receiver(zone="lobby", at=(2.0, 2.0), rack=True)
    racked = structs.replace(plain, receivers={**plain.receivers, "rack": rack})
    presences = Presences(racked)
    near = [sighting("b", "rack", T0 + n, -62.0) for n in range(60)]
    assert heard(presences, near) == []
    told = heard(presences, [s for n in range(60, 90) for s in east("b", T0 + n)])
    assert [p.zone for p in told] == ["east"]
    told = heard(presences, [sighting("b", "rack", T0 + n, -62.0) for n in range(90, 130)])
    assert [(p.zone, p.probability) for p in told][-1] == ("east", 0.0)


def test_a_beacon_that_lies_still_leaves_at_the_time_it_was_last_moved() -> None:
    presences, visits = Presences(venue()), Visits()
    inside = []
    for n in range(0, 5_000, 2):
        for presence in heard(presences, east("b", T0 + n)):
            visits.learn(presence, presence.at)
        visits.close(T0 + n)
        inside.append(visits.inside("east"))
    assert 1 in inside
    assert inside[-1] == 0
    assert visits.state.finished.get("east", []) == [] or max(visits.state.finished["east"]) < 60.0


def test_a_presence_without_probability_ends_a_stay_in_the_past() -> None:
    visits = Visits()
    stay = Presence(at=10.0, source="x", beacon="b", zone="east", probability=0.9, expires=100.0)
    visits.learn(stay, 10.0)
    visits.learn(structs.replace(stay, at=40.0, expires=130.0), 40.0)
    elsewhere = structs.replace(stay, at=60.0, zone="west", probability=0.0, expires=50.0)
    assert visits.learn(elsewhere, 60.0) == set()
    assert visits.learn(structs.replace(stay, at=60.0, probability=0.0, expires=50.0), 60.0) == {"east"}
    assert visits.inside("east") == 0
    assert visits.state.finished == {"east": [30.0]}


def test_a_snapshot_of_another_kind_is_refused() -> None:
    data = Presences(venue()).snapshot()
    old = msgspec.msgpack.encode({"version": 1, "fingerprint": "x", "tags": {}})
    for snapshot in (old, b"\xc1", data.replace(b"\xa7version\x02", b"\xa7version\x09")):
        with pytest.raises(ValueError, match="another version"):
            Presences.restore(venue(), snapshot)
    with pytest.raises(ValueError, match="another version"):
        Presences.restore(venue(name="Other"), data)


def test_the_plan_alone_says_which_receiver_is_loudest_where() -> None:
    found = radio_map(venue())
    east_row, west_row = found.zones.index("east"), found.zones.index("west")
    assert found.table.median[east_row, 0] > found.table.median[east_row, 1] + 6
    assert found.table.median[west_row, 1] > found.table.median[west_row, 0] + 6
    assert not found.calibrated
    assert ((found.table.silent > 0) & (found.table.silent <= 1)).all()


def test_what_was_walked_replaces_the_plan_and_corrects_the_rest() -> None:
    plain = radio_map(venue())
    rows = [
        Heard(zone, name, float(plain.table.median[n, m]) + 10.0 + (4.0 if (n + m) % 2 else -4.0), 6.0, 0.3)
        for n, zone in enumerate(plain.zones[:-1])
        for m, name in enumerate(venue().receivers)
    ]
    found = radio_map(venue(radio=Radio("x", [*rows, Heard("nowhere", "r-east", -60.0, 5.0, 0.1)])))
    assert found.calibrated
    shift = found.table.median - plain.table.median
    assert np.all(np.abs(shift[:-1] - 10.0) <= 4.5)
    assert np.all(np.abs(shift[-1] - 10.0) <= 4.5)  # nobody walked it: the receivers' own gain is taken over
    assert np.all(np.abs(found.table.spread[:-1] - 6.0) < 2.5)


def test_a_venue_without_receivers_places_nobody() -> None:
    presences = Presences(venue(receivers={}))
    assert heard(presences, walked()) == []
    assert presences.shifted() == {}

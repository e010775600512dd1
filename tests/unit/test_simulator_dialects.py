"""Simulated devices speak any dialect: an hour of people, published and decoded, is credited as it was counted."""

from collections.abc import Iterator

import msgspec
import pytest

from flowmon.errors import FlowmonError
from flowmon.facts import Count, DeviceStatus, Fact, Sighting
from flowmon.monitor.core import Monitor
from flowmon.monitor.intake import Intake
from flowmon.venue.model import Counter, Receiver, Route, Venue
from sensors.dialects import DIALECTS
from sensors.dialects.port import Message
from sensors.routes import Routes
from simulator.scenario import Scenario
from simulator.simulation import Simulation
from simulator.speaking import Speakers
from tests import tiny_museum

#: What a counter of the dialect looks like in a venue file. Whatever is not here yields no counts, or is not spoken.
COUNTERS: dict[str, dict[str, str]] = {
    "native": {"credit": "event"},
    "xovis": {"credit": "window", "line": "1000"},
    "xovis-live": {"credit": "event", "line": "1000"},
    "xovis-legacy": {"credit": "event", "line": "1000"},
    "axis": {"credit": "cumulative", "line": "Device1Scenario1", "backward_line": "Device1Scenario2"},
    "hikvision": {"credit": "cumulative"},
    "milesight": {"credit": "event"},
    "milesight-registers": {"credit": "cumulative", "line": "1-trigger"},
    "irisys": {"credit": "event"},
    "brickstream": {"credit": "window"},
    "fiware": {"credit": "window"},
    "frigate-events": {"credit": "event", "line": "door"},
    "terabee": {"credit": "cumulative"},
    "lorawan-milesight": {"credit": "window"},
    "lorawan-terabee": {"credit": "cumulative"},
    "lorawan-parametric": {"credit": "cumulative"},
    "lorawan-imbuildings": {"credit": "window"},
    "lorawan-hkt": {"credit": "cumulative"},
    "lorawan-yosensi": {"credit": "cumulative"},
}
RECEIVERS = (
    "espresense", "openmqttgateway", "theengs", "ruuvi", "minew", "moko", "tasmota", "cassia", "april-brother",
)  # fmt: skip
#: Nothing of theirs is a count across a line that a simulated counter could tell.
NOT_COUNTERS = {
    "opendatacam": "read only",
    "lorawan-pipiot": "one direction a device",
    "lorawan-paxcounter": "devices in the air",
    "lorawan-elsys": "a heartbeat",
    "dataq": "people in an area",
    "steinel": "people in an area",
    "frigate": "people in an area",
}
DEVICE = "0011223344556677"


def venue(dialect: str, counter: dict[str, str]) -> Venue:
    """The tiny museum; the arch is counted in a dialect, which is heard on a route of no particular topic."""
    plain = tiny_museum.venue()
    told = {"portal": "arch", "towards": "east", "device": DEVICE, "dialect": dialect}
    arch = msgspec.convert(told | counter, Counter)
    route = Route(topic=f"site/{dialect}/+", dialect=dialect)
    own = {"frigate-events": f"{DEVICE}/events"}.get(dialect)
    routes = [Route(topic=own, dialect=dialect, device=DEVICE) if own else route]
    return msgspec.structs.replace(plain, counters={"c-arch": arch}, receivers={}, queues={}, routes=routes)


def heard(place: Venue, facts: list[Fact]) -> Iterator[Fact]:
    """What a gateway makes of the messages, by its own routes."""
    routes, speakers = Routes([place]), Speakers(place)
    for fact in facts:
        for topic, payload, retain in speakers.messages([fact]):
            origin = routes.origin(topic)
            yield from routes.dialects[origin.dialect].decode(Message(topic, payload, fact.seen, retain), origin.device)


def hour(place: Venue, day: Scenario) -> list[Fact]:
    simulation = Simulation(place, day, 3, sightings=bool(place.receivers))
    until = simulation.day.at("11:00")
    return [e.fact for e in simulation.events() if e.fact is not None and e.fact.seen < until]


def credited(place: Venue, facts: list[Fact]) -> tuple[int, int]:
    """People the core credits to the arch, when they come as they were sent."""
    intake = Intake(place)
    forward = backward = 0
    now = 0.0
    for fact in facts:
        if int(fact.seen) > now:
            now = float(int(fact.seen))
            for crossing in intake.advance(now):
                forward, backward = forward + crossing.forward, backward + crossing.backward
        if isinstance(fact, Count):
            intake.take(fact)
    for crossing in intake.advance(now + 3600):
        forward, backward = forward + crossing.forward, backward + crossing.backward
    return forward, backward


@pytest.mark.parametrize("dialect", COUNTERS)
def test_an_hour_told_in_a_dialect_is_credited_as_it_was_counted(dialect: str) -> None:
    place = venue(dialect, COUNTERS[dialect])
    day = tiny_museum.day(b"[devices]\ndouble = 0.2\nskew_s = 0\n", visitors=400)
    sent = hour(place, day)
    got = list(heard(place, sent))
    assert all(fact.simulated for fact in got)
    assert {fact.source for fact in got if isinstance(fact, Count)} == {DEVICE}
    counts = [fact for fact in got if isinstance(fact, Count)]
    assert len(counts) > 50
    assert credited(place, got) == credited(place, sent)
    assert sum(credited(place, sent)) > 100
    beats = [fact for fact in got if isinstance(fact, DeviceStatus) and fact.health == "online"]
    assert len(beats) >= len([fact for fact in sent if isinstance(fact, DeviceStatus)])


@pytest.mark.parametrize("dialect", RECEIVERS)
def test_a_receiver_tells_every_beacon_it_heard_in_its_dialect(dialect: str) -> None:
    plain = tiny_museum.venue()
    east = Receiver(zone="east", at=(12.0, 9.0), device="AABBCCDDEEFF", dialect=dialect)
    routes = [Route(topic="#", dialect=dialect, device="AABBCCDDEEFF")]
    place = msgspec.structs.replace(plain, receivers={"r-east": east}, counters={}, queues={}, routes=routes)
    sent = [fact for fact in hour(place, tiny_museum.day(b"beacon_share = 0.5")) if isinstance(fact, Sighting)][:500]
    got = [fact for fact in heard(place, list(sent)) if isinstance(fact, Sighting)]
    assert len(sent) > 100
    assert [(f.beacon, f.receiver, round(f.rssi_dbm)) for f in got] == [
        (f.beacon, f.receiver, round(f.rssi_dbm)) for f in sent
    ]
    assert all(fact.simulated for fact in got)


def test_every_dialect_is_spoken_or_known_not_to_be() -> None:
    assert {*COUNTERS, *RECEIVERS, *NOT_COUNTERS} == set(DIALECTS)
    for dialect in NOT_COUNTERS:
        with pytest.raises(FlowmonError, match=r"counters\.c-arch"):
            Speakers(venue(dialect, {"credit": "cumulative"}))


def test_what_is_heard_on_no_topic_is_explained() -> None:
    place = msgspec.structs.replace(venue("hikvision", COUNTERS["hikvision"]), routes=[])
    with pytest.raises(FlowmonError, match=rf"no route listens there: add \[\[routes\]\].*hikvision/{DEVICE}"):
        Speakers(place)


def test_a_route_of_another_shape_than_the_messages_is_explained() -> None:
    east = Receiver(zone="east", at=(12.0, 9.0), device="AABBCCDDEEFF", dialect="theengs")
    place = msgspec.structs.replace(
        tiny_museum.venue(), counters={}, receivers={"r": east}, routes=[Route(topic="site/+", dialect="theengs")]
    )
    with pytest.raises(FlowmonError, match=r"receivers\.r: nobody would understand theengs"):
        Speakers(place)


def test_a_counter_hung_the_other_way_round_is_read_the_right_way() -> None:
    plain = venue("native", {})
    turned = venue("native", {"invert": True})  # type: ignore[dict-item]
    day = tiny_museum.day(tiny_museum.PERFECT, visitors=100)
    assert credited(turned, hour(turned, day)) == credited(plain, hour(plain, day))
    assert Monitor(turned).apply_record(hour(turned, day)[:1]) is not None

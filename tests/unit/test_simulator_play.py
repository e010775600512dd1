"""Playing and publishing: the right words at the right time, readable by the gateway's own dialects."""

import dataclasses
import socket
import threading
from collections.abc import Sequence

import msgspec
import pytest

from flowmon.clock import Clock
from flowmon.errors import FlowmonError
from flowmon.facts import Count, DesksOpen, DeviceStatus, Fact, Sighting, ZoneCount
from flowmon.venue.model import Venue
from sensors.dialects import espresense, native, xovis
from sensors.dialects.port import Message
from simulator.play import beginning, play
from simulator.publish import Publisher, Speakers
from simulator.simulation import Simulation
from tests import tiny_museum


def simulation(*, radio: bool = True) -> Simulation:
    return Simulation(tiny_museum.venue(), tiny_museum.day(visitors=50), 1, sightings=radio)


def told_again(venue: Venue, facts: Sequence[Fact]) -> list[Fact]:
    """What a gateway would make of the messages, with `seen` left as it was."""
    readers = {"flowmon": native, "xovis": xovis, "espresense": espresense}
    again: list[Fact] = []
    for fact in facts:
        for topic, payload, _ in Speakers(venue).messages([fact]):
            again += readers[topic.split("/")[0]].decode(Message(topic, payload, fact.seen), "")
    return again


def test_the_gateway_reads_back_every_fact_that_devices_tell() -> None:
    venue = tiny_museum.venue()
    facts = [event.fact for event in simulation().events() if event.fact is not None]
    again = told_again(venue, facts)
    assert len(again) == len(facts)
    for sent, got in zip(facts, again, strict=True):
        assert got.simulated
        match sent:
            case Sighting():  # there is no time in it: the gateway's counts
                assert msgspec.structs.replace(got, at=sent.at) == sent
            case DeviceStatus(source="r-east" | "r-west" | "80:1F:00:00:00:01"):
                assert isinstance(got, DeviceStatus)
                assert (got.source, got.health) == (sent.source, sent.health)
            case Count(kind="window"):  # windows have no number: the window is the identity
                wanted = msgspec.structs.replace(sent, seq=-1)
                complete = pytest.approx(sent.complete, abs=0.01)
                assert isinstance(got, Count)
                assert msgspec.structs.replace(got, complete=sent.complete) == wanted
                assert got.complete == complete
            case _:
                assert got == sent


def test_nothing_unmarked_and_nothing_lasting_that_could_not_be_taken_back() -> None:
    speakers = Speakers(tiny_museum.venue())
    gone = [DeviceStatus(at=1.0, source=d, simulated=True, health="offline") for d in speakers.dialects]
    messages = list(speakers.messages(gone))
    assert all(b'"simulated":true' in payload for _, payload, _ in messages)
    lasting = {topic.split("/")[3]: retain for topic, _, retain in messages}
    assert lasting["c-arch"] is True
    assert lasting["r-east"] is False  # its `online` is not kept by the broker either


def test_a_dialect_that_cannot_be_spoken_is_explained() -> None:
    venue = tiny_museum.venue()
    counter = msgspec.structs.replace(venue.counters["c-arch"], dialect="axis")
    with pytest.raises(FlowmonError, match=r"counters\.c-arch.*axis"):
        Speakers(msgspec.structs.replace(venue, counters={"c-arch": counter}))
    counter = msgspec.structs.replace(venue.counters["c-arch"], dialect="xovis")
    with pytest.raises(FlowmonError, match=r"which tells window.*set credit"):
        Speakers(msgspec.structs.replace(venue, counters={"c-arch": counter}))


def test_no_broker_is_a_clear_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(FlowmonError, match="no broker at"):
        Publisher(tiny_museum.venue(), f"mqtt://127.0.0.1:{port}")


@dataclasses.dataclass
class Ear:
    """Hears what is played, and when by the clock."""

    clock: Clock | None
    facts: list[Fact] = dataclasses.field(default_factory=list)
    early: int = 0

    def tell(self, facts: Sequence[Fact]) -> None:
        assert len({fact.source for fact in facts}) == 1
        self.facts += facts
        if self.clock is not None:
            self.early += sum(fact.seen > self.clock.now() for fact in facts)


@pytest.mark.parametrize("rate", [None, 20_000.0])
def test_every_fact_is_played_in_order_and_none_before_its_time(rate: float | None) -> None:
    day = simulation(radio=False)
    clock = Clock(day.day.start, rate) if rate else None
    ear = Ear(clock)
    truths: list[object] = []
    played = play(day, ear.tell, start=day.day.start, until=day.day.end, clock=clock, true=truths.append)
    expected = [event.fact for event in simulation(radio=False).events() if event.fact is not None]
    assert ear.facts == [fact for fact in expected if fact.seen <= day.day.end]
    assert (played.facts, played.truths) == (len(ear.facts), len(truths))
    assert ear.early == 0


def test_who_begins_at_noon_is_told_what_stands() -> None:
    day = simulation()
    noon = day.day.at("12:00")
    events = beginning(day, noon)
    standing = [event.fact for event in (next(events) for _ in range(8))]
    desks = [fact for fact in standing if isinstance(fact, DesksOpen)]
    assert [(fact.queue, fact.desks, fact.at) for fact in desks] == [("tickets", 2, noon)]
    online = {fact.source for fact in standing if isinstance(fact, DeviceStatus)}
    assert len(online) == 7
    assert sum(day.occupancy.values()) > 0


def test_playing_stops_when_it_is_told_to() -> None:
    stop = threading.Event()
    day = simulation(radio=False)
    heard: list[Fact] = []

    def tell(facts: Sequence[Fact]) -> None:
        heard.extend(facts)
        if len(heard) > 20:
            stop.set()

    play(day, tell, start=day.day.start, until=day.day.end, clock=None, stop=stop)
    assert 20 < len(heard) < 20 + 200


def test_who_begins_at_noon_can_be_told_how_many_are_where() -> None:
    day = simulation(radio=False)
    noon = day.day.at("12:00")
    told = [event.fact for event in beginning(day, noon, tally=True) if isinstance(event.fact, ZoneCount)]
    again = simulation(radio=False)
    next(event for event in again.events() if event.at >= noon)
    assert {fact.zone: fact.people for fact in told} == again.occupancy
    assert all(fact.simulated and fact.at == noon for fact in told)

"""Every LoRaWAN counter through gateway and core: an uplink becomes people in a zone, once, or a device's state."""

import asyncio

import pytest

from flowmon.clock import Clock
from flowmon.facts import Count, DeviceStatus, Fact, ZoneCount
from flowmon.monitor.core import Monitor
from flowmon.venue.model import Counter, Route, Venue
from sensors.dialects.port import Message
from sensors.gateway import Gateway
from sensors.routes import Routes
from tests.fakes import FakeInbox, MemoryJournal, until
from tests.small import T0, run, ticks, venue, zones
from tests.unit.uplinks import CODECS

#: Codecs whose payloads have a register, or only counts since the last uplink, or people in view.
REGISTERS = ["milesight", "terabee", "parametric", "imbuildings", "hkt", "yosensi", "pipiot"]
WINDOWS = ["milesight", "parametric", "imbuildings", "yosensi"]
STATES = ["milesight", "terabee", "paxcounter"]
TOPIC = "v3/+/devices/+/up"


def uplinks(codec: str, facts: list[Fact], device: str) -> list[Message]:
    spoken = CODECS[codec].encode(facts, venue="small", device=device)
    return [
        Message(topic=topic, payload=payload, seen=fact.at + 0.25, qos=1, mid=number)
        for number, (fact, (topic, payload, _)) in enumerate(zip(facts, spoken, strict=True), 1)
    ]


async def journalled(small: Venue, told: list[Message]) -> list[Fact]:
    """The facts that the gateway writes for messages, all of them acknowledged and none refused."""
    inbox, journal = FakeInbox(), MemoryJournal()
    known = {small.id: small}
    gateway = Gateway(inbox, Routes([small]), known, journal, journal.append_sightings, journal.append_rejects, Clock())
    running = asyncio.create_task(gateway.run())
    inbox.put(*told)
    await until(lambda: len(inbox.acked) == len(told))
    gateway.stop()
    await asyncio.wait_for(running, 10)
    assert not journal.rejects
    return journal.facts(small.id)


def people(small: Venue, facts: list[Fact], zone: str) -> int:
    """The people that the core sees in a zone a minute after the last of some facts."""
    monitor = Monitor(small)
    run(monitor, ticks(0, 1))
    for second in range(1, 90):
        run(monitor, [fact for fact in facts if T0 + second - 1 < fact.at <= T0 + second])
        run(monitor, ticks(second, second + 1))
    shown = zones(monitor)[zone].occupancy
    assert shown is not None
    return round(shown)


def door(codec: str, credit: str) -> Venue:
    counter = Counter(portal="gate", towards="hall", credit=credit)  # type: ignore[arg-type]
    return venue(counters={"ctr-gate": counter}, routes=[Route(topic=TOPIC, dialect=codec)])


def count(at: float, seq: int, forward: int, backward: int, kind: str) -> Count:
    """A register or a window at T0 + at."""
    when = T0 + at
    return Count(
        at=when,
        source="ctr-gate",
        seq=seq,
        counter="ctr-gate",
        kind=kind,  # type: ignore[arg-type]
        forward=forward,
        backward=backward,
        end=when if kind == "window" else 0.0,
    )


@pytest.mark.parametrize("family", REGISTERS)
async def test_registers_become_crossings_once(family: str) -> None:
    codec = f"lorawan-{family}"
    left = 0 if family == "pipiot" else 1
    told: list[Fact] = [count(10, 4, 100, 50 * left, "cumulative"), count(20, 5, 103, 51 * left, "cumulative")]
    small = door(codec, "cumulative")
    facts = await journalled(small, uplinks(codec, [*told, told[1]], "ctr-gate"))
    assert people(small, facts, "hall") == 3 - left


@pytest.mark.parametrize("family", WINDOWS)
async def test_counts_since_the_last_uplink_become_crossings_once(family: str) -> None:
    codec = f"lorawan-{family}"
    told: list[Fact] = [count(10, 4, 3, 1, "window"), count(20, 6, 2, 0, "window")]
    small = door(codec, "window")
    facts = await journalled(small, uplinks(codec, [*told, told[0]], "ctr-gate"))
    assert people(small, facts, "hall") == 4


@pytest.mark.parametrize("family", STATES)
async def test_people_in_view_become_a_zones_people(family: str) -> None:
    codec = f"lorawan-{family}"
    told: list[Fact] = [ZoneCount(at=T0 + 10, source="hall", seq=4, zone="hall", people=7)]
    small = venue(routes=[Route(topic=TOPIC, dialect=codec)])
    facts = await journalled(small, uplinks(codec, told, "hall"))
    assert people(small, facts, "hall") == 7


@pytest.mark.parametrize("codec", ["lorawan-elsys", "lorawan-hkt", "lorawan-milesight", "lorawan-paxcounter"])
async def test_a_heartbeat_is_the_devices_state_and_nobody(codec: str) -> None:
    told: list[Fact] = [DeviceStatus(at=T0 + 10, source="ctr-gate", seq=4, health="online")]
    small = door(codec, "cumulative")
    facts = await journalled(small, uplinks(codec, told, "ctr-gate"))
    assert [type(fact) for fact in facts] == [DeviceStatus]
    assert people(small, facts, "hall") == 0

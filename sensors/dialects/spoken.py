"""Families that a mapping file reads, and that a simulated device speaks: what the file cannot say is said here.

Source: as in the mapping files of `sensors/mappings`. Read by the mapping, written by one function a family.

Pitfalls:
* Frigate's counts are a bare number and cannot be marked simulated: a venue of simulated devices must say so itself.
* Frigate and Steinel tell no time, nor do the wills of Frigate and DataQ: a reader takes its own clock.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec
from msgspec import Struct

from flowmon.facts import Count, DeviceStatus, Fact, ZoneCount
from sensors.dialects import bodies, speech
from sensors.dialects.port import Dialect, Family, Message, Outgoing

Body = dict[str, object]
#: The messages that tell facts of a device, given the mark of simulated ones; raises ValueError for the rest.
Speaker = Callable[[Sequence[Fact], str, Body], list[Outgoing]]


class Spoken(Struct, eq=False):
    """A dialect that reads as `reads` does and speaks as `speaks`."""

    FAMILY: Family
    reads: Dialect
    speaks: Speaker

    def decode(self, message: Message, device: str) -> list[Fact]:
        """See the port."""
        return self.reads.decode(message, device)

    def encode(self, facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
        """See the port."""
        marked = speech.simulated(facts, device=device, venue=venue)
        if any(fact.historical for fact in facts):
            raise ValueError(f"{device} of {venue} has no memory: it tells nothing that is long past")
        return self.speaks(facts, device, {"simulated": True} if marked else {}) if facts else []


def spoken(mapped: Mapping[str, Dialect]) -> dict[str, Dialect]:
    """The dialects of mapping files, by name, with a voice where there is one."""
    return {
        name: Spoken(dialect.FAMILY, dialect, _SPEAKERS[name]) if name in _SPEAKERS else dialect
        for name, dialect in mapped.items()
    }


def _terabee(facts: Sequence[Fact], device: str, mark: Body) -> list[Outgoing]:
    """One push a register, as an L-XL posts it; times go as whole seconds."""
    told: list[Outgoing] = []
    for fact in facts:
        if not isinstance(fact, Count) or (fact.kind, fact.line) != ("cumulative", "1"):
            raise speech.untold("terabee", fact)
        counts: Body = {"count_in": fact.forward, "count_out": fact.backward, "timestamp": str(round(fact.at))}
        told.append((f"terabee/{device}", msgspec.json.encode(counts | {"device_id": device} | mark), False))
    return told


def _steinel(facts: Sequence[Fact], device: str, mark: Body) -> list[Outgoing]:
    """All zones of the detector in one message, in order from 1 on."""
    zones: list[int] = []
    for number, fact in enumerate(facts, 1):
        if not isinstance(fact, ZoneCount) or fact.zone != f"{bodies.slug(device)}-{number}":
            raise speech.untold("steinel", fact)
        zones.append(fact.people)
    body = msgspec.json.encode({"DetectedPersonsZone": zones} | mark)
    return [(f"steinel/{device}/DetectedPersonsZone", body, False)]


def _dataq(facts: Sequence[Fact], device: str, mark: Body) -> list[Outgoing]:
    """Occupancy of the zone named like the device; its connection, retained."""
    told: list[Outgoing] = []
    for fact in facts:
        match fact:
            case ZoneCount() if fact.zone == bodies.slug(device):
                people = {"Human": fact.people} if fact.people else {}
                body: Body = {"occupancy": people, "timestamp": speech.milliseconds(fact.at)}
                topic, retain = "occupancy", False
            case DeviceStatus(health="online" | "offline", reason="", firmware="", battery=None):
                body, topic, retain = {"connected": fact.health == "online"}, "connect", True
            case _:
                raise speech.untold("dataq", fact)
        told.append((f"dataq/{topic}/{device}", msgspec.json.encode(body | {"serial": device} | mark), retain))
    return told


def _frigate(facts: Sequence[Fact], device: str, _: Body) -> list[Outgoing]:
    """The device is the prefix, as its readers take it."""
    told: list[Outgoing] = []
    for fact in facts:
        match fact:
            case ZoneCount() if bodies.slug(fact.zone) == fact.zone:
                told.append((f"{device}/{fact.zone}/person", str(fact.people).encode(), False))
            case DeviceStatus(health="online" | "offline", reason="", firmware="", battery=None):
                told.append((f"{device}/available", fact.health.encode(), True))
            case _:
                raise speech.untold("frigate", fact)
    return told


_SPEAKERS: dict[str, Speaker] = {"terabee": _terabee, "steinel": _steinel, "dataq": _dataq, "frigate": _frigate}

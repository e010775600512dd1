"""The table of dialects: each family says of itself what a person should know, and yields no kind it does not name."""

from typing import get_args

import pytest

from flowmon.facts import Count, CountKind, DeviceStatus, Fact, QueueReading, Sighting, ZoneCount
from sensors.dialects import DIALECTS
from sensors.dialects.port import Message

SEEN = 1_777_730_460.0
DEVICE = "ctr-01"
TRANSPORTS = {"MQTT", "HTTP", "LoRaWAN", "NB-IoT"}
KINDS = set(get_args(CountKind)) | {str(fact.__struct_config__.tag) for fact in get_args(Fact)} - {"count"}

WINDOW = Count(
    at=SEEN, source=DEVICE, counter=DEVICE, kind="window", forward=3, backward=1, start=SEEN - 60.0, end=SEEN
)
CANDIDATES: list[Fact] = [
    Count(at=SEEN, source=DEVICE, counter=DEVICE, kind="event", forward=1),
    WINDOW,
    Count(at=SEEN, source=DEVICE, counter=DEVICE, kind="cumulative", forward=30, backward=20),
    ZoneCount(at=SEEN, source=DEVICE, zone="foyer", people=4),
    QueueReading(at=SEEN, source=DEVICE, queue="desk", length=4, wait_s=60.0, outflow=2, start=SEEN - 60.0, end=SEEN),
    Sighting(
        at=SEEN,
        source=DEVICE,
        receiver=DEVICE,
        beacon="iBeacon:e2c56db5-dffb-48d2-b060-d0f5a71096e0-1-263",
        rssi_dbm=-70.0,
    ),
    DeviceStatus(at=SEEN, source=DEVICE, health="online"),
    DeviceStatus(at=SEEN, source=DEVICE, health="offline"),
    DeviceStatus(at=SEEN, source=DEVICE, health="fault", reason="lens covered"),
]


def kind(fact: Fact) -> str:
    return fact.kind if isinstance(fact, Count) else str(fact.__struct_config__.tag)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_family_says_what_a_person_should_know(dialect: str) -> None:
    family = DIALECTS[dialect].FAMILY
    for field in ("name", "privacy", "tested", "source"):
        said = getattr(family, field)
        assert said == said.strip()
        assert said, f"{dialect}: {field} is empty"
        assert "\n" not in said
    assert family.transports
    assert set(family.transports) <= TRANSPORTS
    assert family.kinds
    assert len(set(family.kinds)) == len(family.kinds)
    assert set(family.kinds) <= KINDS


def spoken(dialect: str) -> list[tuple[Fact, list[Fact]]]:
    """Each candidate that such a device can tell, with what is read of it."""
    found: list[tuple[Fact, list[Fact]]] = []
    for fact in CANDIDATES:
        try:
            messages = DIALECTS[dialect].encode([fact], venue="small", device=DEVICE)
        except ValueError:
            continue
        facts: list[Fact] = []
        for topic, payload, _ in messages:
            facts += DIALECTS[dialect].decode(Message(topic=topic, payload=payload, seen=SEEN), DEVICE)
        found.append((fact, facts))
    return found


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_kind_is_read_that_the_family_does_not_name(dialect: str) -> None:
    declared = set(DIALECTS[dialect].FAMILY.kinds)
    for fact, facts in spoken(dialect):
        assert facts, f"{dialect}: told {kind(fact)}, and nothing was read"
        assert {kind(read) for read in facts} <= declared


def test_the_kinds_are_those_of_facts() -> None:
    assert {kind(fact) for fact in CANDIDATES} <= KINDS
    assert "count" not in KINDS

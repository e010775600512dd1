"""What a simulated LoRaWAN counter says is what its codec reads again, up to what its payload cannot carry."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from flowmon.facts import Count, DeviceStatus, Fact, Tick, ZoneCount
from sensors.dialects.lorawan import outgoing
from sensors.dialects.port import Message, Outgoing
from tests.unit.uplinks import CODECS, EUI

names = st.from_regex(r"[a-z0-9]{1,8}(-[a-z0-9]{1,8}){0,2}", fullmatch=True) | st.just(EUI)
#: Whole milliseconds, as receivers of the network tell them.
times = st.integers(200_000_000_000, 4_000_000_000_000).map(lambda ms: ms / 1000)
told = {"at": times, "seq": st.integers(0, 2**31), "simulated": st.booleans()}
PEOPLE_32, PEOPLE_31, PEOPLE_16, PEOPLE_15 = (st.integers(0, 2**bits - 1) for bits in (32, 31, 16, 15))


def registers(device: str, people: st.SearchStrategy[int], backward: st.SearchStrategy[int] | None = None) -> Any:
    return st.builds(
        Count,
        source=st.just(device),
        counter=st.just(device),
        kind=st.just("cumulative"),
        forward=people,
        backward=people if backward is None else backward,
        **told,
    )


def windows(device: str, people: st.SearchStrategy[int]) -> Any:
    """Windows since the last uplink, whose beginning nobody knows."""
    made = st.builds(
        Count,
        source=st.just(device),
        counter=st.just(device),
        kind=st.just("window"),
        forward=people,
        backward=people,
        **told,
    )
    return made.map(lambda fact: structs.replace(fact, end=fact.at))


def zone_counts(device: str, most: int) -> Any:
    return st.builds(ZoneCount, source=st.just(device), zone=st.just(device), people=st.integers(0, most), **told)


def heartbeats(device: str, **more: Any) -> Any:
    return st.builds(DeviceStatus, source=st.just(device), health=st.just("online"), **more, **told)


batteries = st.none() | st.integers(0, 100).map(lambda percent: percent / 100)
firmwares = st.just("") | st.lists(st.integers(0, 255), min_size=4, max_size=4).map(
    lambda part: ".".join(map(str, part))
)


def sayable(codec: str, device: str) -> Any:
    """The facts that a codec's devices can tell."""
    match codec.removeprefix("lorawan-"):
        case "milesight":
            lined = st.one_of(registers(device, PEOPLE_32), windows(device, PEOPLE_16)).flatmap(
                lambda fact: st.sampled_from("1234").map(lambda line: structs.replace(fact, line=line))
            )
            remembered = lined.map(
                lambda fact: structs.replace(
                    fact, at=float(int(fact.at)), end=fact.end and float(int(fact.at)), historical=True, seq=-1
                )
            )
            states = heartbeats(device, battery=batteries, firmware=firmwares)
            return st.one_of(lined, remembered, zone_counts(device, 255), states)
        case "terabee":
            return st.one_of(registers(device, st.integers(0, 10_000_000)), zone_counts(device, 254))
        case "parametric":
            return st.one_of(registers(device, PEOPLE_16), windows(device, PEOPLE_16))
        case "imbuildings":
            return st.one_of(registers(device, PEOPLE_16), windows(device, PEOPLE_16))
        case "hkt":
            return st.one_of(registers(device, PEOPLE_32), heartbeats(device, battery=batteries))
        case "paxcounter":
            return st.one_of(zone_counts(device, 2**16 - 1), heartbeats(device))
        case "yosensi":
            return st.one_of(registers(device, PEOPLE_31), windows(device, PEOPLE_15), heartbeats(device))
        case "elsys":
            return heartbeats(device)
        case _:
            return registers(device, PEOPLE_16, st.just(0))


def heard(sent: Outgoing, codec: str, device: str) -> list[Fact]:
    topic, payload, retain = sent
    assert topic.split("/")[3] == device
    assert not retain
    return CODECS[codec].decode(Message(topic=topic, payload=payload, seen=0.0), device)


@pytest.mark.parametrize("codec", CODECS)
@given(data=st.data(), device=names)
def test_what_is_said_is_heard(codec: str, data: st.DataObject, device: str) -> None:
    """Some payloads cannot but say beside every count that their device is well; none says more."""
    facts: list[Fact] = data.draw(st.lists(sayable(codec, device), max_size=4))
    sent = CODECS[codec].encode(facts, venue="small", device=device)
    assert len(sent) == len(facts)
    for fact, message in zip(facts, sent, strict=True):
        first, *others = heard(message, codec, device)
        assert first == fact
        assert {(other.health, other.reason) for other in others if isinstance(other, DeviceStatus)} <= {("online", "")}
        assert all(isinstance(other, DeviceStatus) for other in others)


@pytest.mark.parametrize("codec", CODECS)
def test_what_a_payload_cannot_carry_is_the_callers_mistake(codec: str) -> None:
    unsayable: list[Fact] = [
        Count(at=1.0, source="door", counter="door", kind="event", forward=1),
        Count(at=1.0, source="door", counter="door", kind="cumulative", forward=2**40),
        Count(at=1.0, source="door", counter="door", kind="cumulative", line="9"),
        ZoneCount(at=1.0, source="door", zone="hall", people=3),
        DeviceStatus(at=1.0, source="door", health="offline"),
        Tick(at=1.0, source="ticker"),
    ]
    for fact in unsayable:
        with pytest.raises(ValueError, match=r"cannot|do not fit|tells no"):
            CODECS[codec].encode([fact], venue="small", device="door")


def test_nobody_speaks_for_another_device() -> None:
    fact = Count(at=1.0, source="door", counter="door", kind="cumulative")
    with pytest.raises(ValueError, match="cannot speak for door"):
        outgoing(fact, b"\1", 1, venue="small", device="gate")

"""The pitfall list of the device formats, second line: what times may look like. One test an item."""

import json
from datetime import UTC, datetime

import msgspec
import pytest

from flowmon.errors import Undecodable
from flowmon.facts import Count, DeviceStatus, Fact, Presence, Sighting
from flowmon.findings import Flow
from flowmon.monitor.presence import Presences
from sensors.dialects import DIALECTS, bodies
from sensors.dialects.port import Message
from tests.small import T0, run, ticks, venue
from tests.typical import SEEN, TYPICAL
from tests.unit.pitfalls import count, gate, live, raw, states, typical

AT = 1_777_730_460.0


def read(dialect: str, payload: bytes, device: str = "door-1", topic: str = "t") -> list[Fact]:
    return DIALECTS[dialect].decode(Message(topic=topic, payload=payload, seen=SEEN), device)


@pytest.mark.parametrize("stamp", [1_777_730_460, 1_777_730_460_000, 1_777_730_460_000_000, 1_777_730_460.0])
def test_times_ms_s_and_us(stamp: float) -> None:
    assert bodies.instant(stamp, "at") == AT
    [fact] = read(
        "native", json.dumps({"at": stamp, "kind": "event", "forward": 1}).encode(), topic="flowmon/v1/m/d/count"
    )
    assert fact.at == AT


def test_times_string_digits() -> None:
    [sighting] = DIALECTS["ruuvi"].decode(TYPICAL["ruuvi"][1], "")
    assert (type(sighting), sighting.at) == (Sighting, AT)
    [register] = DIALECTS["terabee"].decode(TYPICAL["terabee"][0], "")
    assert register.at == 1_777_730_400.0


def test_times_offset_of_one_digit() -> None:
    told = typical("hikvision").replace(b"2026-05-02T14:01:00Z", b"2026-05-02T09:01:00-5:00")
    [fact] = read("hikvision", told)
    assert fact.at == AT


def test_times_offset_without_colon() -> None:
    [change] = read("irisys", typical("irisys"))
    assert b"+0000" in typical("irisys")
    assert change.at == AT


def test_times_offset_of_two_digits_and_ampersand() -> None:
    assert b"2026-05-02&16:01:00+02" in typical("moko")
    assert [fact.at for fact in read("moko", typical("moko")) if isinstance(fact, Sighting)] == [AT]


def test_times_minus_zero_offset() -> None:
    assert b"14:01:00-00:00" in typical("milesight")
    assert {fact.at for fact in read("milesight", typical("milesight"))} == {AT}


def test_times_compact_local_without_zone() -> None:
    """It is local, nobody knows where: the gateway's clock is used."""
    [fact] = read("axis", b'{"serial":"ACCC8E012345","timestamp":"20260502160100","in":70,"out":20}')
    assert isinstance(fact, Count)
    assert (fact.at, fact.kind, fact.forward) == (SEEN, "cumulative", 70)


def test_times_zone_in_letters() -> None:
    states_ = {"time": {"state": {"state": "OK", "details": {"time": "2026-05-02T14:01:00.946 CET"}}}}
    body = {"status_data": {"sensor_info": {"serial_number": "80:1F:12:00:00:01"}, "states": states_}}
    [status] = read("xovis", json.dumps(body).encode())
    assert (type(status), status.at) == (DeviceStatus, SEEN)


def test_times_impossible_dates() -> None:
    told = typical("irisys").replace(b"2026-05-02T", b"2026-02-91T")
    people, fault = read("irisys", told)
    assert isinstance(people, Count)
    assert isinstance(fault, DeviceStatus)
    assert (people.at, people.forward, fault.health) == (SEEN, 1, "fault")
    with pytest.raises(Undecodable, match="not a time"):
        read("milesight", typical("milesight").replace(b"2026-05-02T14:00", b"2026-02-30T14:00"))


@pytest.mark.parametrize("year", [1970, 1975, 2000])
def test_times_epochs_1970_1975_2000(year: int) -> None:
    one, start = gate(credit="window"), datetime(year, 1, 1, tzinfo=UTC).timestamp()
    told = live(one, [count("window", s, 2, at=start + s - T0) for s in range(60, 601, 60)], 610)
    assert (raw(one), states(told)[-1].health, states(told)[-1].time_source) == (20, "suspect", "shifted")


@pytest.mark.parametrize("ahead", [600.0, 86_400.0, 73 * 365 * 86_400.0])
def test_times_future_stamps(ahead: float) -> None:
    one = gate()
    told = live(one, [count("event", 5, 3, at=5 + ahead, seq=1)], 10)
    assert (raw(one), states(told)[-1].health, states(told)[-1].time_source) == (3, "suspect", "gateway")
    assert "ahead of the gateway" in states(told)[-1].reason


def test_times_frozen_clock() -> None:
    one = gate(credit="window")
    told = live(one, [count("window", s, s // 60, at=60) for s in range(60, 601, 60)], 610)
    assert raw(one) == sum(range(1, 11))
    assert "clock stands still" in states(told)[-1].reason


def test_times_dst_fold() -> None:
    one = gate(credit="window")
    told = live(one, [count("window", s, 1, at=s if s < 5_400 else s - 3_600) for s in range(60, 10_801, 60)], 10_810)
    assert raw(one) == 180
    assert any("clock change" in state.reason for state in states(told))


def test_times_dst_gap() -> None:
    one = gate(credit="window")
    told = live(one, [count("window", s, 1, at=s if s < 5_400 else s + 3_600) for s in range(60, 10_801, 60)], 10_810)
    assert raw(one) == 180
    assert any("clock change" in state.reason for state in states(told))


def test_times_window_crossing_midnight() -> None:
    body = typical("brickstream").replace(
        b'StartTime="16:00:00" EndTime="16:01:00"', b'StartTime="23:59:30" EndTime="00:00:30"'
    )
    [window] = read("brickstream", body)
    assert isinstance(window, Count)
    assert window.end - window.start == 60.0
    one, midnight = gate(credit="window"), 8 * 3_600.0  # T0 is at 16:00 in Paris
    told = count("window", midnight + 30, 4)
    assert told.start < T0 + midnight < told.end
    findings = run(one, [*ticks(28_790, 28_831), told, *ticks(28_831, 28_860)])
    assert raw(one) == 4
    assert not [finding for finding in findings if isinstance(finding, Flow) and finding.late]


@pytest.mark.parametrize(
    ("dialect", "begins", "ends"),
    [
        ("xovis", str(int(AT - 60) * 1000), str(int(AT) * 1000)),
        ("xovis-legacy", "2026-05-02T14:00:00+00:00", "2026-05-02T14:01:00+00:00"),
        ("milesight", "2026-05-02T14:00:00-00:00", "2026-05-02T14:01:00-00:00"),
        ("fiware", "2026-05-02T14:00:00Z", "2026-05-02T14:01:00Z"),
        ("axis", "2026-05-02T14:00:00Z", "2026-05-02T14:01:00Z"),
        ("hikvision", "2026-05-02T16:00:00+02:00", "2026-05-02T16:01:00+02:00"),
        ("native", "1777730400", "1777730460"),
    ],
)
def test_times_from_equal_to(dialect: str, begins: str, ends: str) -> None:
    """A window that is no time says nothing when nobody passed, and is refused with people in it: one rule for all."""
    number = {"axis": 1, "hikvision": 1, "native": 1}.get(dialect, 0)
    message = TYPICAL[dialect][number]
    assert begins.encode() in message.payload
    full = message.payload.replace(begins.encode(), ends.encode())
    with pytest.raises(Undecodable, match="must begin before it ends"):
        DIALECTS[dialect].decode(msgspec.structs.replace(message, payload=full), "door-1")
    empty = full
    for was, now in _nobody(dialect):
        assert was in empty
        empty = empty.replace(was, now)
    facts = DIALECTS[dialect].decode(msgspec.structs.replace(message, payload=empty), "door-1")
    assert [fact for fact in facts if isinstance(fact, Count) and fact.kind == "window"] == []


def _nobody(dialect: str) -> list[tuple[bytes, bytes]]:
    """What to write instead so that nobody passed."""
    match dialect:
        case "xovis" | "xovis-legacy":
            return [(b'"value":3', b'"value":0'), (b'"value":1', b'"value":0')]
        case "milesight":
            return [(b'"in":3', b'"in":0'), (b'"out":1}', b'"out":0}')]
        case "fiware":
            return [(b'Towards":3', b'Towards":0'), (b'Away":1', b'Away":0')]
        case "axis":
            return [(b'"count":3', b'"count":0'), (b'"count":1', b'"count":0')]
        case "hikvision":
            return [(b"<enter>70", b"<enter>0"), (b"<exit>75", b"<exit>0")]
        case _:
            return [(b'"forward":3', b'"forward":0'), (b'"backward":1', b'"backward":0')]


def test_times_of_a_receiver_later_than_the_gateways() -> None:
    body = typical("ruuvi").replace(b'"ts":1777730460', b'"ts":1777730999')
    [sighting] = read("ruuvi", body, device="", topic=TYPICAL["ruuvi"][0].topic)
    assert isinstance(sighting, Sighting)
    assert sighting.at > sighting.seen
    known = msgspec.structs.replace(sighting, receiver="ble-hall", source="ble-hall")
    presences = Presences(venue())
    told: list[Presence] = []
    for second in range(30):  # time goes on by the gateway's clock
        told += presences.apply(msgspec.structs.replace(known, seen=SEEN + second, at=known.at + second))
    assert told
    assert all(presence.at <= SEEN + 31 for presence in told)

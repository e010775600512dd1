"""The pitfall list of the device formats, fifth line: what devices say of themselves is a state that is shown.

One test an item, from the device's words to what is told of the device and the zones that it blinds.
"""

import json

import pytest
from msgspec import structs

from flowmon.facts import DeviceStatus, Fact
from flowmon.findings import DeviceState
from flowmon.monitor.core import Monitor
from flowmon.venue.model import Counter
from sensors.dialects import DIALECTS
from sensors.dialects.port import Message
from tests.small import T0, run, ticks, venue
from tests.unit.pitfalls import GATE, count, gate, live, states, typical
from tests.unit.uplinks import things_stack


def read(dialect: str, payload: bytes, topic: str = "t", device: str = GATE) -> list[Fact]:
    return DIALECTS[dialect].decode(Message(topic=topic, payload=payload, seen=T0 + 1), device)


def uplink(payload: str, port: int) -> bytes:
    return json.dumps(things_stack(bytes.fromhex(payload), port, 7)).encode()


def shown(facts: list[Fact]) -> DeviceState:
    """What is said of the device after its own words, as one of the venue's."""
    monitor = Monitor(venue(counters={GATE: Counter(portal="gate", towards="hall", silent_after_s=600)}))
    words = [structs.replace(fact, source=GATE, at=T0 + 1) for fact in facts if isinstance(fact, DeviceStatus)]
    assert words
    return states(run(monitor, [*ticks(0, 2), *words, *ticks(2, 70)]))[-1]


@pytest.mark.parametrize(
    ("dialect", "topic", "payload"),
    [
        ("native", f"flowmon/v1/small/{GATE}/status", b'{"health":"offline"}'),
        ("irisys", "irisys/x/status", b'{"status":"disconnected"}'),
        ("frigate", "frigate/available", b"offline"),
        ("espresense", "espresense/rooms/x/status", b"offline"),
        ("openmqttgateway", "home/x/LWT", b"offline"),
        ("tasmota", "tele/x/LWT", b"Offline"),
        ("ruuvi", "ruuvi/x/gw_status", b'{"state":"offline"}'),
    ],
)
def test_health_lwt(dialect: str, topic: str, payload: bytes) -> None:
    state = shown(read(dialect, payload, topic))
    assert (state.health, state.zones) == ("silent", ["hall"])


def test_health_covered_lens() -> None:
    alert = typical("hikvision").replace(b"PeopleCounting<", b"shelteralarm<")
    state = shown(read("hikvision", alert))
    assert (state.health, state.reason, state.zones) == ("fault", "the lens is covered: uncover it", ["hall"])


def test_health_occlusion() -> None:
    state = shown(read("lorawan-milesight", uplink("50FC010201", 85)))
    assert (state.health, state.zones) == ("fault", ["hall"])
    assert "covered" in state.reason


@pytest.mark.parametrize(("flags", "word"), [("01", "stopped"), ("02", "stuck")])
def test_health_stuck_and_stopped(flags: str, word: str) -> None:
    state = shown(read("lorawan-terabee", uplink("000000C8000001C8" + flags, 1)))
    assert state.health == "fault"
    assert word in state.reason.lower()


def test_health_warm_up() -> None:
    state = shown(read("lorawan-terabee", uplink("08" + "00" + "ff" * 8, 83)))
    assert state.health == "fault"
    assert "warm" in state.reason.lower()


def test_health_low_completeness() -> None:
    body = json.loads(typical("xovis"))
    record = body["logics_data"]["logics"][0]["records"][0]
    record["samples"] = 24
    [window] = read("xovis", json.dumps(body).encode())
    told = structs.replace(window, source=GATE, counter=GATE, line="1", seen=T0 + 61)
    state = states(live(gate(credit="window"), [told], 70))[-1]
    assert state.health == "suspect"
    assert "saw 40% of its window" in state.reason
    record["samples"] = 60
    [whole] = read("xovis", json.dumps(body).encode())
    fine = structs.replace(whole, source=GATE, counter=GATE, line="1", seen=T0 + 61)
    assert states(live(gate(credit="window"), [fine], 70))[-1].health == "good"


def test_health_clock_skew() -> None:
    one = gate(credit="window")
    told = live(one, [count("window", s, 1, at=s - 5_400) for s in range(60, 601, 60)], 610)
    state = states(told)[-1]
    assert (state.health, state.clock_skew_s, state.time_source, state.zones) == (
        "suspect",
        5_400.0,
        "shifted",
        ["hall"],
    )


def test_health_counter_reset() -> None:
    one = gate(credit="cumulative")
    told = live(one, [count("cumulative", 0, 900), count("cumulative", 60, 5)], 70)
    state = states(told)[-1]
    assert (state.health, state.zones) == ("suspect", ["hall"])
    assert "restarted from 900 to 5" in state.reason
    later = live(one, [count("cumulative", s, 5 + s // 60) for s in range(120, 1_201, 60)], 1_210)
    assert states(later)[-1].health == "good"

"""The pitfall list of the device formats, fourth line: who speaks, and of which line or zone. One test an item."""

import json

import pytest

from flowmon.errors import Undecodable
from flowmon.facts import Count, DeviceStatus, Fact, ZoneCount
from flowmon.findings import Rejected
from flowmon.monitor.core import Monitor
from sensors.dialects import DIALECTS, bodies
from sensors.dialects.port import Message
from tests.small import T0, run, tick, venue
from tests.typical import TYPICAL
from tests.unit.pitfalls import GATE, count, gate, live, raw, states, typical


def read(dialect: str, payload: bytes, device: str = "") -> list[Fact]:
    return DIALECTS[dialect].decode(Message(topic="t", payload=payload, seen=T0), device)


@pytest.mark.parametrize(
    "spelling", ["b8a44fa89c85", "B8A44FA89C85", "b8:a4:4f:a8:9c:85", "B8-A4-4F-A8-9C-85", "b8a4.4fa8.9c85"]
)
def test_identity_mac_spellings(spelling: str) -> None:
    assert bodies.mac(spelling) == "B8A44FA89C85"
    [retail] = read("axis", typical("axis", 1).replace(b"b8a44f000001", spelling.encode()))
    [alert] = read("hikvision", typical("hikvision").replace(b"84:9a:40:00:00:01", spelling.encode()))
    assert (retail.source, alert.source) == ("B8A44FA89C85", "B8A44FA89C85")


def test_identity_serial_missing_from_the_body() -> None:
    body = json.loads(typical("xovis"))
    del body["logics_data"]["sensor_info"]
    payload = json.dumps(body).encode()
    assert [fact.source for fact in read("xovis", payload, "door-3")] == ["door-3"]
    with pytest.raises(Undecodable, match="name the device on its route"):
        read("xovis", payload)


def test_identity_line_is_its_number_not_its_uuid_or_name() -> None:
    body = json.loads(typical("milesight"))
    body["line_periodic_data"] = [
        {"line": 1, "line_name": "Door", "line_uuid": "fb79", "total": {"in": 3, "out": 0}},
        {"line": 2, "line_name": "Door", "line_uuid": "fb79", "total": {"in": 5, "out": 0}},
    ]
    del body["line_total_data"]
    facts = [fact for fact in read("milesight", json.dumps(body).encode()) if isinstance(fact, Count)]
    assert [(fact.line, fact.forward) for fact in facts] == [("1", 3), ("2", 5)]


def test_identity_renamed_zone() -> None:
    """A zone of another name than the venue file's is refused by name, and its device is suspect."""
    body = json.loads(typical("xovis"))
    logic = body["logics_data"]["logics"][0]
    logic["records"][0]["counts"] = [{"id": 1, "name": "balance", "value": 3}]
    zones = []
    for name in ("Hall", "Große Halle"):
        logic["name"] = name
        [fact] = read("xovis", json.dumps(body).encode())
        assert isinstance(fact, ZoneCount)
        zones.append(fact)
    assert [fact.zone for fact in zones] == ["hall", "gro-e-halle"]
    monitor = Monitor(venue())
    run(monitor, [tick(0.0)])
    assert not [told for told in run(monitor, [zones[0]]) if isinstance(told, Rejected)]
    [refused] = [told for told in run(monitor, [zones[1]]) if isinstance(told, Rejected)]
    assert "'gro-e-halle'" in refused.reason


def test_identity_device_swapped_at_the_same_door() -> None:
    def status(seconds: float, serial: str) -> DeviceStatus:
        return DeviceStatus(at=T0 + seconds, seen=T0 + seconds, source=GATE, health="online", serial=serial)

    one = gate(credit="cumulative")
    values = [(0, 100), (60, 104), (120, 130), (180, 131)]
    facts: list[Fact] = [count("cumulative", seconds, value) for seconds, value in values]
    told = live(one, [*facts, status(1, "A"), status(70, "B")], 190)
    assert raw(one) == 5
    assert any("another device" in state.reason for state in states(told))


def test_identity_of_lorawan_is_the_eui_or_the_routes_name() -> None:
    facts = [fact for message in TYPICAL["lorawan-hkt"] for fact in DIALECTS["lorawan-hkt"].decode(message, "")]
    assert len({fact.source.lower() for fact in facts} - {"door"}) == 1
    named = [fact for message in TYPICAL["lorawan-hkt"] for fact in DIALECTS["lorawan-hkt"].decode(message, "d")]
    assert {fact.source for fact in named} == {"d"}

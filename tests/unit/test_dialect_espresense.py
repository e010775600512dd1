"""ESPresense: beacons are heard, telephones are not."""

import pytest

from flowmon.errors import Undecodable
from flowmon.facts import DeviceStatus, Fact, Sighting
from sensors.dialects import espresense
from sensors.dialects.port import Message, Unwanted

SEEN = 1_777_730_400.5
HEARD = (
    b'{"mac":"dd8812345678","id":"iBeacon:426c7565-4368-6172-6d42-6561636f6e73-3838-4949","rssi@1m":-59,'
    b'"rssi":-81.10,"rxAdj":0,"rssiVar":7.42,"distance":6.58,"var":4.00,"int":2028}'
)


def decode(topic: str, payload: bytes, device: str = "") -> list[Fact]:
    return espresense.decode(Message(topic=topic, payload=payload, seen=SEEN), device)


@pytest.mark.parametrize("beacon", ["iBeacon:426c-1-7", "eddy:aa-bb", "altBeacon:1", "irk:00ff", "known:0a1b"])
def test_a_beacon_is_a_sighting_when_the_gateway_got_it(beacon: str) -> None:
    assert decode(f"espresense/devices/{beacon}/salle-711", HEARD) == [
        Sighting(at=SEEN, seen=SEEN, source="salle-711", beacon=beacon, receiver="salle-711", rssi_dbm=-81.1)
    ]


@pytest.mark.parametrize("found", ["dd8812345678", "5f:22:11:00:ab:cd", "name:anna", "apple:1007:10-24", "phone:x", ""])
def test_passers_by_are_not_kept(found: str) -> None:
    with pytest.raises((Unwanted, Undecodable)):
        decode(f"espresense/devices/{found}/salle-711", HEARD)


@pytest.mark.parametrize("room", ["salle 711", "entrée", "Größe: 2", "$room", "+", "a" * 100])
def test_a_room_may_have_any_name(room: str) -> None:
    [fact] = decode(f"espresense/devices/iBeacon:426c-1-7/{room}", HEARD)
    assert isinstance(fact, Sighting)
    assert fact.receiver == fact.source == room


def test_the_smoothed_signal_strength_keeps_its_fraction() -> None:
    [fact] = decode("espresense/devices/iBeacon:426c-1-7/foyer", b'\xef\xbb\xbf{"rssi":-81.12,"rssi@1m":-59}')
    assert isinstance(fact, Sighting)
    assert fact.rssi_dbm == -81.12


def test_status_and_telemetry() -> None:
    assert decode("espresense/rooms/foyer/status", b"offline") == [
        DeviceStatus(at=SEEN, seen=SEEN, source="foyer", health="offline")
    ]
    assert decode("espresense/rooms/foyer/telemetry", b'{"ip":"10.0.0.7","uptime":77,"ver":"4.0.6"}') == [
        DeviceStatus(at=SEEN, seen=SEEN, source="foyer", health="online", firmware="4.0.6")
    ]


def test_the_boards_own_settings_say_nothing() -> None:
    assert decode("espresense/rooms/foyer/max_distance", b"16.00") == []
    assert decode("espresense/settings/irk:00ff/config", b"{}") == []


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("espresense/devices/iBeacon:1/foyer", b"{}"),
        ("espresense/devices/iBeacon:1/foyer", b'{"rssi":"-81"}'),
        ("espresense/devices/iBeacon:1/foyer", b'{"rssi":-8100}'),
        ("espresense/devices/iBeacon:1/foyer", b'{"rssi":127}'),
        ("espresense/devices/iBeacon:1/foyer", b'{"rssi":NaN}'),
        ("espresense/devices/iBeacon:1/" + "a" * 101, HEARD),
        ("espresense/devices/iBeacon:1/foyer", b"[]"),
        ("espresense/devices/iBeacon:1/foyer", b""),
        ("espresense/devices/iBeacon:1", HEARD),
        ("espresense/rooms/foyer/status", b"maybe"),
        ("espresense/rooms/foyer/telemetry", b"3"),
        ("somewhere/else", HEARD),
    ],
)
def test_bad_input_is_refused(topic: str, payload: bytes) -> None:
    with pytest.raises(Undecodable):
        decode(topic, payload)


def test_a_fault_cannot_be_told() -> None:
    with pytest.raises(ValueError, match="ESPresense"):
        espresense.encode([DeviceStatus(at=1.0, source="r", health="fault")], venue="small", device="r")

"""ESP32-Paxcounter over LoRaWAN: how many telephones are near.

Source: TheThingsNetwork/lorawan-devices vendor/opensource/esp32-paxcounter-packed.js, cyberman54/ESP32-Paxcounter
(Apache-2.0), payload format "packed". Little endian. Port 1: u16 Wi-Fi, then u16 Bluetooth where scanned; with a dust
sensor 8 bytes, with positions 10, 12, 15 or 17. Port 2, 20 bytes: u16 mV, u64 uptime, i8 temperature, u32 memory, u8
reset reason, u32 restarts. Port 3: settings, and the version as text. Ports 4 to 9: position, button, climate,
battery, time.

States: devices seen -> ZoneCount of the device (Wi-Fi and Bluetooth together). Status, version -> DeviceStatus.

Pitfalls:
* Devices are no people, a telephone may be seen by Wi-Fi and by Bluetooth, and scanned for minutes: a rough state.
* It is no flow: nothing of it may be added up.
* Two or four bytes are anybody's: only the port says whose, so it must be right.
* Positions are not read.
"""

from collections.abc import Sequence

from flowmon.errors import Undecodable
from flowmon.facts import DeviceStatus, Fact, ZoneCount
from sensors.dialects import lorawan
from sensors.dialects.lorawan import Told
from sensors.dialects.lorawan_envelopes import Uplink
from sensors.dialects.port import Family, Message, Outgoing

FAMILY = Family(
    name="ESP32-Paxcounter",
    transports=("LoRaWAN",),
    kinds=("zone_count", "device_status"),
    privacy="numbers of telephones, never their addresses; positions are dropped",
    tested="payload format packed",
    source="cyberman54/ESP32-Paxcounter; TheThingsNetwork/lorawan-devices vendor/opensource",
)

_COUNTS, _STATUS, _SETTINGS = 1, 2, 3
#: Length of a payload of counts -> where the numbers of devices stand.
_PLACES = {2: (0,), 4: (0, 2), 8: (0, 2), 10: (8,), 12: (8, 10), 15: (0,), 17: (0, 2)}
_MICRODEGREES = {10: 0, 12: 0, 15: 2, 17: 4}
#: Port -> lengths of what says nothing of devices or people.
_OTHERS = {4: {8, 13}, 5: {1}, 7: {8}, 8: {2}, 9: {1, 5}}


def decode(message: Message, device: str) -> list[Fact]:
    """See the port."""
    return lorawan.facts(message, device, _read)


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
    """See the port: one uplink a fact, all devices as seen by Wi-Fi."""
    return lorawan.encode_each(facts, _payload_of, venue=venue, device=device)


def _read(uplink: Uplink, told: Told) -> list[Fact]:
    payload, port = uplink.payload, uplink.f_port
    if port == _COUNTS and len(payload) in _PLACES and _is_on_earth(payload):
        told = lorawan.named(told)
        seen = sum(int.from_bytes(payload[place : place + 2], "little") for place in _PLACES[len(payload)])
        return [ZoneCount(zone=told["source"], people=seen, **told)]
    if port == _STATUS and len(payload) == 20:
        return [DeviceStatus(health="online", **lorawan.named(told))]
    if port == _SETTINGS and len(payload) == 20:
        version = payload[10:].split(b"\0")[0].decode("ascii", errors="ignore")
        return [DeviceStatus(health="online", firmware=version if version.isprintable() else "", **lorawan.named(told))]
    if len(payload) in _OTHERS.get(port, ()):
        return []
    raise Undecodable("lorawan-paxcounter: neither counts on port 1 nor state on port 2 or 3")


def _is_on_earth(payload: bytes) -> bool:
    """Whether the position in a payload, where it has one, is one (in 8 bytes: whether so much dust is possible).

    Degrees in millionths, dilution of precision in hundredths, dust in tenths of µg/m³.
    """
    if len(payload) == 8:
        return max(int.from_bytes(payload[place : place + 2], "little") for place in (4, 6)) <= 10_000
    place = _MICRODEGREES.get(len(payload), -1)
    if place < 0:
        return True
    latitude, longitude = (int.from_bytes(payload[at : at + 4], "little", signed=True) for at in (place, place + 4))
    dilution = int.from_bytes(payload[place + 9 : place + 11], "little") if len(payload) > 12 else 0
    return abs(latitude) <= 90_000_000 and abs(longitude) <= 180_000_000 and dilution <= 10_000


def _payload_of(fact: Fact) -> tuple[int, bytes]:
    match fact:
        case ZoneCount(historical=False) if fact.zone == fact.source:
            return _COUNTS, lorawan.whole(fact.people, 2, "little")
        case DeviceStatus(health="online", reason="", firmware="", battery=None, historical=False):
            return _STATUS, bytes(20)
        case _:
            raise ValueError(f"a Paxcounter cannot tell {fact!r:.200}")

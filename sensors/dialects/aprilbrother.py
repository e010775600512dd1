"""April Brother BLE gateways (AB BLE Gateway V4): MessagePack over MQTT or HTTP, JSON by option.

Source: AprilBrother/wiki.aprbrother User_Guide_For_AB_BLE_Gateway_V4, AprilBrother/ab-ble-gateway-sdk.
A map `{v: firmware, mid: number, time: seconds since it started, ip, mac, devices: [bytes, …]}`, each of the bytes
advertising type (1), address (6), RSSI + 256 (1), AD structures. JSON has `devices` of `[type, mac, rssi, hex]`, or
of the bytes in hex.
The topic is free (`gateway` by default); the receiver is the route's device, or `mac` as it spells it.

Count kinds: none. Yields Sighting, and DeviceStatus from a message without a beacon (the gateway's heartbeat).

Pitfalls:
* There is no time of day in it (`time` is since it started): `at` is when it was got here.
* The RSSI byte is 256 too high; 127 says that there was none.
* Gateways before V4 write the adverts as MessagePack text that is no UTF-8: refused, not guessed at.
"""

from collections.abc import Sequence

import msgspec

from flowmon.errors import Undecodable
from flowmon.facts import DeviceStatus, Fact, Sighting
from sensors.dialects import advertisements, bodies, hearing
from sensors.dialects.port import Family, Message, Outgoing, Unwanted

FAMILY = Family(
    name="April Brother BLE gateways (V4)",
    transports=("MQTT", "HTTP"),
    kinds=("sighting", "device_status"),
    privacy="addresses and advertisements of telephones nearby; the gateway's SIM card number",
    tested="user guide up to firmware 1.5.15",
    source="AprilBrother/wiki.aprbrother User_Guide_For_AB_BLE_Gateway_V4",
)
#: Advertising types 0..4 of the guide; 5 and more are not defined.
_HEAD = 8


def decode(message: Message, device: str) -> list[Fact]:
    """See the port."""
    body = _body(message.payload)
    if "devices" not in body or not {"mac", "mid"} & body.keys():
        raise Undecodable("aprilbrother: no devices, or neither mac nor mid, in the message")
    receiver = bodies.name(device or body.get("mac"), "gateway mac")
    simulated = body.get("simulated") is True
    items = bodies.rows(body["devices"], "devices")
    sightings = hearing.heard_if_any(items, lambda item: _sighting(message, item, receiver, simulated))
    version = body.get("v")
    status = DeviceStatus(
        at=message.seen,
        source=receiver,
        seen=message.seen,
        simulated=simulated,
        health="online",
        firmware=bodies.name(version, "v") if version else "",
    )
    return sightings or [status]


def _body(payload: bytes) -> dict[str, object]:
    if payload.lstrip().startswith((b"{", b"\xef\xbb\xbf")):
        return bodies.table(bodies.document(payload), "message")
    try:
        return bodies.table(msgspec.msgpack.decode(payload), "message")
    except (msgspec.MsgspecError, ValueError) as error:
        raise Undecodable(f"neither MessagePack nor JSON: {error}") from None
    except RecursionError:
        raise Undecodable("not MessagePack: nested too deeply") from None


def _sighting(message: Message, item: object, receiver: str, simulated: bool) -> Sighting:
    advert, rssi = _frame(item)
    return hearing.sighting(
        message,
        at=message.seen,
        receiver=receiver,
        beacon=advertisements.beacon(advert),
        rssi=rssi,
        simulated=simulated,
    )


def _frame(item: object) -> tuple[bytes, object]:
    """The AD structures and the signal strength of one of `devices`."""
    if isinstance(item, list):
        if len(item) < 4:
            raise Undecodable("aprilbrother: an advert in JSON is not [type, mac, rssi, data]")
        return hearing.octets(item[3], "data"), item[2]
    frame = item if isinstance(item, bytes) else hearing.octets(item, "advert")
    if len(frame) < _HEAD:
        raise Undecodable("aprilbrother: an advert is shorter than its type, address and RSSI")
    if frame[7] < 128:
        raise Unwanted("advertisement: heard without a signal strength (127); not kept")
    return frame[_HEAD:], frame[7] - 256


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
    """See the port: MessagePack, one fact a message, on `aprilbrother/<device>`. Signal strengths are below 0."""
    return [_outgoing(fact, venue, device, number) for number, fact in enumerate(facts)]


def _outgoing(fact: Fact, venue: str, device: str, number: int) -> Outgoing:
    hearing.own(fact, venue=venue, device=device)
    match fact:
        case Sighting():
            rssi = hearing.whole(fact)
            if rssi >= 0:
                raise ValueError(f"rssi {rssi} is not below 0, and its byte could not say so")
            devices = [bytes((3, 0, 0, 0, 0, 0, 0, rssi + 256)) + advertisements.packet(hearing.sent_as(fact))]
            version = ""
        case DeviceStatus(health="online"):
            devices, version = [], fact.firmware
        case _:
            raise ValueError(f"an April Brother gateway tells no {type(fact).__name__} of this kind")
    body: dict[str, object] = {"v": version, "mid": number, "time": 0, "ip": "", "mac": device, "devices": devices}
    return f"aprilbrother/{device}", msgspec.msgpack.encode(body | hearing.mark(fact)), False

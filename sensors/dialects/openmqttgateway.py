"""OpenMQTTGateway and Theengs Gateway (ESP32 boards, or a computer, that decode Bluetooth adverts to JSON).

Source: OpenMQTTGateway docs/use/ble.md, Theengs Gateway docs/use/use.md.
`home/<gateway>/BTtoMQTT/<MAC or UUID>` `{"id":"58:78:…","rssi":-79,"uuid":"1de4…","major":0,"minor":0,…}`;
`home/presence/<gateway>` and `home/home_presence/<gateway>` with the same again, for Home Assistant;
`home/<gateway>/LWT` `online` or `offline`; `home/<gateway>/SYStoMQTT` `{"version":"1.8.1",…}`.
The receiver is the topic's gateway. Route `home/+/BTtoMQTT/#` and `home/+/LWT`.

Count kinds: none. Yields Sighting and DeviceStatus.

Pitfalls:
* There is no time in it: `at` is when the gateway of flowmon got it.
* One beacon comes under many addresses, and `id` is a UUID in presence mode: only uuid, major and minor name it.
* Not decoded by the gateway (topic `…/BTtoMQTT/undecoded`): `manufacturerdata` (with company id) or `servicedata` are
  read as adverts here.
* Theengs spells the last byte of an iBeacon `volt` at times: it is not read.
* Older decoders take any 25 bytes of Apple's for an iBeacon (a telephone's, say): where the raw data is sent beside the
  decoded, it alone is read.
* Older builds send numbers as text. The docs themselves warn that collecting addresses may be against the law.
"""

from collections.abc import Sequence

import msgspec

from flowmon.errors import Undecodable
from flowmon.facts import DeviceHealth, DeviceStatus, Fact, Sighting
from sensors.dialects import advertisements, bodies, hearing
from sensors.dialects.port import Family, Message, Outgoing

FAMILY = Family(
    name="OpenMQTTGateway and Theengs Gateway",
    transports=("MQTT",),
    kinds=("sighting", "device_status"),
    privacy="addresses, names and advertisements of telephones nearby",
    tested="messages as documented",
    source="OpenMQTTGateway docs/use/ble.md, Theengs Gateway docs/use/use.md",
)
_HEALTH: dict[bytes, DeviceHealth] = {b"online": "online", b"offline": "offline"}
#: What a beacon's address is here: nobody's business.
_NO_ADDRESS = "00:00:00:00:00:00"


def decode(message: Message, device: str) -> list[Fact]:
    """See the port. A device name that is only the topic's last level (a `+` there) is not the receiver's."""
    match message.topic.split("/"):
        case [*_, gateway, "BTtoMQTT", last] if gateway and last:
            receiver = device if device and device != last else gateway
            return [_sighting(message, receiver)]
        case [*_, "home_presence" | "presence", gateway] if gateway:
            return [_sighting(message, device or gateway)]
        case [*_, gateway, "LWT"] if gateway:
            health = _HEALTH.get(message.payload.strip())
            if health is None:
                raise Undecodable("openmqttgateway: LWT is neither online nor offline")
            return [_status(message, device or gateway, health)]
        case [*_, gateway, "SYStoMQTT"] if gateway:
            return [_system(message, device or gateway)]
        case [*_, _, "BTtoMQTT"]:
            bodies.table(bodies.document(message.payload), "settings")
            return []  # the gateway's own settings, echoed
        case _:
            raise Undecodable("topic is not …/<gateway>/BTtoMQTT/<id>, …/LWT or …/SYStoMQTT")


def _sighting(message: Message, receiver: str) -> Fact:
    body = bodies.table(bodies.document(message.payload), "advert")
    beacon = _beacon(body)
    return hearing.sighting(
        message,
        at=message.seen,
        receiver=receiver,
        beacon=beacon,
        rssi=body.get("rssi"),
        simulated=body.get("simulated") is True,
    )


def _beacon(body: dict[str, object]) -> str:
    if "uuid" in body and "manufacturerdata" not in body:
        major, minor = (hearing.u16(body.get(name), name) for name in ("major", "minor"))
        return advertisements.ibeacon(bodies.name(body["uuid"], "uuid"), major, minor)
    advert = b""
    if "manufacturerdata" in body:
        data = hearing.octets(body["manufacturerdata"], "manufacturerdata")
        advert += advertisements.structure(advertisements.MANUFACTURER, data)
    if "servicedata" in body and str(body.get("servicedatauuid", ""))[:36].lower() in {"0xfeaa", "feaa"}:
        data = advertisements.EDDYSTONE + hearing.octets(body["servicedata"], "servicedata")
        advert += advertisements.structure(advertisements.SERVICE_DATA_16, data)
    return advertisements.beacon(advert)


def _system(message: Message, receiver: str) -> DeviceStatus:
    body = bodies.table(bodies.document(message.payload), "SYStoMQTT")
    version = body.get("version")
    firmware = bodies.name(version, "version") if version else ""
    return _status(message, receiver, "online", firmware, simulated=body.get("simulated") is True)


def _status(
    message: Message, receiver: str, health: DeviceHealth, firmware: str = "", *, simulated: bool = False
) -> DeviceStatus:
    source = bodies.name(receiver, "gateway")
    return DeviceStatus(
        at=message.seen, source=source, seen=message.seen, simulated=simulated, health=health, firmware=firmware
    )


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
    """See the port. The topics have no venue in them: `device` must be unique on the broker."""
    return [_outgoing(fact, venue, device) for fact in facts]


def _outgoing(fact: Fact, venue: str, device: str) -> Outgoing:
    hearing.own(fact, venue=venue, device=device)
    match fact:
        case Sighting():
            body = _advert(hearing.sent_as(fact)) | {"rssi": hearing.whole(fact)} | hearing.mark(fact)
            last = str(body["id"]).replace(":", "")
            return f"home/{device}/BTtoMQTT/{last}", msgspec.json.encode(body), False
        case DeviceStatus(health="online") if fact.firmware or fact.simulated:
            body = {"version": fact.firmware} | hearing.mark(fact)
            return f"home/{device}/SYStoMQTT", msgspec.json.encode(body), False
        case DeviceStatus(health="online" | "offline"):
            return f"home/{device}/LWT", fact.health.encode(), True
        case _:
            raise ValueError(f"OpenMQTTGateway tells no {type(fact).__name__} of this kind")


def _advert(beacon: str) -> dict[str, object]:
    if beacon.lower().startswith("ibeacon:"):
        uuid, major, minor = advertisements.parts(beacon)
        return {"id": uuid, "uuid": uuid, "major": major, "minor": minor}
    kind, data = advertisements.frame(beacon)
    if kind == advertisements.MANUFACTURER:
        return {"id": _NO_ADDRESS, "manufacturerdata": data.hex()}
    return {"id": _NO_ADDRESS, "servicedatauuid": "0xfeaa", "servicedata": data[2:].hex()}

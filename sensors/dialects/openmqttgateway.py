"""OpenMQTTGateway and Theengs Gateway (ESP32 boards, or a computer, that decode Bluetooth adverts to JSON).

Source: OpenMQTTGateway docs/use/ble.md, Theengs Gateway docs/use/use.md.
`home/<gateway>/BTtoMQTT/<MAC or UUID>` `{"id":"58:78:…","rssi":-79,"uuid":"1de4…","major":0,"minor":0,…}`;
`home/<gateway>/LWT` `online` or `offline`; `home/<gateway>/SYStoMQTT` `{"version":"1.8.1",…}`.
The receiver is the topic's gateway. Route `home/+/BTtoMQTT/#` and `home/+/LWT`.

Count kinds: none. Yields Sighting and DeviceStatus.

Pitfalls:
* There is no time in it: `at` is when the gateway of flowmon got it.
* One beacon comes under many addresses, and `id` is a UUID in presence mode: only uuid, major and minor name it.
* Not decoded by the gateway: `manufacturerdata` (with company id) or `servicedata` are read as adverts here.
* Theengs spells the last byte of an iBeacon `volt` at times: it is not read.
* Older builds send numbers as text. The docs themselves warn that collecting addresses may be against the law.
"""

from collections.abc import Sequence

from flowmon.errors import Undecodable
from flowmon.facts import DeviceHealth, DeviceStatus, Fact
from sensors.dialects import advertisements, bodies, hearing
from sensors.dialects.port import Family, Message, Outgoing

FAMILY = Family(
    name="OpenMQTTGateway and Theengs Gateway",
    transports=("MQTT",),
    kinds=("sighting", "device_status"),
    privacy="addresses, names and advertisements of telephones nearby",
    tested="OpenMQTTGateway 1.8.1",
    source="OpenMQTTGateway docs/use/ble.md, Theengs Gateway docs/use/use.md",
)
_HEALTH: dict[bytes, DeviceHealth] = {b"online": "online", b"offline": "offline"}


def decode(message: Message, device: str) -> list[Fact]:
    """See the port. A device name that is only the topic's last level (a `+` there) is not the receiver's."""
    match message.topic.split("/"):
        case [*_, gateway, "BTtoMQTT", last] if gateway and last:
            receiver = device if device and device != last else gateway
            return [_sighting(message, receiver)]
        case [*_, gateway, "LWT"] if gateway:
            health = _HEALTH.get(message.payload.strip().lower())
            if health is None:
                raise Undecodable("openmqttgateway: LWT is neither online nor offline")
            return [_status(message, device or gateway, health)]
        case [*_, gateway, "SYStoMQTT"] if gateway:
            body = bodies.table(bodies.document(message.payload), "SYStoMQTT")
            version = body.get("version")
            firmware = bodies.name(version, "version") if version else ""
            return [_status(message, device or gateway, "online", firmware)]
        case [*_, _, "BTtoMQTT"]:
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
    if "uuid" in body:
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


def _status(message: Message, receiver: str, health: DeviceHealth, firmware: str = "") -> DeviceStatus:
    source = bodies.name(receiver, "gateway")
    return DeviceStatus(at=message.seen, source=source, seen=message.seen, health=health, firmware=firmware)


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:  # noqa: ARG001 - the port
    """Not spoken by the simulator yet. Raises ValueError."""
    raise ValueError(f"openmqttgateway is only read so far, {device} of {venue} cannot speak it")

"""LoRaWAN uplinks as network servers put them on MQTT: whose, which port, which bytes, when. No dialect itself.

Sources: The Things Stack docs (data-formats), ChirpStack 4 and 3 docs (integrations, events), Actility ThingPark
(DevEUI_uplink). The codec of the payload is the dialect a route names: `lorawan-milesight`, `lorawan-terabee`, …
Routes: `v3/+/devices/+/up`, `application/+/device/+/event/up`, or one device each.

Pitfalls:
* Empty fields are left out by The Things Stack and ChirpStack 4: no `f_cnt` means 0, no `f_port` no data for us.
* ChirpStack 3 spells the EUI in base64 in one of its formats. An EUI is told here in small hex digits.
* `at` is when the network heard it; a device with a clock of its own says so in its payload.
* The Things Stack says `simulated` for an uplink typed into its console: facts are marked then.
* The Things Stack publishes with QoS 0: what is sent while nobody listens is lost, so cumulative registers are
  preferred by every codec here, and periods (what came since the last uplink) are not credited.
"""

import base64
import re
from typing import Any

from msgspec import Struct

from flowmon.errors import Undecodable
from sensors.dialects import bodies, hearing
from sensors.dialects.port import Message

_EUI = re.compile(r"[0-9a-f]{16}")
#: The longest payload LoRaWAN can carry.
PAYLOAD_MAX = 242

Body = dict[str, object]


class Uplink(Struct, frozen=True):
    """One uplink. dev_eui: 16 small hex digits. f_cnt: the device's frame counter. at: network time, seconds UTC."""

    dev_eui: str
    f_port: int
    payload: bytes
    f_cnt: int
    at: float
    simulated: bool = False

    def told(self, message: Message, device: str) -> dict[str, Any]:
        """What every fact of this uplink says of itself; device is the route's, "" for the EUI."""
        source = bodies.name(device or self.dev_eui, "device")
        return {
            "at": self.at,
            "source": source,
            "seen": message.seen,
            "seq": self.f_cnt,
            "simulated": self.simulated,
        }


def uplink(message: Message) -> Uplink | None:
    """The uplink in a message; None when it carries no application data (joins, acknowledgements, MAC commands).

    Raises Undecodable.
    """
    body = bodies.table(bodies.document(message.payload), "uplink")
    if "end_device_ids" in body:
        return _things_stack(body, message.seen)
    if "DevEUI_uplink" in body:
        return _actility(bodies.table(body["DevEUI_uplink"], "DevEUI_uplink"), message.seen)
    if "deviceInfo" in body or "devEUI" in body:
        return _chirpstack(body, message.seen)
    raise Undecodable("lorawan: no uplink of The Things Stack, ChirpStack or Actility")


def _things_stack(body: Body, seen: float) -> Uplink | None:
    if "uplink_message" not in body:
        return None
    inner = bodies.table(body["uplink_message"], "uplink_message")
    ids = bodies.table(body["end_device_ids"], "end_device_ids")
    received = inner.get("received_at", body.get("received_at"))
    return _uplink(
        eui=_eui(ids.get("dev_eui")),
        port=inner.get("f_port", 0),
        counter=inner.get("f_cnt", 0),
        payload=_base64(inner.get("frm_payload", ""), "frm_payload"),
        at=seen if received is None else bodies.instant(received, "received_at"),
        simulated=body.get("simulated") is True or inner.get("simulated") is True,
    )


def _chirpstack(body: Body, seen: float) -> Uplink | None:
    info = bodies.table(body.get("deviceInfo", body), "deviceInfo")
    eui = _eui(info.get("devEui", info.get("devEUI")))
    time = body.get("time", body.get("publishedAt"))
    return _uplink(
        eui=eui,
        port=body.get("fPort", 0),
        counter=body.get("fCnt", 0),
        payload=_base64(body.get("data") or "", "data"),
        at=seen if time is None else bodies.instant(time, "time"),
        simulated=body.get("simulated") is True,
    )


def _actility(body: Body, seen: float) -> Uplink | None:
    return _uplink(
        eui=_eui(body.get("DevEUI")),
        port=body.get("FPort", 0),
        counter=body.get("FCntUp", 0),
        payload=hearing.octets(body.get("payload_hex", ""), "payload_hex"),
        at=bodies.instant(body["Time"], "Time") if "Time" in body else seen,
        simulated=body.get("simulated") is True,
    )


def _uplink(*, eui: str, port: object, counter: object, payload: bytes, at: float, simulated: bool) -> Uplink | None:
    f_port, f_cnt = hearing.u16(port, "f_port"), bodies.people(hearing.numeral(counter), "f_cnt")
    if f_port == 0 or not payload:
        return None
    if f_port > 255:
        raise Undecodable("f_port is out of 1..255")
    if len(payload) > PAYLOAD_MAX:
        raise Undecodable(f"lorawan: more than {PAYLOAD_MAX} bytes of payload")
    return Uplink(dev_eui=eui, f_port=f_port, payload=payload, f_cnt=f_cnt, at=at, simulated=simulated)


def _eui(value: object) -> str:
    text = bodies.name(value, "device EUI")
    digits = text.replace("-", "").replace(":", "").lower()
    if not _EUI.fullmatch(digits):
        digits = _base64(text, "device EUI").hex()
    if not _EUI.fullmatch(digits):
        raise Undecodable("device EUI is not 16 hex digits")
    return digits


def _base64(value: object, what: str) -> bytes:
    if not isinstance(value, str) or len(value) > 4096:
        raise Undecodable(f"{what} is not base64 text")
    try:
        return base64.b64decode(value, validate=True)
    except ValueError:
        raise Undecodable(f"{what} is not base64 text") from None

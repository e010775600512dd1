"""LoRaWAN uplinks as network servers put them on MQTT or HTTP: whose, which port, which bytes, when. No dialect itself.

Sources: The Things Stack docs (data formats, storage integration), ChirpStack 4 and 3 docs (integrations, events),
Actility ThingPark (DevEUI_uplink). What comes without a network's envelope is read in lorawan_bare.py.

Pitfalls:
* Empty fields are left out by The Things Stack and ChirpStack 4: no `f_cnt` means 0, no `f_port` an unknown port.
* ChirpStack 3 spells the EUI in base64 in one of its formats. An EUI is told here in small hex digits.
* `at` is when the network heard it; a device with a clock of its own says so in its payload.
* The Things Stack says `simulated` for an uplink typed into its console: never counted, so not kept. Only the
  simulator's own uplinks, which name it among their correlation ids, become facts, marked simulated.
* `uplink_normalized`, `location_solved`, joins and downlink reports are no uplinks: they say nothing.
* `{"result": …}` is an uplink from the network's storage, told again long after: historical.
"""

import base64
import re

from msgspec import Struct

from flowmon.errors import Undecodable
from sensors.dialects import bodies, hearing
from sensors.dialects.port import Unwanted

_EUI = re.compile(r"[0-9a-f]{16}")
#: The longest payload LoRaWAN can carry.
PAYLOAD_MAX = 242
#: The correlation id of an uplink that our own simulator made.
SIMULATOR = "flowmon:simulator"

Body = dict[str, object]


class Uplink(Struct, frozen=True):
    """One uplink. device: the EUI as 16 small hex digits, another name, or "" when the message names none.

    f_port: 0 when not told; a hint only, since integrations send dummy ports. f_cnt: the device's frame counter,
    -1 when not told. at: network time, seconds UTC. historical: told again from a memory, long after.
    """

    device: str
    f_port: int
    payload: bytes
    f_cnt: int
    at: float
    simulated: bool = False
    historical: bool = False


def of_network(body: Body, seen: float) -> Uplink | None:
    """The uplink in an envelope of a network server; None when it carries no application data.

    Raises Undecodable.
    """
    if "end_device_ids" in body:
        return _things_stack(body, seen)
    if isinstance(body.get("result"), dict):
        return _things_stack(bodies.table(body["result"], "result"), seen, historical=True)
    if "DevEUI_uplink" in body:
        return _actility(bodies.table(body["DevEUI_uplink"], "DevEUI_uplink"), seen)
    return _chirpstack(body, seen)


def is_of_network(body: Body) -> bool:
    """Whether a message is in an envelope of The Things Stack, ChirpStack 3 or 4, or Actility, of whatever event."""
    stored = body.get("result")
    is_stored = isinstance(stored, dict) and "end_device_ids" in stored
    is_chirpstack = "deviceInfo" in body or (
        "devEUI" in body and bool({"applicationID", "rxInfo", "data"} & body.keys())
    )
    return "end_device_ids" in body or is_stored or "DevEUI_uplink" in body or is_chirpstack


def _things_stack(body: Body, seen: float, *, historical: bool = False) -> Uplink | None:
    if "uplink_message" not in body:
        return None
    inner = bodies.table(body["uplink_message"], "uplink_message")
    ids = bodies.table(body.get("end_device_ids"), "end_device_ids")
    simulated = body.get("simulated") is True or inner.get("simulated") is True
    if simulated and SIMULATOR not in bodies.rows(body.get("correlation_ids", []), "correlation_ids"):
        raise Unwanted("lorawan: an uplink typed into the network's console is not counted")
    received = inner.get("received_at", body.get("received_at"))
    return made(
        device=eui(ids["dev_eui"]) if "dev_eui" in ids else bodies.name(ids.get("device_id"), "device_id"),
        port=inner.get("f_port", 0),
        counter=inner.get("f_cnt", 0),
        payload=base64_bytes(inner.get("frm_payload", ""), "frm_payload"),
        at=seen if received is None else bodies.instant(received, "received_at"),
        simulated=simulated,
        historical=historical,
    )


def _chirpstack(body: Body, seen: float) -> Uplink | None:
    info = bodies.table(body.get("deviceInfo", body), "deviceInfo")
    time = body.get("time") or body.get("publishedAt") or _heard(body)
    return made(
        device=eui(info.get("devEui", info.get("devEUI"))),
        port=body.get("fPort", 0),
        counter=body.get("fCnt", 0),
        payload=base64_bytes(body.get("data") or "", "data"),
        at=seen if time is None else bodies.instant(time, "time"),
        simulated=body.get("simulated") is True,
    )


def _heard(body: Body) -> object:
    """The time of the first gateway that has one (ChirpStack 3 has no other)."""
    received = body.get("rxInfo")
    heard = received if isinstance(received, list) else []
    return next((item["time"] for item in heard if isinstance(item, dict) and item.get("time")), None)


def _actility(body: Body, seen: float) -> Uplink | None:
    return made(
        device=eui(body.get("DevEUI")),
        port=body.get("FPort", 0),
        counter=body.get("FCntUp", 0),
        payload=hearing.octets(body.get("payload_hex", ""), "payload_hex"),
        at=bodies.instant(body["Time"], "Time") if "Time" in body else seen,
        simulated=body.get("simulated") is True,
    )


def made(
    *,
    device: str,
    port: object,
    counter: object,
    payload: bytes,
    at: float,
    simulated: bool = False,
    historical: bool = False,
) -> Uplink | None:
    """An uplink of checked parts; None when it has no bytes. counter: -1 when not told. Raises Undecodable."""
    f_port = hearing.u16(port, "f_port")
    f_cnt = -1 if counter == -1 else bodies.people(hearing.numeral(counter), "f_cnt")
    if f_port > 255:
        raise Undecodable("f_port is out of 1..255")
    if not payload:
        return None
    if len(payload) > PAYLOAD_MAX:
        raise Undecodable(f"lorawan: more than {PAYLOAD_MAX} bytes of payload")
    return Uplink(device, f_port, payload, f_cnt, at, simulated, historical)


def eui(value: object) -> str:
    """A device EUI, spelt with or without separators or in base64, as 16 small hex digits. Raises Undecodable."""
    text = bodies.name(value, "device EUI")
    digits = re.sub(r"[-:. ]", "", text).lower()
    if not _EUI.fullmatch(digits):
        digits = base64_bytes(text, "device EUI").hex()
    if not _EUI.fullmatch(digits):
        raise Undecodable("device EUI is not 16 hex digits")
    return digits


def base64_bytes(value: object, what: str) -> bytes:
    """Base64 text as bytes. Raises Undecodable naming `what`."""
    if not isinstance(value, str) or len(value) > 4096:
        raise Undecodable(f"{what} is not base64 text")
    try:
        return base64.b64decode(value, validate=True)
    except ValueError:
        raise Undecodable(f"{what} is not base64 text") from None

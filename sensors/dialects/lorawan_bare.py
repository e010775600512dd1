"""Codec payloads without a network's envelope, as codec tests, integrations and NB-IoT platforms pass them on.

Forms: `{"port": 1, "payloadHex": "05CC02000100"}` with the spellings below, alone or as the `input` of a codec test;
`{"reports": [{"serialNumber": "IMEI:…", "timestamp": ms, "value": "0204…"}]}` of an NB-IoT platform; and the bytes
themselves over HTTP as application/octet-stream.

Pitfalls:
* The port may be missing or a dummy (0, 1, 100): a hint at most.
* Nothing may say whose it is: then the route must.
* A frame counter is rarely told, so a message told again at another time cannot be known again.
* Text that is both hex and base64 is hex, unless its field is one that is always base64.
"""

import msgspec

from flowmon.errors import Undecodable
from sensors.dialects import bodies, hearing
from sensors.dialects.lorawan_envelopes import PAYLOAD_MAX, Body, Uplink, base64_bytes, eui, made

_PORTS = ("fPort", "f_port", "fport", "FPort", "port")
_COUNTERS = ("fCnt", "f_cnt", "fcnt", "FCntUp")
_TIMES = ("time", "received_at", "receivedAt", "reported_at", "timestamp", "ts", "Time")
_EUIS = ("devEui", "devEUI", "dev_eui", "DevEUI", "deviceEui", "EUI")
_NAMES = ("deviceId", "device_id", "device", "serialNumber", "uid")
_HEX = ("payloadHex", "payload_hex", "payloadhex", "hex")
_BASE64 = ("frmPayload", "frm_payload", "payload_raw", "payloadBase64", "base64")
_EITHER = ("payload", "bytes", "data")
#: Most reports in one message of an NB-IoT platform.
_REPORTS_MAX = 1000


def is_bare(body: Body) -> bool:
    """Whether a message looks like one of the forms: bytes under a known name, and `data` only beside a port."""
    if isinstance(body.get("input"), dict) or _is_platform(body):
        return True
    has_port = any(name in body for name in _PORTS)
    return any(name in body for name in (*_HEX, *_BASE64, "payload", "bytes")) or ("data" in body and has_port)


def _is_platform(body: Body) -> bool:
    reports = body.get("reports")
    has_values = isinstance(reports, list) and any(isinstance(item, dict) and "value" in item for item in reports)
    return has_values or (reports == [] and "registrations" in body)


def of_bare(body: Body, seen: float) -> list[Uplink]:
    """The uplinks in a message without envelope. Raises Undecodable."""
    if "reports" in body:
        reports = bodies.rows(body["reports"], "reports")
        if len(reports) > _REPORTS_MAX:
            raise Undecodable(f"lorawan: more than {_REPORTS_MAX} reports in one message")
        found = [_report(bodies.table(report, "report"), seen) for report in reports]
    else:
        inner = body.get("input")
        found = [_uplink(inner if isinstance(inner, dict) else body, seen)]
    return [uplink for uplink in found if uplink is not None]


def _uplink(body: Body, seen: float) -> Uplink | None:
    time = _first(body, _TIMES)
    return made(
        device=_device(body),
        port=_first(body, _PORTS) or 0,
        counter=_known(_first(body, _COUNTERS)),
        payload=_payload(body),
        at=seen if time is None else bodies.instant(hearing.numeral(time), "time"),
        simulated=body.get("simulated") is True,
    )


def _report(report: Body, seen: float) -> Uplink | None:
    time = report.get("timestamp")
    return made(
        device=bodies.name(report["serialNumber"], "serialNumber") if "serialNumber" in report else "",
        port=0,
        counter=-1,
        payload=_either(report.get("value"), "value"),
        at=seen if time is None else bodies.instant(time, "timestamp"),
    )


def _device(body: Body) -> str:
    if (known := _first(body, _EUIS)) is not None:
        return eui(known)
    named = _first(body, _NAMES)
    return "" if named is None else bodies.name(named, "device")


def _payload(body: Body) -> bytes:
    for name in _HEX:
        if name in body:
            return hearing.octets(body[name], name)
    for name in _BASE64:
        if name in body:
            return base64_bytes(body[name], name)
    for name in _EITHER:
        if name in body:
            return _either(body[name], name)
    raise Undecodable("lorawan: no payload in the message")


def _either(value: object, what: str) -> bytes:
    if isinstance(value, list):
        return _numbers(value, what)
    try:
        return hearing.octets(value, what)
    except Undecodable:
        return base64_bytes(value, what)


def _numbers(value: list[object], what: str) -> bytes:
    try:
        return bytes(msgspec.convert(value[: PAYLOAD_MAX + 1], list[int]))
    except (msgspec.ValidationError, ValueError):
        raise Undecodable(f"{what} is not a list of bytes 0..255") from None


def _first(body: Body, names: tuple[str, ...]) -> object:
    return next((body[name] for name in names if body.get(name) is not None), None)


def _known(counter: object) -> object:
    return -1 if counter is None else counter

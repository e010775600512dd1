"""MOKO (MKGW) Bluetooth gateways: scan results over MQTT.

Source: reelyactive/barnowl-mokosmart lib (MIT).
`{"msg_id":3004,"device_info":{"mac":"1122…"},"data":[{"type":8,"value":{"timestamp":"2021-01-01&17:10:16+08",
"mac":…,"rssi":-78,"raw":"0201…"}}]}`; 3070 has `timestamp` in ms, `adv_data` and `rsp_data` in the item itself.
The topic is free; the receiver is the route's device, or the gateway's address as it spells it.

Count kinds: none. Yields Sighting.

Pitfalls:
* `&` stands between date and time, and the offset has two digits.
* The advert is `raw`, or `raw data`, or `adv_data` with `rsp_data` (the scan response, read on as one packet).
* Adverts without a beacon frame are left out; a message of nothing else is not kept. Other msg_id are refused.
"""

import re
from collections.abc import Sequence

from flowmon.errors import Undecodable
from flowmon.facts import Fact, Sighting
from sensors.dialects import advertisements, bodies, hearing
from sensors.dialects.port import Family, Message, Outgoing

FAMILY = Family(
    name="MOKO gateways (MKGW)",
    transports=("MQTT",),
    kinds=("sighting", "device_status"),
    privacy="addresses, names and advertisements of telephones nearby",
    tested="messages 3004 and 3070 as barnowl-mokosmart reads them",
    source="reelyactive/barnowl-mokosmart",
)
_SCANS = (3004, 3070)
_TIME = re.compile(r"(\d{4}-\d{2}-\d{2})&(\d{2}:\d{2}:\d{2})([+-]\d{2})(?::?(\d{2}))?")


def decode(message: Message, device: str) -> list[Fact]:
    """See the port."""
    body = bodies.table(bodies.document(message.payload), "moko message")
    if body.get("msg_id") not in _SCANS:
        raise Undecodable("moko: msg_id is not a scan result (3004, 3070)")
    info = bodies.table(body.get("device_info") or {}, "device_info")
    receiver = bodies.name(device or info.get("mac"), "gateway mac")
    simulated = body.get("simulated") is True
    data = body.get("data")
    items = data if isinstance(data, list) else [data]
    return hearing.heard(items, lambda item: _sighting(message, item, receiver, simulated))


def _sighting(message: Message, item: object, receiver: str, simulated: bool) -> Sighting:
    found = bodies.table(item, "advert")
    value = bodies.table(found.get("value", found), "advert")
    advert = b"".join(
        hearing.octets(value[name], name) for name in ("raw", "raw data", "adv_data", "rsp_data") if name in value
    )
    return hearing.sighting(
        message,
        at=_at(message, value),
        receiver=receiver,
        beacon=advertisements.beacon(advert),
        rssi=value.get("rssi"),
        simulated=simulated,
    )


def _at(message: Message, value: dict[str, object]) -> float:
    stamp = value.get("timestamp")
    if stamp is None:
        return message.seen
    if isinstance(stamp, str) and (found := _TIME.fullmatch(stamp)):
        day, hour, offset, minutes = found.groups()
        stamp = f"{day}T{hour}{offset}:{minutes or '00'}"
    return bodies.instant(stamp, "timestamp")


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:  # noqa: ARG001 - the port
    """Not spoken by the simulator yet. Raises ValueError."""
    raise ValueError(f"moko is only read so far, {device} of {venue} cannot speak it")

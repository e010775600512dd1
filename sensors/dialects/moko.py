"""MOKO (MKGW) Bluetooth gateways: scan results and network status over MQTT.

Source: reelyactive/barnowl-mokosmart lib (MIT).
`{"msg_id":3004,"device_info":{"mac":"1122…"},"data":[{"type":8,"value":{"timestamp":"2021-01-01&17:10:16+08",
"mac":…,"rssi":-78,"raw":"0201…"}}]}`; 3070 has `timestamp` in ms, `adv_data` and `rsp_data` in the item itself;
3003 is `{"data":{"net_state":"online"}}`. Other numbers are answers to settings, and say nothing.
The topic is free; the receiver is the route's device, or the gateway's address as it spells it.

Count kinds: none. Yields Sighting and DeviceStatus.

Pitfalls:
* `&` stands between date and time, and the offset has two digits.
* The advert is `raw`, or `raw data`, or `adv_data` with `rsp_data` (the scan response); each may be cut.
* Adverts without a beacon frame are left out; a message of nothing else is not kept.
"""

import re
from collections.abc import Sequence

import msgspec

from flowmon.errors import Undecodable
from flowmon.facts import DeviceHealth, DeviceStatus, Fact, Sighting
from sensors.dialects import advertisements, bodies, hearing
from sensors.dialects.port import Family, Message, Outgoing

FAMILY = Family(
    name="MOKO gateways (MKGW)",
    transports=("MQTT",),
    kinds=("sighting", "device_status"),
    privacy="addresses, names and advertisements of telephones nearby",
    tested="messages 3003, 3004 and 3070 as barnowl-mokosmart reads them",
    source="reelyactive/barnowl-mokosmart",
)
_NETWORK, _SCANS = 3003, (3004, 3070)
_HEALTH: dict[object, DeviceHealth] = {"online": "online", "offline": "offline"}
_ADVERT = ("raw", "raw data", "adv_data", "rsp_data")
_TIME = re.compile(r"(\d{4}-\d{2}-\d{2})&(\d{2}:\d{2}:\d{2})([+-]\d{2})(?::?(\d{2}))?")


def decode(message: Message, device: str) -> list[Fact]:
    """See the port."""
    body = bodies.table(bodies.document(message.payload), "moko message")
    number = body.get("msg_id")
    if not isinstance(number, int) or isinstance(number, bool) or "device_info" not in body:
        raise Undecodable("moko: no msg_id, or no device_info")
    info = bodies.table(body["device_info"], "device_info")
    receiver = bodies.name(device or info.get("mac"), "gateway mac")
    simulated = body.get("simulated") is True
    data = body.get("data")
    if number == _NETWORK:
        return _status(message, data, receiver, simulated)
    if number not in _SCANS:
        return []
    items = data if isinstance(data, list) else [data]
    return hearing.heard(items, lambda item: _sighting(message, item, receiver, simulated))


def _status(message: Message, data: object, receiver: str, simulated: bool) -> list[Fact]:
    state = bodies.table(data, "data").get("net_state")
    if not isinstance(state, str) or state not in _HEALTH:
        raise Undecodable("moko: net_state is neither online nor offline")
    health = _HEALTH[state]
    return [DeviceStatus(at=message.seen, source=receiver, seen=message.seen, simulated=simulated, health=health)]


def _sighting(message: Message, item: object, receiver: str, simulated: bool) -> Sighting:
    found = bodies.table(item, "advert")
    value = bodies.table(found.get("value", found), "advert")
    packets = [hearing.octets(value[name], name) for name in _ADVERT if value.get(name)]
    return hearing.sighting(
        message,
        at=_at(message, value),
        receiver=receiver,
        beacon=advertisements.beacon(*packets),
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


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
    """See the port: messages 3070 and 3003 on `moko/<device>`, one fact each. Times in whole ms."""
    return [_outgoing(fact, venue, device) for fact in facts]


def _outgoing(fact: Fact, venue: str, device: str) -> Outgoing:
    hearing.own(fact, venue=venue, device=device)
    match fact:
        case Sighting():
            advert: dict[str, object] = {"timestamp": round(fact.at * 1000), "mac": "000000000000"}
            advert |= {"rssi": hearing.whole(fact), "rsp_data": ""}
            number, data = 3070, [advert | {"adv_data": advertisements.packet(hearing.sent_as(fact)).hex()}]
            body: dict[str, object] = {"data": data}
        case DeviceStatus(health="online" | "offline"):
            number, body = _NETWORK, {"data": {"net_state": fact.health}}
        case _:
            raise ValueError(f"a MOKO gateway tells no {type(fact).__name__} of this kind")
    head: dict[str, object] = {"msg_id": number, "device_info": {"mac": device}}
    return f"moko/{device}", msgspec.json.encode(head | body | hearing.mark(fact)), False

"""Ruuvi Gateway (raw Bluetooth adverts over MQTT, one a message, or gathered over HTTP).

Source: Ruuvi Gateway docs (MQTT and HTTP time-stamped data); ruuvi.gateway_esp.c tests/test_mqtt_json (BSD-3).
`ruuvi/<gateway>/<tag>` `{"gw_mac":"C8:25:…","rssi":-26,"gwts":1653668027,"ts":1653668027,"data":"0201061BFF…"}`;
`ruuvi/<gateway>/gw_status` `{"state":"online"}` or `offline`, retained, last will;
HTTP `{"data":{"gw_mac":"C8:25:…","tags":{"<MAC>":{"rssi":-26,"timestamp":"1653668027","data":"0201…"}}}}`.
The receiver is the route's gateway, or `gw_mac`. Route `ruuvi/+/#`.

Count kinds: none. Yields Sighting and DeviceStatus (a gathered message, too, says that the gateway is there).

Pitfalls:
* The gateway's own filter lets only Ruuvi sensors through: switch it off to hear beacons. A Ruuvi sensor's frame
  holds temperatures and a random address, no beacon identity: it is not kept. "Decoded" messages have no advert.
* `ts` (when the advert was heard) is text in older firmware; without network time `cnt` stands in its place, and
  `at` is when it was got here. It has whole seconds, and can lie after `gwts`.
* `coords`, the gateway's own place, is not read.
"""

import math
from collections.abc import Sequence

import msgspec

from flowmon.errors import Undecodable
from flowmon.facts import DeviceHealth, DeviceStatus, Fact, Sighting
from sensors.dialects import advertisements, bodies, hearing
from sensors.dialects.port import Family, Message, Outgoing, Unwanted

FAMILY = Family(
    name="Ruuvi Gateway",
    transports=("MQTT", "HTTP"),
    kinds=("sighting", "device_status"),
    privacy="addresses and advertisements of telephones nearby; the gateway's own place",
    tested="tests of the firmware, with times as text and as numbers",
    source="Ruuvi Gateway docs, ruuvi.gateway_esp.c tests/test_mqtt_json",
)
_HEALTH: dict[object, DeviceHealth] = {"online": "online", "offline": "offline"}


def decode(message: Message, device: str) -> list[Fact]:
    """See the port. A device name that is only the topic's last level (a `+` there) is not the receiver's."""
    body = bodies.table(bodies.document(message.payload), "ruuvi message")
    levels = message.topic.split("/")
    receiver = device if device and device != levels[-1] else ""
    if levels[-1] == "gw_status":
        return [_status(message, body, receiver or (levels[-2] if len(levels) > 1 else ""))]
    if isinstance(body.get("data"), dict):
        return _gathered(message, bodies.table(body["data"], "data"), device)
    if "gw_mac" not in body:
        raise Undecodable("ruuvi: no gw_mac in the message")
    if "data" not in body:
        raise Unwanted("ruuvi: decoded sensor values, no advertisement; set the gateway's format to raw")
    stamp = body.get("ts", message.seen)
    return [_sighting(message, body, receiver or _gateway(body), stamp, simulated=body.get("simulated") is True)]


def _gateway(body: dict[str, object]) -> str:
    return bodies.name(body.get("gw_mac"), "gw_mac")


def _sighting(
    message: Message, advert: dict[str, object], receiver: str, stamp: object, *, simulated: bool
) -> Sighting:
    return hearing.sighting(
        message,
        at=bodies.seconds(hearing.numeral(stamp), "ts"),
        receiver=receiver,
        beacon=advertisements.beacon(hearing.octets(advert.get("data"), "data")),
        rssi=advert.get("rssi"),
        simulated=simulated,
    )


def _gathered(message: Message, data: dict[str, object], device: str) -> list[Fact]:
    if "gw_mac" not in data:
        raise Undecodable("ruuvi: no gw_mac in the message")
    receiver = bodies.name(device or _gateway(data), "gw_mac")
    simulated = data.get("simulated") is True
    tags = bodies.table(data.get("tags"), "tags")
    status = DeviceStatus(at=message.seen, source=receiver, seen=message.seen, simulated=simulated, health="online")

    def read(tag: object) -> Sighting:
        advert = bodies.table(tag, "tag")
        return _sighting(message, advert, receiver, advert.get("timestamp", message.seen), simulated=simulated)

    return [status, *hearing.heard_if_any(tags.values(), read)]


def _status(message: Message, body: dict[str, object], receiver: str) -> DeviceStatus:
    state = body.get("state")
    if not isinstance(state, str) or state not in _HEALTH:
        raise Undecodable("ruuvi: state is neither online nor offline")
    return DeviceStatus(
        at=message.seen,
        source=bodies.name(receiver, "gateway"),
        seen=message.seen,
        simulated=body.get("simulated") is True,
        health=_HEALTH[state],
    )


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
    """See the port. Times are cut to whole seconds. `device` must be unique on the broker: no venue in the topics."""
    return [_outgoing(fact, venue, device) for fact in facts]


def _outgoing(fact: Fact, venue: str, device: str) -> Outgoing:
    hearing.own(fact, venue=venue, device=device)
    match fact:
        case Sighting():
            stamp = math.floor(fact.at)
            data = advertisements.packet(hearing.sent_as(fact)).hex().upper()
            body: dict[str, object] = {"gw_mac": device, "rssi": hearing.whole(fact), "aoa": []}
            body |= {"gwts": stamp, "ts": stamp, "data": data, "coords": ""}
            return f"ruuvi/{device}/00:00:00:00:00:00", msgspec.json.encode(body | hearing.mark(fact)), False
        case DeviceStatus(health="online" | "offline"):
            body = {"state": fact.health}
            return f"ruuvi/{device}/gw_status", msgspec.json.encode(body | hearing.mark(fact)), True
        case _:
            raise ValueError(f"a Ruuvi Gateway tells no {type(fact).__name__} of this kind")

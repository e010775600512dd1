"""Ruuvi Gateway (raw Bluetooth adverts over MQTT).

Source: Ruuvi Gateway docs and ruuvi.gateway_esp.c tests/test_mqtt_json (BSD-3).
`ruuvi/<gateway>/<tag>` `{"gw_mac":"C8:25:…","rssi":-26,"gwts":1653668027,"ts":1653668027,"data":"0201061BFF…"}`;
`ruuvi/<gateway>/gw_status` `{"state":"online"}` or `offline`, retained, last will.
The receiver is the topic's gateway. Route `ruuvi/+/#`.

Count kinds: none. Yields Sighting and DeviceStatus.

Pitfalls:
* The gateway's own filter lets only Ruuvi sensors through: switch it off to hear beacons. A Ruuvi sensor's frame
  holds temperatures and a random address, no beacon identity: it is not kept.
* `ts` (when the advert was heard) is text in older firmware; without network time `cnt` stands in its place, and
  `at` is when it was got here. It has whole seconds, and can lie after `gwts`.
"""

from collections.abc import Sequence

from flowmon.errors import Undecodable
from flowmon.facts import DeviceHealth, DeviceStatus, Fact
from sensors.dialects import advertisements, bodies, hearing
from sensors.dialects.port import Family, Message, Outgoing

FAMILY = Family(
    name="Ruuvi Gateway",
    transports=("MQTT",),
    kinds=("sighting", "device_status"),
    privacy="addresses and advertisements of telephones nearby; the gateway's own place",
    tested="firmware test_mqtt_json of 2021 to 2024",
    source="ruuvi.gateway_esp.c tests/test_mqtt_json",
)
_HEALTH: dict[object, DeviceHealth] = {"online": "online", "offline": "offline"}


def decode(message: Message, device: str) -> list[Fact]:
    """See the port. A device name that is only the topic's last level (a `+` there) is not the receiver's."""
    levels = message.topic.split("/")
    if len(levels) < 2 or not levels[-2]:
        raise Undecodable("topic is not ruuvi/<gateway>/<tag>")
    receiver = device if device and device != levels[-1] else levels[-2]
    body = bodies.table(bodies.document(message.payload), "advert")
    if levels[-1] == "gw_status":
        state = body.get("state")
        if not isinstance(state, str) or state not in _HEALTH:
            raise Undecodable("ruuvi: state is neither online nor offline")
        source = bodies.name(receiver, "gateway")
        return [DeviceStatus(at=message.seen, source=source, seen=message.seen, health=_HEALTH[state])]
    return [
        hearing.sighting(
            message,
            at=bodies.seconds(hearing.numeral(body["ts"]), "ts") if "ts" in body else message.seen,
            receiver=receiver,
            beacon=advertisements.beacon(hearing.octets(body.get("data"), "data")),
            rssi=body.get("rssi"),
            simulated=body.get("simulated") is True,
        )
    ]


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:  # noqa: ARG001 - the port
    """Not spoken by the simulator yet. Raises ValueError."""
    raise ValueError(f"ruuvi is only read so far, {device} of {venue} cannot speak it")

"""Terabee People Counting L-XL: JSON by HTTP push. (Its LoRaWAN form is another one.)

Source: akenza-io/device-type-library types/terabee/peopleCountingXL (MIT).

Count kinds: `cumulative`, line "1".

Pitfalls:
* `timestamp` is text of seconds and may be rubbish ("165776767" is 1975) when the device has no NTP: it is passed on,
  and the intake judges it. A missing or unreadable one is the gateway's clock.
* The body carries `username` and `password`: never read, and scrubbed from rejects.
* The registers can be reset and set from afar; finding that is the intake's work.
"""

from collections.abc import Sequence

from flowmon.errors import Undecodable
from flowmon.facts import Count, Fact
from sensors.dialects import bodies
from sensors.dialects.port import Family, Message, Outgoing

FAMILY = Family(
    name="Terabee People Counting L-XL, M (HTTP)",
    transports=("HTTP",),
    kinds=("cumulative",),
    privacy="username and password in the body are dropped and scrubbed",
    tested="akenza's samples",
    source="akenza types/terabee",
)


def decode(message: Message, device: str) -> list[Fact]:
    """See the port."""
    body = bodies.table(bodies.document(message.payload), "body")
    source = bodies.mac(bodies.name(body["device_id"], "device_id")) if "device_id" in body else device
    if not source:
        raise Undecodable("terabee: no device_id; name the device on its route")
    return [
        Count(
            at=_time(body.get("timestamp"), message.seen),
            source=source,
            seen=message.seen,
            simulated=body.get("simulated") is True,
            counter=source,
            kind="cumulative",
            forward=bodies.digits(body.get("count_in"), "count_in"),
            backward=bodies.digits(body.get("count_out"), "count_out"),
        )
    ]


def _time(told: object, seen: float) -> float:
    try:
        return bodies.seconds(bodies.digits(told, "timestamp"), "timestamp")
    except Undecodable:
        return seen


def encode(facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
    """See the port. Read only: the simulator need not speak it yet, so any fact raises ValueError."""
    if facts:
        raise ValueError(f"terabee is read only: {device} of {venue} cannot be simulated in it")
    return []

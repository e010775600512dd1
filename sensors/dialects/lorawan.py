"""What every LoRaWAN payload codec needs: uplinks out of a message, facts out of uplinks, and uplinks back. No dialect.

The codec of the payload is the dialect a route names: `lorawan-milesight`, `lorawan-terabee`, … Envelopes are read in
lorawan_envelopes.py and lorawan_bare.py. Routes: `v3/+/devices/+/up`, `application/+/device/+/event/up`, or one each.

Pitfalls:
* A codec recognises its payload by structure; the port is a hint, as integrations leave it out or send a dummy.
* The Things Stack publishes with QoS 0: what is sent while nobody listens is lost, and with it every count "since the
  last uplink". A register is told where a payload has one, and nothing else of that line.
* Where a payload has only counts since the last uplink, they are a `window` that ends with the uplink and begins at 0,
  not known; its `seq` is the frame counter, so that a gap in it shows how many were lost.
* Several envelopes may stand in one message, in an array or one after the other.
"""

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from flowmon.errors import Undecodable
from flowmon.facts import Count, Fact
from sensors.dialects import bodies
from sensors.dialects.lorawan_bare import is_bare, of_bare
from sensors.dialects.lorawan_envelopes import PAYLOAD_MAX, SIMULATOR, Uplink, is_of_network, of_network
from sensors.dialects.port import Message, Outgoing

#: What every fact of an uplink says of itself, ready to be passed on to it.
Told = dict[str, Any]
#: Most envelopes in one message.
UPLINKS_MAX = 1000

_EUI = re.compile(r"[0-9a-f]{16}")
_BINARY = "application/octet-stream"


def uplinks(message: Message) -> list[Uplink]:
    """The uplinks in a message; empty when it has no application data (joins, acknowledgements). Raises Undecodable."""
    if message.headers.get("content-type", "").startswith(_BINARY):
        if not 0 < len(message.payload) <= PAYLOAD_MAX:
            raise Undecodable(f"lorawan: not 1 to {PAYLOAD_MAX} bytes of payload")
        return [Uplink("", 0, message.payload, -1, message.seen)]
    found: list[Uplink] = []
    for count, body in enumerate(_bodies(message.payload)):
        if count >= UPLINKS_MAX:
            raise Undecodable(f"lorawan: more than {UPLINKS_MAX} uplinks in one message")
        if is_of_network(body):
            found += filter(None, [of_network(body, message.seen)])
        elif is_bare(body):
            found += of_bare(body, message.seen)
        else:
            raise Undecodable("lorawan: no uplink of The Things Stack, ChirpStack or Actility, and no bare payload")
    return found


def _bodies(payload: bytes) -> Iterable[dict[str, object]]:
    values = bodies.documents(payload)
    if not values or values == [[]]:
        raise Undecodable("lorawan: no uplink in it")
    for value in values:
        for item in value if isinstance(value, list) else [value]:
            yield bodies.table(item, "uplink")


def facts(message: Message, device: str, read: Callable[[Uplink, Told], Iterable[Fact]]) -> list[Fact]:
    """What a codec reads in the uplinks of a message. device: the route's, "" for the one the message names.

    Raises Undecodable, also for what `read` refuses.
    """
    return [fact for uplink in uplinks(message) for fact in read(uplink, _told(uplink, message, device))]


def _told(uplink: Uplink, message: Message, device: str) -> Told:
    return {
        "at": uplink.at,
        "source": device or uplink.device,
        "seen": message.seen,
        "seq": uplink.f_cnt,
        "simulated": uplink.simulated,
        "historical": uplink.historical,
    }


def named(told: Told, own: str = "") -> Told:
    """`told` with a source that is a name; own: what the payload itself says it is, for want of anything better.

    Raises Undecodable when nobody says whose payload it is.
    """
    source = told["source"] or own
    if not source:
        raise Undecodable("lorawan: the message names no device; name it on its route")
    return told | {"source": bodies.name(source, "device")}


def register(told: Told, forward: int, backward: int, line: str = "1") -> Count:
    """A cumulative count of the device."""
    return Count(counter=told["source"], kind="cumulative", line=line, forward=forward, backward=backward, **told)


def since_last(told: Told, forward: int, backward: int, line: str = "1") -> Count:
    """People since the last uplink, whose time nobody knows here: a window that begins at 0 and ends at its time."""
    end = told["at"]
    return Count(counter=told["source"], kind="window", line=line, forward=forward, backward=backward, end=end, **told)


def outgoing(fact: Fact, payload: bytes, port: int, *, venue: str, device: str) -> Outgoing:
    """An uplink that tells `fact`, on the topic and in the envelope of The Things Stack.

    The application is the venue's name; an EUI is made of the device's name unless it is one. Times go to microseconds,
    frame counters below 0 are told as none, which means 0. Raises ValueError for a fact of another device.
    """
    if fact.source != device:
        raise ValueError(f"{device} of {venue} cannot speak for {fact.source}")
    eui = device if _EUI.fullmatch(device) else hashlib.blake2s(device.encode(), digest_size=8).hexdigest()
    inner: dict[str, object] = {"f_port": port, "frm_payload": b64encode(payload).decode()}
    if fact.seq > 0:
        inner["f_cnt"] = fact.seq
    inner["received_at"] = datetime.fromtimestamp(fact.at, UTC).isoformat()
    body: dict[str, object] = {"end_device_ids": {"device_id": device, "dev_eui": eui.upper()}, "uplink_message": inner}
    if fact.simulated:
        body |= {"correlation_ids": [SIMULATOR], "simulated": True}
    return f"v3/{venue}@flowmon/devices/{device}/up", msgspec.json.encode(body), False


def encode_each(
    facts: Sequence[Fact], payload_of: Callable[[Fact], tuple[int, bytes]], *, venue: str, device: str
) -> list[Outgoing]:
    """One uplink a fact; `payload_of` gives its port and bytes, and raises ValueError for one it cannot tell."""
    sent: list[Outgoing] = []
    for fact in facts:
        port, payload = payload_of(fact)
        sent.append(outgoing(fact, payload, port, venue=venue, device=device))
    return sent


def whole(value: int, size: int, order: str = "big") -> bytes:
    """A count in `size` bytes. Raises ValueError when it does not fit."""
    if not 0 <= value < 1 << 8 * size:
        raise ValueError(f"{value} people do not fit into {size} bytes")
    return value.to_bytes(size, "little" if order == "little" else "big")

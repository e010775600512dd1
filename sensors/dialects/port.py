"""What a dialect is: bytes and topic to facts, facts to bytes and topic. Pure and stateless.

A register is passed on as it stands; turning readings into crossings is the intake's work, downstream.
A message is decoded whole or refused whole, so that its acknowledgement has one meaning.
"""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from flowmon.errors import Undecodable
from flowmon.facts import Fact

#: (topic, payload, retain), ready to publish with QoS 1.
Outgoing = tuple[str, bytes, bool]


class Family(Struct, frozen=True, gc=False):
    """What a person should know of a device family before connecting it; `flowmon dialects` prints it.

    name: makers and models. transports: how the devices send ("MQTT", "HTTP", "LoRaWAN"). kinds: what they yield, as
    kinds of count ("event", "window", "cumulative") and types of fact ("zone_count", "sighting", …).
    privacy: what of a person is in such payloads and is dropped here. tested: firmware or document versions that
    samples were read from. source: where the format is written down.
    """

    name: str
    transports: tuple[str, ...]
    kinds: tuple[str, ...]
    privacy: str
    tested: str
    source: str


class Message(Struct, frozen=True, gc=False):
    """One message as it came, by MQTT or HTTP. seen: gateway clock, seconds UTC. retained: a stored copy, of any age.

    topic: of MQTT, or the path of an HTTP push without its first slash. headers: names in small letters, HTTP only.
    size: bytes it had, where the inbox kept only a part of it. mid, qos and connection are what the inbox needs to
    acknowledge it; a dialect ignores them. pushed: it came by HTTP, and `topic` is a path.
    """

    topic: str
    payload: bytes
    seen: float
    retained: bool = False
    headers: dict[str, str] = {}
    size: int = 0
    mid: int = 0
    qos: int = 0
    connection: int = 0
    pushed: bool = False


class Unwanted(Undecodable):
    """Understood, and not to be kept (a passer-by's telephone, say): counted by reason, never stored."""


class Dialect(Protocol):
    """A module of this folder."""

    FAMILY: Family

    def decode(self, message: Message, device: str) -> list[Fact]:
        """The facts of a message; empty when it says nothing about people or devices (a connection test).

        device: who speaks, as the route knows it, or "" when only the payload can tell.
        Sightings carry the raw beacon id here; the gateway turns it into a token before anything is written.
        Raises Undecodable for anything else, whatever the bytes.
        """
        ...

    def encode(self, facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
        """What such a device would publish to tell these facts.

        Raises ValueError for a fact such a device cannot tell: the caller's mistake, not bad data.
        """
        ...

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


class Message(Struct, frozen=True, gc=False):
    """One MQTT message as it came. seen: gateway clock, seconds UTC. retained: a stored copy, of any age.

    size: bytes it had, where the inbox kept only a part of it. mid, qos and connection are what the inbox needs to
    acknowledge it; a dialect ignores all four.
    """

    topic: str
    payload: bytes
    seen: float
    retained: bool = False
    size: int = 0
    mid: int = 0
    qos: int = 0
    connection: int = 0


class Unwanted(Undecodable):
    """Understood, and not to be kept (a passer-by's telephone, say): counted by reason, never stored."""


class Dialect(Protocol):
    """A module of this folder."""

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

"""Rejects decoded again, with the dialects and venue files of today. Pure.

Facts are marked as the gateway marks them, and historical when the message is older than an hour: they correct
history, and the live number stays what it is. Nothing is made up: a message of which only a part was kept is not read,
nor one whose device or line was masked. Sightings cannot come back, the key of their tokens is gone.
"""

import base64
import binascii
import contextlib
from collections.abc import Mapping, Sequence

from msgspec import Struct, structs

from flowmon import wire
from flowmon.errors import Undecodable
from flowmon.facts import Fact, Presence, Sighting
from flowmon.findings import Rejected
from flowmon.venue.model import Venue
from sensors import scrub
from sensors.dialects import DIALECTS
from sensors.dialects.port import Dialect, Message, Unwanted
from sensors.keys import Keys
from sensors.marking import Marking
from sensors.routes import Origin, Routes
from streams.rejectstore import Kept

#: Seconds after which a message corrects history only.
LIVE_S = 3600.0
_MASK = "***"


class Outcome(Struct, frozen=True):
    """What became of a reject. reason: why it fails still; "" when it was read. venue: whose the facts are.

    facts may be empty in a message that was read: it said nothing, is not kept on purpose, or held sightings only.
    """

    kept: Kept
    venue: str = ""
    facts: list[Fact] = []
    reason: str = ""
    sightings: int = 0


class Retry:
    """venues, dialects: of the files of today. now: seconds UTC. Raises FlowmonError for a route that cannot be."""

    def __init__(self, venues: Sequence[Venue], now: float, dialects: Mapping[str, Dialect] = DIALECTS) -> None:
        self._venues = {venue.id: venue for venue in venues}
        self._routes = Routes(venues, dialects)
        self._marking = Marking(self._venues, Keys(), simulated=False)
        self._now = now

    def again(self, kept: Kept) -> Outcome:
        """Decode one. Raises nothing."""
        reject = kept.reject
        if reject.source != "gateway":
            return Outcome(kept, reason=f"comes from {reject.source}, not from a device")
        try:
            message = _message(reject)
            origin = self._origin(message)
            facts = self._routes.dialects[origin.dialect].decode(message, _device(origin, reject))
        except Unwanted:
            return Outcome(kept)
        except Undecodable as error:
            return Outcome(kept, reason=scrub.scrub_text(error.reason) + _partly(reject))
        except Exception as error:  # noqa: BLE001 -- one message must not keep the others from being read
            return Outcome(kept, reason=f"defect in a dialect, please report it: {type(error).__name__}")
        return self._judged(kept, message, origin, facts)

    def _origin(self, message: Message) -> Origin:
        try:
            return self._routes.of(message)
        except Undecodable as error:
            try:
                return self._routes.of(structs.replace(message, pushed=True))
            except Undecodable:
                raise error from None

    def _judged(self, kept: Kept, message: Message, origin: Origin, facts: list[Fact]) -> Outcome:
        told = [fact for fact in facts if not isinstance(fact, Sighting | Presence)]
        if any(_MASK.encode() in wire.encode(fact) for fact in told):
            return Outcome(
                kept,
                reason="a device or line in it was masked when it was kept; those in the venue file are not masked",
            )
        venue = self._venues[origin.venue]
        marked = [self._marking.mark(fact, venue, message) for fact in told]
        if kept.reject.simulated:
            marked = [structs.replace(fact, simulated=True) for fact in marked]
        if message.seen < self._now - LIVE_S:
            marked = [structs.replace(fact, historical=True) for fact in marked]
        return Outcome(kept, origin.venue, marked, sightings=len(facts) - len(told))


def payload_of(reject: Rejected) -> bytes:
    """The bytes that were kept. Raises Undecodable when they are no base64."""
    try:
        return base64.b64decode(reject.raw, validate=True)
    except (binascii.Error, ValueError):
        raise Undecodable("its bytes were not kept as base64") from None


def _message(reject: Rejected) -> Message:
    payload = payload_of(reject)
    if len(payload) >= scrub.RAW_MAX:
        raise Undecodable(f"only its first {scrub.RAW_MAX} bytes were kept; let the device send it again")
    return Message(topic=reject.topic, payload=payload, seen=reject.at, headers=reject.headers)


def _device(origin: Origin, reject: Rejected) -> str:
    """The route's word, unless that is a level of the topic that was masked."""
    return origin.device if _MASK not in origin.device else reject.device.replace(_MASK, "")


def _partly(reject: Rejected) -> str:
    with contextlib.suppress(Undecodable):
        if _MASK not in reject.topic and _MASK.encode() not in payload_of(reject):
            return ""
        return " (addresses, names or secrets in it were masked when it was kept, which may be why)"
    return ""

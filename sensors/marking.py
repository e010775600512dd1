"""What only the gateway knows of a fact: simulated or old, a beacon's token, a queue's id. Pure but for its keys.

A simulated visitor's token stays what it is. One that comes as real is hashed like any beacon: whoever made it may use
it for years, and here no name outlives its key.
"""

from collections.abc import Mapping

from msgspec import structs

from flowmon.facts import Fact, Presence, QueueReading, Sighting
from flowmon.venue.model import Venue
from sensors.dialects.port import Message
from sensors.keys import Keys
from sensors.tokens import is_token, keeps, token


class Marking:
    """venues: by id. simulated: mark everything so, whatever the payload says."""

    def __init__(self, venues: Mapping[str, Venue], keys: Keys, *, simulated: bool) -> None:
        self._keys = keys
        self._simulated = {name for name, venue in venues.items() if simulated or venue.simulated}
        self._queues = {
            name: {queue.device: queue_id for queue_id, queue in venue.queues.items() if queue.device}
            for name, venue in venues.items()
        }

    def simulated(self, venue: str) -> bool:
        """Whether everything from this venue is simulated."""
        return venue in self._simulated

    def keeps(self, fact: Fact, venue: Venue) -> bool:
        """Whether anything of a fact is kept: the venue's privacy mode says so of what tells of a beacon."""
        if not isinstance(fact, Sighting | Presence):
            return True
        if self._carried(fact, venue) and venue.privacy.mode != "count-only":
            return True
        return keeps(venue, fact.beacon)

    def forget(self, now: float) -> None:
        """Drop keys whose time is over."""
        self._keys.forget(now)

    def _carried(self, fact: Sighting | Presence, venue: Venue) -> bool:
        """Whether a beacon is a simulated visitor's, who consents to everything."""
        return is_token(fact.beacon) and (fact.simulated or venue.id in self._simulated)

    def mark(self, fact: Fact, venue: Venue, message: Message) -> Fact:
        """The fact as it goes into the journal."""
        changes: dict[str, object] = {}
        if venue.id in self._simulated and not fact.simulated:
            changes["simulated"] = True
        if message.retained and not fact.historical:
            # the broker's stored copy: it was true once, nobody knows how long ago
            changes["historical"] = True
        match fact:
            case Sighting() | Presence() if not self._carried(fact, venue):
                changes["beacon"] = token(self._keys.at(venue, message.seen), fact.beacon)
            case QueueReading() if fact.queue not in venue.queues:
                # a sensor that measures one queue knows its own name, not the queue's
                changes["queue"] = self._queues[venue.id].get(fact.source, fact.queue)
            case _:
                pass
        return structs.replace(fact, **changes) if changes else fact

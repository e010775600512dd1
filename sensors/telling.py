"""What the gateway tells of itself: messages of the last minute, how many were refused, and mostly why. Pure.

Counts are per venue, as routes are. A message that no route leads to belongs to nobody: it is told to the first venue,
so that exactly one museum hears of it. Every word starts the counts again. It speaks also of a minute in which nothing
came: its silence then means that it is away. Of several gateways of one venue the last word is the one that is shown.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from flowmon.facts import GATEWAY, DeviceStatus
from flowmon.venue.model import Venue
from sensors import rejects, scrub

WORST_MAX = 100


class _Minute(Struct):
    messages: int = 0
    rejected: int = 0
    reasons: dict[str, int] = field(default_factory=dict)


class Telling:
    """venues: by id, at least one. Where a device of the file is itself called `gateway`, nothing is told."""

    def __init__(self, venues: Mapping[str, Venue]) -> None:
        self._first = next(iter(venues), "")
        self._minutes = {name: _Minute() for name, venue in venues.items() if not _taken(venue)}

    def speaks_for(self, venue: str) -> bool:
        """Whether the name `gateway` is ours in a venue, and no device may use it."""
        return venue in self._minutes

    def took(self, venue: str | None) -> None:
        """A message came in; None when no route leads to a venue."""
        if minute := self._of(venue):
            minute.messages += 1

    def refused(self, venue: str | None, reason: str) -> None:
        """One that came in cannot be used."""
        if minute := self._of(venue):
            minute.rejected += 1
            rejects.count_in(minute.reasons, reason)

    def words(self, now: float) -> Sequence[tuple[str, DeviceStatus]]:
        """What to tell each venue at `now`; counting starts again."""
        told = []
        for name, minute in self._minutes.items():
            worst = max(minute.reasons, key=lambda words: minute.reasons[words], default="")
            status = DeviceStatus(
                at=now,
                seen=now,
                source=GATEWAY,
                health="online",
                messages=minute.messages,
                rejected=minute.rejected,
                worst=scrub.scrub_text(worst, about_people=True)[:WORST_MAX],
            )
            told.append((name, status))
            self._minutes[name] = _Minute()
        return told

    def _of(self, venue: str | None) -> _Minute | None:
        return self._minutes.get(self._first if venue is None else venue)


def _taken(venue: Venue) -> bool:
    named = (venue.counters, venue.receivers, venue.queues)
    return any(GATEWAY in (name, device.device) for devices in named for name, device in devices.items())

"""Messages that cannot be used: counted exactly by reason, kept as findings for a sample of them.

Of a burst only `PER_SECOND` a second and venue are kept: a flood of rubbish must not become a flood of writes.
Reasons are counted by their fixed words (before the first `:`), of which there are few. Pure.
"""

from collections.abc import Iterable, Mapping

from flowmon.findings import Rejected
from flowmon.venue.model import Venue
from sensors import scrub
from sensors.dialects import DIALECTS, native
from sensors.dialects.port import Dialect, Message
from sensors.routes import Origin

PER_SECOND = 20
REASONS_MAX = 64
_TEXT_MAX = 500
#: Headers of a push that are kept, and characters of each: what the body is may decide how it is read.
HEADERS_MAX = 16
_HEADER_MAX = 200


class Rejects:
    """`by_reason` counts everything told to `count`; `kept` says how many rejects were made into findings.

    venues: the devices of their files keep their names in rejects, even where those are
    hardware addresses: they are the museum's own, and without them a reject could not be read again.
    dialects: those that tell sightings are scrubbed as what tells of people, and so is what no route knows and that
    speaks of radio.
    """

    def __init__(self, venues: Iterable[Venue] = (), dialects: Mapping[str, Dialect] = DIALECTS) -> None:
        self._hearing = frozenset(name for name, known in dialects.items() if "sighting" in known.FAMILY.kinds)
        self._devices = frozenset(
            scrub.bare(device.device or name)
            for venue in venues
            for devices in (venue.counters, venue.receivers, venue.queues)
            for name, device in devices.items()
        )
        self.by_reason: dict[str, int] = {}
        self.kept = 0
        self._allowance: dict[str, tuple[int, int]] = {}

    def count(self, reason: str) -> None:
        """One more for this reason; more than REASONS_MAX different ones are `other`."""
        count_in(self.by_reason, reason)

    def keep(
        self, venue: str, message: Message, origin: Origin | None, reason: str, *, simulated: bool
    ) -> Rejected | None:
        """The reject to store, scrubbed and bounded; None when this second has had its share."""
        second, kept = self._allowance.get(venue, (0, 0))
        if second != int(message.seen):
            second, kept = int(message.seen), 0
        if kept >= PER_SECOND:
            return None
        self._allowance[venue] = (second, kept + 1)
        self.kept += 1
        about_people = self._about_people(message, origin)
        return Rejected(
            at=message.seen,
            simulated=simulated,
            source="gateway",
            reason=scrub.scrub_text(reason, about_people=about_people)[:_TEXT_MAX],
            topic=scrub.scrub_text(message.topic[: 2 * _TEXT_MAX], self._devices, about_people=about_people)[
                :_TEXT_MAX
            ],
            dialect=origin.dialect if origin else "",
            raw=scrub.raw(message.payload, self._devices, about_people=about_people),
            device=scrub.scrub_text(origin.device, self._devices, about_people=about_people)[:_TEXT_MAX]
            if origin
            else "",
            headers=_headers(message),
        )

    def _about_people(self, message: Message, origin: Origin | None) -> bool:
        """Whether what stands in a message may be of somebody else than its sender: what it heard by radio."""
        if origin is None:
            return scrub.hears(message.topic, message.payload)
        if origin.dialect == "native":
            return message.topic.rpartition("/")[2] not in native.WHATS.keys() - {"sighting", "presence"}
        return origin.dialect in self._hearing


def count_in(by_reason: dict[str, int], reason: str) -> None:
    """One more under the fixed words of `reason`, in place; more than REASONS_MAX different ones are `other`."""
    words = reason.partition(":")[0].strip()[:60]
    if words not in by_reason and len(by_reason) >= REASONS_MAX:
        words = "other"
    by_reason[words] = by_reason.get(words, 0) + 1


def _headers(message: Message) -> dict[str, str]:
    kept = list(message.headers.items())[:HEADERS_MAX]
    return {name[:_HEADER_MAX]: scrub.scrub_text(value[:_HEADER_MAX]) for name, value in kept}

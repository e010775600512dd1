"""Messages that cannot be used: counted exactly by reason, kept as findings for a sample of them.

Of a burst only `PER_SECOND` a second and venue are kept: a flood of rubbish must not become a flood of writes.
Reasons are counted by their fixed words (before the first `:`), of which there are few. Pure.
"""

from flowmon.findings import Rejected
from sensors import scrub
from sensors.dialects.port import Message
from sensors.routes import Origin

PER_SECOND = 20
REASONS_MAX = 64
_TEXT_MAX = 500


class Rejects:
    """`by_reason` counts everything told to `count`; `kept` says how many rejects were made into findings."""

    def __init__(self) -> None:
        self.by_reason: dict[str, int] = {}
        self.kept = 0
        self._allowance: dict[str, tuple[int, int]] = {}

    def count(self, reason: str) -> None:
        """One more for this reason; more than REASONS_MAX different ones are `other`."""
        words = reason.partition(":")[0].strip()[:60]
        if words not in self.by_reason and len(self.by_reason) >= REASONS_MAX:
            words = "other"
        self.by_reason[words] = self.by_reason.get(words, 0) + 1

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
        return Rejected(
            at=message.seen,
            simulated=simulated,
            source="gateway",
            reason=scrub.scrub_text(reason)[:_TEXT_MAX],
            topic=scrub.scrub_text(message.topic)[:_TEXT_MAX],
            dialect=origin.dialect if origin else "",
            raw=scrub.raw(message.payload),
        )

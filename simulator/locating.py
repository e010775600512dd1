"""Beacons believed in rooms beside the rooms they are in, while radio is simulated in full.

Every ten seconds and for each beacon inside: right or wrong. settled: not in the first 15 s after it changed rooms.
"""

from collections.abc import Callable

from msgspec import Struct, field

from flowmon.facts import Presence
from flowmon.names import OUTSIDE
from simulator.truth import Carried, Truth

EVERY_S = 10
SETTLED_S = 15.0


class Located(Struct):
    """Tallies. delays: seconds from a true change of rooms to the first presence in the new one."""

    right: int = 0
    looked: int = 0
    settled_right: int = 0
    settled: int = 0
    changes: int = 0
    believed_changes: int = 0
    delays: list[float] = field(default_factory=list)
    where: dict[str, tuple[str, float, bool]] = field(default_factory=dict)
    taken_for: dict[str, tuple[str, float]] = field(default_factory=dict)

    def begin(self) -> None:
        """A new day: nobody is inside."""
        self.where.clear()
        self.taken_for.clear()

    def hearing(self, told: Callable[[Truth], None]) -> Callable[[Truth], None]:
        """Listens to the truth on its way to `told`."""

        def hear(truth: Truth) -> None:
            if isinstance(truth, Carried):
                self._carried(truth)
            told(truth)

        return hear

    def _carried(self, truth: Carried) -> None:
        if truth.zone == OUTSIDE:
            self.where.pop(truth.beacon, None)
            return
        self.changes += truth.beacon in self.where
        self.where[truth.beacon] = truth.zone, truth.at, False

    def believed(self, presence: Presence) -> None:
        """The product told where a beacon is."""
        before = self.taken_for.get(presence.beacon)
        self.believed_changes += before is not None and before[0] != presence.zone
        self.taken_for[presence.beacon] = presence.zone, presence.expires
        true = self.where.get(presence.beacon)
        if true is not None and not true[2] and true[0] == presence.zone:
            self.delays.append((presence.seen or presence.at) - true[1])
            self.where[presence.beacon] = true[0], true[1], True

    def second(self, now: float) -> None:
        """Look at all beacons when it is time."""
        if now % EVERY_S:
            return
        for beacon, (zone, since, _) in self.where.items():
            believed, expires = self.taken_for.get(beacon, ("", 0.0))
            right = believed == zone and expires >= now
            self.right += right
            self.looked += 1
            if now - since >= SETTLED_S:
                self.settled_right += right
                self.settled += 1

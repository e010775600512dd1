"""Beacon carriers in each zone, and how long they stay: from presences, which carry their own expiry.

A beacon unseen past its expiry leaves its zone once; one that is said to be there no more (probability 0: lost, at the
charging rack, lying still) leaves at once, and was there until that presence's expiry, which lies in the past.
A stay of less than ten seconds is somebody walking past the door and is not a visit. Dwell is told per zone and quarter
of an hour, and only over at least five visits, so that no figure speaks of one person.
"""

from msgspec import Struct, field

from flowmon.estimators.queueing import quantile
from flowmon.facts import Presence
from flowmon.findings import Dwell

WINDOW_S = 900.0
VISITS_MIN = 5
PASSING_S = 10.0
BEACONS_MAX = 20_000
STAYS_MAX = 5_000


class Stay(Struct):
    """A beacon in a zone since `since`, until heard elsewhere or past `expires`."""

    zone: str
    since: float
    last: float
    expires: float


class VisitsState(Struct):
    """stays: beacon -> where it is; finished: zone -> seconds stayed in the current window."""

    stays: dict[str, Stay] = field(default_factory=dict)
    finished: dict[str, list[float]] = field(default_factory=dict)
    window_start: float | None = None


class Visits:
    """Where the beacons are and how long they stayed."""

    def __init__(self, state: VisitsState | None = None) -> None:
        self.state = state or VisitsState()
        self._inside: dict[str, int] = {}
        for stay in self.state.stays.values():
            self._inside[stay.zone] = self._inside.get(stay.zone, 0) + 1

    def learn(self, presence: Presence, at: float) -> set[str]:
        """A beacon is believed in a zone at `at`. Returns the zones whose beacon count changed."""
        stay = self.state.stays.get(presence.beacon)
        if stay is not None and at < stay.last:
            return set()
        if presence.probability <= 0.0:
            if stay is None or stay.zone != presence.zone:
                return set()
            self._finish(presence.beacon, stay, max(stay.since, min(stay.last, presence.expires)))
            return {presence.zone}
        if stay is not None and stay.zone == presence.zone:
            stay.last, stay.expires = at, max(presence.expires, at)
            return set()
        changed = {presence.zone}
        if stay is not None:
            changed.add(stay.zone)
            self._finish(presence.beacon, stay, at)
        elif len(self.state.stays) >= BEACONS_MAX:
            oldest = next(iter(self.state.stays))
            self._finish(oldest, self.state.stays[oldest], at)
        self.state.stays[presence.beacon] = Stay(presence.zone, at, at, max(presence.expires, at))
        self._inside[presence.zone] = self._inside.get(presence.zone, 0) + 1
        return changed

    def close(self, watermark: float) -> list[Dwell]:
        """Beacons silent past their expiry leave; returns the dwell of a window the watermark has passed."""
        for beacon, stay in [(b, s) for b, s in self.state.stays.items() if s.expires < watermark]:
            self._finish(beacon, stay, stay.last)
        start = self.state.window_start
        current = watermark // WINDOW_S * WINDOW_S
        if start is None or current <= start:
            self.state.window_start = current if start is None else start
            return []
        finished, self.state.finished, self.state.window_start = self.state.finished, {}, current
        return [
            Dwell(
                at=start + WINDOW_S,
                start=start,
                zone=zone,
                visits=len(stays),
                p50_s=round(quantile(stays, 0.5), 1),
                p90_s=round(quantile(stays, 0.9), 1),
            )
            for zone, stays in sorted(finished.items())
            if len(stays) >= VISITS_MIN
        ]

    def inside(self, zone: str) -> int:
        """Beacons believed in a zone."""
        return self._inside.get(zone, 0)

    def _finish(self, beacon: str, stay: Stay, until: float) -> None:
        del self.state.stays[beacon]
        self._inside[stay.zone] -= 1
        seconds = until - stay.since
        if seconds >= PASSING_S:
            stays = self.state.finished.setdefault(stay.zone, [])
            if len(stays) < STAYS_MAX:
                stays.append(seconds)

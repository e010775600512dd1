"""The monitor folded up to a moment, and what it did to one zone on the way there. Pure."""

from collections import deque
from collections.abc import Iterable, Iterator

from msgspec import Struct, field

from flowmon.errors import FlowmonError
from flowmon.findings import Correction, DeviceState, Explained, VenueState, ZoneState
from flowmon.journal.port import Entry
from flowmon.monitor.core import Monitor
from flowmon.recording.tapes import moment
from flowmon.recording.times import written
from flowmon.venue.model import Venue

#: Corrections kept since the base; older ones are counted.
CORRECTIONS_MAX = 1_000


class Jump(Struct, frozen=True):
    """A correction, and the journal record that led to it."""

    offset: int
    correction: Correction


class Trail(Struct):
    """What happened to a zone since its last truth, which is in record `truth_offset` (None: before what was read).

    dropped: corrections beyond CORRECTIONS_MAX. first, last: moments of the first and last record that was folded.
    last_offset: of the last one (-1: none).
    """

    truth_offset: int | None = None
    jumps: deque[Jump] = field(default_factory=lambda: deque(maxlen=CORRECTIONS_MAX))
    dropped: int = 0
    first: float | None = None
    last: float | None = None
    last_offset: int = -1

    def add(self, jump: Jump) -> None:
        """One correction more; the oldest goes when there are too many."""
        self.dropped += len(self.jumps) == CORRECTIONS_MAX
        self.jumps.append(jump)


class Reasons(Struct, frozen=True):
    """Why a zone's number is what it is. devices: those that touch the zone and are not well."""

    state: ZoneState
    why: Explained
    trail: Trail
    devices: list[DeviceState]
    venue: VenueState


def fold(monitor: Monitor, zone: str, entries: Iterable[Entry], until: float) -> Trail:
    """Apply every record that happened up to `until`, seconds since the epoch."""
    trail = Trail()
    truth = monitor.truth(zone)
    for entry in _up_to(entries, until):
        told = monitor.apply_record(entry.record)
        at = moment(entry.record)
        trail.first = at if trail.first is None else trail.first
        trail.last, trail.last_offset = at, entry.offset
        if monitor.truth(zone) != truth:
            truth = monitor.truth(zone)
            trail.truth_offset, trail.dropped = entry.offset, 0
            trail.jumps.clear()
        for finding in told:
            if isinstance(finding, Correction) and finding.zone == zone:
                trail.add(Jump(entry.offset, finding))
    return trail


def _up_to(entries: Iterable[Entry], until: float) -> Iterator[Entry]:
    for entry in entries:
        if moment(entry.record) > until:
            return
        yield entry


def reasons(monitor: Monitor, venue: Venue, zone: str, trail: Trail) -> Reasons:
    """What the monitor says of a zone now. Raises FlowmonError before its first tick."""
    current = monitor.current()
    state = next((f for f in current if isinstance(f, ZoneState) and f.zone == zone), None)
    why = next((f for f in current if isinstance(f, Explained) and f.zone == zone), None)
    whole = next((f for f in current if isinstance(f, VenueState)), None)
    if state is None or why is None or whole is None:
        at = "" if trail.first is None else f" (the first is of {written(trail.first)})"
        raise FlowmonError(f"no record up to then has a tick, so no number was known yet{at}: ask for a later time")
    touching = devices_of(venue, zone)
    unwell = [
        f
        for f in current
        if isinstance(f, DeviceState)
        and (f.device in touching or zone in f.zones)
        and f.health not in {"good", "unknown"}
    ]
    return Reasons(state, why, trail, unwell, whole)


def devices_of(venue: Venue, zone: str) -> set[str]:
    """The counters at a zone's doors and the receivers in it."""
    counters = {name for name, counter in venue.counters.items() if zone in venue.portals[counter.portal].between}
    return counters | {name for name, receiver in venue.receivers.items() if receiver.zone == zone}

"""A walk through the rooms: `foyer 10:02-10:04, Ticket hall 10:04-10:07`, in the venue's local time. Pure."""

import re
from datetime import tzinfo
from itertools import pairwise

from msgspec import Struct

from flowmon.errors import FlowmonError
from flowmon.recording.times import moment
from flowmon.venue.model import Venue

SHORT_S, LONG_S = 20.0, 3600.0
_PART = re.compile(r"\s*(.+?)\s+(\d{1,2}:\d{2}(?::\d{2})?)\s*[-–]\s*(\d{1,2}:\d{2}(?::\d{2})?)\s*")


class Stretch(Struct, frozen=True):
    """A zone walked from `start` to `until`, seconds since the epoch."""

    zone: str
    start: float
    until: float


def parse(text: str, venue: Venue, *, day: float, zone: tzinfo) -> list[Stretch]:
    """The stretches in order of time; a zone may be walked twice. Raises FlowmonError with every problem.

    day: any moment of the local day of the walk. Zones go by id or by the name the venue file gives them.
    """
    known = {name.casefold(): name for name in venue.zones}
    known |= {value.name.casefold(): name for name, value in venue.zones.items() if value.name}
    stretches, problems = [], []
    for part in filter(str.strip, re.split(r"[,;\n]", text)):
        found = _PART.fullmatch(part)
        if found is None:
            problems.append(f"{part.strip()!r} is no stretch: write it like foyer 10:02-10:04")
            continue
        if (name := known.get(found[1].casefold())) is None:
            problems.append(f"there is no zone {found[1]!r} in {venue.id}: use one of {', '.join(venue.zones)}")
            continue
        start, until = (moment(found[n], anchor=day, zone=zone, begin=day) for n in (2, 3))
        if not SHORT_S <= until - start <= LONG_S:
            problems.append(
                f"{part.strip()!r} lasts {until - start:.0f} s: walk a room for two minutes, an hour at most"
            )
        stretches.append(Stretch(name, start, until))
    stretches.sort(key=lambda stretch: stretch.start)
    for one, other in pairwise(stretches):
        if other.start < one.until:
            problems.append(f"{one.zone} and {other.zone} overlap: one person is in one room at a time")
    if not stretches and not problems:
        problems.append("the walk is empty: write it like foyer 10:02-10:04, hall 10:04-10:07")
    if problems:
        raise FlowmonError("--walk: " + "; ".join(problems))
    return stretches

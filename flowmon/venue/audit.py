"""The meaning pass: every problem that a venue's shape alone cannot show, all of them at once.

Errors are what would make an answer wrong or impossible; warnings are what is probably not meant.
"""

import re
from collections.abc import Iterator
from difflib import get_close_matches
from zoneinfo import ZoneInfo, available_timezones

from flowmon.names import OUTSIDE, SLUG_MAX, is_slug
from flowmon.venue.audit_devices import devices
from flowmon.venue.audit_plan import CAPACITY_MAX, plan
from flowmon.venue.model import Hours, Problem, Venue
from flowmon.venue.shape import join

_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d|24:00")
_LAST_INDEX = re.compile(r"(\[\d+\])+$")
LATENESS_MAX_S = 60.0


def audit(venue: Venue, *, uncertain: frozenset[str] = frozenset()) -> list[Problem]:
    """Every problem of a venue, errors and warnings, in the order of the file's tables.

    uncertain: paths whose values stand in for something unreadable; they, and what follows from them, are
    not judged.
    """
    doubted = frozenset(_LAST_INDEX.sub("", path) for path in uncertain)
    found = [*_venue(venue), *_names(venue), *plan(venue, doubted), *devices(venue, doubted)]
    return [problem for problem in found if not any(_is_under(problem.path, path) for path in doubted)]


def _is_under(path: str, above: str) -> bool:
    return path == above or path.startswith((f"{above}.", f"{above}["))


def _venue(venue: Venue) -> Iterator[Problem]:
    if not is_slug(venue.id):
        yield _no_slug("id", venue.id)
    if not venue.name.strip():
        yield Problem(path="name", message="is empty", hint="screens show it: give the museum's name")
    if not _is_timezone(venue.timezone):
        close = get_close_matches(venue.timezone[:64], sorted(available_timezones()), n=1)
        hint = f"did you mean {close[0]}?" if close else "use a name of the IANA list, like Europe/Paris"
        yield Problem(path="timezone", message=f"{venue.timezone!r:.80} is no time zone", hint=hint)
    if not 0 <= venue.capacity <= CAPACITY_MAX:
        hint = "give the most people allowed in the whole building, or leave it out"
        yield Problem(path="capacity", message=f"{venue.capacity} is out of range", hint=hint)
    if not 0 < venue.lateness_s <= LATENESS_MAX_S:
        hint = "seconds that facts may arrive out of order; 2 suits most, 60 is the most"
        yield Problem(path="lateness_s", message=f"{venue.lateness_s:g} is out of range", hint=hint)
    if venue.privacy.mode == "consent" and venue.receivers and not venue.privacy.beacons:
        hint = 'list the beacons you hand out, like ["iBeacon:<uuid>"]: as long as none is listed, none is kept'
        yield Problem(path="privacy.beacons", message="is empty with mode consent", hint=hint, severity="warning")
    for n, entry in enumerate(venue.privacy.beacons):
        if not entry.strip(" -:"):
            yield Problem(path=f"privacy.beacons[{n}]", message="is empty", hint="name a beacon, or take it out")
    for n, hours in enumerate(venue.hours):
        yield from _opening(hours, f"hours[{n}]")
    yield from _doubly_open(venue.hours)


def _is_timezone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, not a name at all, a folder of names
        return False
    return True


def _opening(hours: Hours, path: str) -> Iterator[Problem]:
    for field in ("opens", "closes"):
        text = getattr(hours, field)
        if not _TIME.fullmatch(text):
            hint = 'write local time as "HH:MM", like "09:30"'
            yield Problem(path=join(path, field), message=f"{text!r:.40} is no time of day", hint=hint)
    if _TIME.fullmatch(hours.opens) and _TIME.fullmatch(hours.closes) and hours.opens >= hours.closes:
        hint = 'hours past midnight are two entries: one until "24:00", one from "00:00" on the next day'
        message = f"closes at {hours.closes}, not after it opens at {hours.opens}"
        yield Problem(path=join(path, "closes"), message=message, hint=hint)
    if not hours.days or not all(0 <= day <= 6 for day in hours.days):
        hint = "days are 0 (Monday) to 6 (Sunday); name at least one"
        yield Problem(path=join(path, "days"), message="names no day, or one that is none", hint=hint)


def _doubly_open(hours: list[Hours]) -> Iterator[Problem]:
    for n, later in enumerate(hours):
        for m, earlier in enumerate(hours[:n]):
            same_day = set(later.days) & set(earlier.days)
            if same_day and later.opens < earlier.closes and earlier.opens < later.closes:
                message = f"overlaps hours[{m}] on day {min(same_day)}"
                hint = "each day has its own hours; take the day out of one of them"
                yield Problem(path=f"hours[{n}].days", message=message, hint=hint)


def _names(venue: Venue) -> Iterator[Problem]:
    for table in ("floors", "zones", "portals", "counters", "receivers", "queues", "rules"):
        for name, entry in getattr(venue, table).items():
            path = join(table, name)
            if not is_slug(name):
                yield _no_slug(path, name)
            label = getattr(entry, "name", "")
            if len(label) > 200 or not label.isprintable():
                hint = "at most 200 characters that can be printed"
                yield Problem(path=join(path, "name"), message="cannot be shown", hint=hint)
    if OUTSIDE in venue.zones:
        hint = "outside is always there: name this zone otherwise, e.g. courtyard"
        yield Problem(path=f"zones.{OUTSIDE}", message="is the name of everywhere else", hint=hint)


def _no_slug(path: str, name: str) -> Problem:
    suggestion = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:SLUG_MAX].rstrip("-")
    example = f", e.g. {suggestion}" if is_slug(suggestion) else ", e.g. salle-711"
    hint = f"use small letters, digits and single hyphens, at most {SLUG_MAX}{example}"
    return Problem(path=path, message=f"{name!r:.80} cannot be an id", hint=hint)

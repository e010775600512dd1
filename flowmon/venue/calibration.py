"""The file of `flowmon calibrate`: what each receiver hears in each zone, as JSON. Pure.

    {"flowmon": "calibration", "version": 1, "venue": "museum", "fingerprint": "…", "date": "2026-11-24",
     "seconds": {"foyer": 120}, "heard": [{"zone": "foyer", "receiver": "rx-foyer", "median_dbm": -63.0, …}]}

fingerprint: of the venue file it was made with, its own rows left out; seconds: how long each zone was walked.
"""

import math

import msgspec
from msgspec import Struct, structs

from flowmon.venue.model import Heard, Problem, Radio, Venue, fingerprint

VERSION = 1
PATH = "radio.calibration"


class Calibration(Struct, frozen=True, kw_only=True):
    """Unknown fields are ignored, so that a table may carry notes."""

    flowmon: str
    version: int
    venue: str
    fingerprint: str
    date: str
    seconds: dict[str, float] = {}
    heard: list[Heard]


def made(venue: Venue, date: str, seconds: dict[str, float], heard: list[Heard]) -> Calibration:
    """A table for a venue, walked on `date` (YYYY-MM-DD)."""
    return Calibration(
        flowmon="calibration",
        version=VERSION,
        venue=venue.id,
        fingerprint=fingerprint(structs.replace(venue, radio=Radio())),
        date=date,
        seconds=seconds,
        heard=heard,
    )


def encode(table: Calibration) -> bytes:
    """JSON for people to look at."""
    return msgspec.json.format(msgspec.json.encode(table), indent=1) + b"\n"


def applied(venue: Venue, data: bytes) -> tuple[Venue | None, list[Problem]]:
    """The venue with the rows of a table; None and an error when it is none. Rows of strangers are left out."""
    try:
        table = msgspec.json.decode(data, type=Calibration)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        return None, [_error(f"is no table of flowmon calibrate: {error}")]
    if (table.flowmon, table.version) != ("calibration", VERSION):
        return None, [_error(f"is version {table.version} of {table.flowmon[:40]!r}, not version {VERSION}")]
    if table.venue != venue.id:
        return None, [_error(f"was made for the venue {table.venue[:64]!r}")]
    if bad := next((row for row in table.heard if not _possible(row)), None):
        return None, [_error(f"has impossible numbers for {bad.zone[:64]} and {bad.receiver[:64]}")]
    known = [row for row in table.heard if row.zone in venue.zones and row.receiver in venue.receivers]
    found = []
    for kind, there, told in (
        ("receivers", venue.receivers, {row.receiver for row in known}),
        ("zones", venue.zones, {row.zone for row in known}),
    ):
        if missing := [name for name in there if name not in told]:
            message = f"says nothing of the {kind} {', '.join(missing[:10])}"
            hint = "distances and walls of the plan must do for them until you walk again"
            found.append(Problem(path=PATH, message=message, hint=hint, severity="warning"))
    return structs.replace(venue, radio=Radio(venue.radio.calibration, known)), found


def _possible(row: Heard) -> bool:
    numbers = (row.median_dbm, row.spread_db, row.silent)
    sane = -127.0 <= row.median_dbm <= 20.0 and 0.0 <= row.spread_db <= 60.0 and 0.0 <= row.silent <= 1.0
    return sane and all(map(math.isfinite, numbers))


def _error(message: str) -> Problem:
    return Problem(path=PATH, message=message, hint="make it again with `flowmon calibrate`")

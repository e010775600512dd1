"""Bytes of `venue.toml` to a `Venue`, in three passes: TOML, shape, meaning. All problems at once."""

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import structs

from flowmon.errors import VenueInvalid
from flowmon.venue import calibration
from flowmon.venue.audit import audit
from flowmon.venue.model import Problem, Venue
from flowmon.venue.shape import Shape

SIZE_MAX = 1 << 20
# tomllib takes quadratic time over the parts of one dotted key; a venue needs three.
_ENDLESS_KEY = re.compile(rb"""(?<![\w"' \t.-])(?:[\w"' \t-]++\.){64}""")


def load(path: Path) -> Venue:
    """The venue in a file. Raises VenueInvalid with all its problems; a file that cannot be read is one."""
    venue, found = read(path)
    return _valid(venue, found)


def load_all(paths: Sequence[Path]) -> list[Venue]:
    """The venues of one installation. Raises VenueInvalid with the problems of all files, repeated ids among them."""
    venues: dict[str, Venue] = {}
    found: list[Problem] = []
    for path in paths:
        venue, problems_here = read(path)
        found += [problem for problem in problems_here if problem.severity == "error"]
        if venue is not None and venues.setdefault(venue.id, venue) is not venue:
            message, hint = f"another file has the same id {venue.id}", "give each venue its own id"
            found.append(Problem(path="id", message=message, hint=hint, file=str(path)))
    if found:
        raise VenueInvalid(found)
    return list(venues.values())


def parse(data: bytes, *, file: str = "") -> Venue:
    """The venue in these bytes of TOML. Raises VenueInvalid with all problems; warnings alone do not refuse.

    file: the name to put into the problems.
    """
    venue, found = problems(data, file)
    return _valid(venue, found)


def read(path: Path) -> tuple[Venue | None, list[Problem]]:
    """Like `problems`, for a file; never raises."""
    try:
        with path.open("rb") as stream:
            data = stream.read(SIZE_MAX + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        hint = "give the path of a venue file that you may read, e.g. deploy/venues/museum.toml"
        return None, [Problem(path="", message=f"cannot be read: {reason}", hint=hint, file=str(path))]
    venue, found = problems(data, str(path))
    if venue is None or not venue.radio.calibration:
        return venue, found
    venue, more = _calibrated(venue, path)
    return venue, found + [structs.replace(problem, file=str(path)) for problem in more]


def _calibrated(venue: Venue, path: Path) -> tuple[Venue | None, list[Problem]]:
    """The venue with the table of the file that its `[radio]` names, beside the venue file."""
    try:
        with (path.parent / venue.radio.calibration).open("rb") as stream:
            data = stream.read(SIZE_MAX + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        hint = "make it with `flowmon calibrate`, or take the line out until then"
        return None, [Problem(path="radio.calibration", message=f"cannot be read: {reason}", hint=hint)]
    return calibration.applied(venue, data)


def problems(data: bytes, file: str = "") -> tuple[Venue | None, list[Problem]]:
    """The venue (None when any problem is an error) and every problem in the order of the file's tables."""
    table, found = _toml(data)
    venue = None
    if table is not None:
        shape = Shape()
        venue = shape.struct(Venue, table, "")
        found = shape.problems + audit(venue, uncertain=frozenset(p.path for p in shape.problems))
    found = [structs.replace(problem, file=file) for problem in found]
    if any(problem.severity == "error" for problem in found):
        return None, found
    return venue, found


def _valid(venue: Venue | None, found: list[Problem]) -> Venue:
    if venue is None:
        raise VenueInvalid([problem for problem in found if problem.severity == "error"])
    return venue


def _toml(data: bytes) -> tuple[dict[str, Any] | None, list[Problem]]:
    if len(data) > SIZE_MAX:
        hint = f"the limit is {SIZE_MAX} bytes; is this really a venue file?"
        return None, [Problem(path="", message="is too large", hint=hint)]
    if _ENDLESS_KEY.search(data):
        hint = "a key has at most three parts, like zones.foyer.capacity"
        return None, [Problem(path="", message="has a key of more than 64 parts", hint=hint)]
    try:
        return tomllib.loads(data.decode()), []
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message, hint = f"is no UTF-8 text (line {line})", "save the file as UTF-8"
    except RecursionError:
        message, hint = "is nested too deeply", "outlines are lists of [x, y] points, nothing is deeper"
    except ValueError as error:
        message, hint = (
            f"is no TOML: {error}",
            "mend the line named here; strings need quotes, tables [brackets]",
        )
    return None, [Problem(path="", message=message, hint=hint)]

"""Mapping files that a venue file names: a route's `dialect` that ends in `.toml` is a path relative to that file."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from flowmon.errors import FlowmonError
from flowmon.venue.model import Venue
from sensors.dialects import DIALECTS
from sensors.dialects.port import Dialect
from sensors.mapping.read import load


def dialects_of(venues: Iterable[Venue], paths: Sequence[Path]) -> Mapping[str, Dialect]:
    """The table of dialects, with the mapping files that routes name, each under its path as the venue file writes it.

    paths: of the venue files, in the order of the venues.
    Raises MappingInvalid for a mapping with problems, FlowmonError when one name means two files.
    """
    found: dict[str, Path] = {}
    for place, venue in enumerate(venues):
        for name in dict.fromkeys(route.dialect for route in venue.routes if route.dialect.endswith(".toml")):
            if place >= len(paths):
                raise FlowmonError(f"venue {venue.id} names the mapping {name!r}, but it comes from no file")
            file = (paths[place].parent / name).resolve()
            if found.setdefault(name, file) != file:
                raise FlowmonError(f"mapping {name!r} is {found[name]} in one venue and {file} in another: rename one")
    return {**DIALECTS, **{name: load(file) for name, file in found.items()}} if found else DIALECTS

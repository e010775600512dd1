"""Venues that come with the simulator, by name: layouts to score on, and the museum of the demo."""

from pathlib import Path

from flowmon.errors import FlowmonError
from flowmon.venue.model import Venue
from flowmon.venue.parse import load

_HERE = Path(__file__).parent
MUSEUM = _HERE.parent / "deploy" / "venues" / "museum.toml"
LAYOUTS = {
    "S": _HERE / "layouts" / "layout-s.toml",
    "M": _HERE / "layouts" / "layout-m.toml",
    "L": _HERE / "layouts" / "layout-l.toml",
    "museum": MUSEUM,
}


def layout(name: str) -> Venue:
    """A layout by name, or a venue file by its path. Raises FlowmonError, VenueInvalid."""
    path = LAYOUTS.get(name, Path(name))
    if name not in LAYOUTS and path.suffix != ".toml":
        raise FlowmonError(f"no layout {name!r}: use one of {', '.join(LAYOUTS)}, or a venue file (.toml)")
    return load(path)

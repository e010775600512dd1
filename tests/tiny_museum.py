"""A museum of five zones for tests of the simulator: one queue, one counter of each kind, two receivers."""

from flowmon.venue import parse
from flowmon.venue.model import Venue
from simulator import scenario
from simulator.scenario import Scenario

TOML = b"""
id = "tiny"
name = "Tiny museum"
timezone = "Europe/Paris"
capacity = 60

[[hours]]
opens = "10:00"
closes = "13:00"

[floors.ground]
outline = [[0, 0], [24, 0], [24, 12], [0, 12]]

[zones.lobby]
floor = "ground"
profile = "queue"
capacity = 40
outline = [[0, 0], [8, 0], [8, 12], [0, 12]]

[zones.hall]
floor = "ground"
profile = "hall"
capacity = 30
outline = [[8, 0], [16, 0], [16, 6], [8, 6]]

[zones.east]
floor = "ground"
capacity = 20
outline = [[8, 6], [16, 6], [16, 12], [8, 12]]

[zones.west]
floor = "ground"
capacity = 20
outline = [[16, 0], [24, 0], [24, 12], [16, 12]]

[portals.door]
between = ["outside", "lobby"]
at = [0, 6]

[portals.gate]
between = ["lobby", "hall"]
at = [8, 3]

[portals.arch]
between = ["hall", "east"]
at = [12, 6]

[portals.passage]
between = ["hall", "west"]
at = [16, 3]

[portals.corner]
between = ["east", "west"]
at = [16, 9]

[counters.c-door]
portal = "door"
towards = "lobby"
dialect = "xovis"
device = "80:1F:00:00:00:01"
credit = "window"

[counters.c-gate]
portal = "gate"
towards = "hall"
credit = "cumulative"

[counters.c-arch]
portal = "arch"
towards = "east"

[counters.c-passage]
portal = "passage"
towards = "west"

[counters.c-corner]
portal = "corner"
towards = "west"

[receivers.r-east]
zone = "east"
at = [12, 9]

[receivers.r-west]
zone = "west"
at = [20, 6]

[queues.tickets]
zone = "lobby"
desks = 2

[[routes]]
topic = "xovis/#"
dialect = "xovis"

[[routes]]
topic = "espresense/#"
dialect = "espresense"
"""

PERFECT = b"""
[devices]
miss = 0
shadow = 0
double = 0
staff_low = 0
staff_high = 0
skew_s = 0
latency_s = 0
"""


def venue() -> Venue:
    """The museum, as its file describes it."""
    return parse.parse(TOML)


def day(toml: bytes = b"", *, visitors: int = 120) -> Scenario:
    """A day of it; `toml` is what is special about the day."""
    return scenario.parse(b"visitors = %d\n" % visitors + toml, name="test")

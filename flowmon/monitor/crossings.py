"""What a door can tell of: crossings, the lines that tell of them, and what no door can tell.

Theory of operation
    A device counts on one line or more. A line belongs to one counter of the venue file, which says how the two numbers
    of the line become the counter's: as they are, turned round (`invert`), or all one way (`backward_line`, where each
    direction has a line of its own).

    A crossing is what is left of a count when its duplicates, its kind and its clock are settled: people who passed a
    counter at a time. Crossings sort in the order in which the core takes them in: (time, counter, sequence).

    What no door can make is refused whole, so that a broken device moves no number: over 50 people a second and 100 at
    once; and, told as one event, more than 20 who pass both ways, which is a register read as events.
"""

from typing import NamedTuple

from flowmon.facts import Count
from flowmon.venue.model import Counter, Venue

PEOPLE_PER_S_MAX = 50.0
EVENT_BOTH_WAYS_MAX = 20


class Crossing(NamedTuple):
    """People who passed a counter; sorts in the order in which the core takes them in.

    period_s: the seconds before `at` in which they passed (0: at `at`). late: told after the watermark had passed it.
    """

    at: float
    counter: str
    seq: int
    forward: int
    backward: int
    late: bool
    period_s: float = 0.0


class Line(NamedTuple):
    """One line of a device as the venue file has it: its counter, and how its two numbers become the counter's.

    one_way: all its people pass one way, `swapped` says backward, whichever field they come in.
    """

    name: str
    counter: Counter
    key: str
    swapped: bool
    one_way: bool = False


class Note(NamedTuple):
    """Something odd about a device. code: what kind of thing; reason "" ends it; lasting: until it is ended."""

    device: str
    code: str
    reason: str
    lasting: bool = False


class Refused(Exception):
    """The fact cannot be used; the reason says what to do. Never leaves the monitor."""


def lines(venue: Venue) -> list[tuple[tuple[str, str], Line]]:
    """(device, line) -> line; what one direction of a counter reads from a line of its own is turned round."""
    found = []
    for name, counter in venue.counters.items():
        device = counter.device or name
        found.append(((device, counter.line), Line(name, counter, name, counter.invert)))
        if counter.backward_line:
            back = Line(name, counter, f"{name} backward", not counter.invert, one_way=True)
            found.append(((device, counter.backward_line), back))
    return found


def instant(fact: Count) -> None:
    """Raises Refused for an event of more people than pass both ways in one moment: a register told as one."""
    if fact.forward and fact.backward and fact.forward + fact.backward > EVENT_BOTH_WAYS_MAX:
        raise Refused(
            f"{fact.forward} people forward and {fact.backward} backward in one moment look like a register: nothing "
            "credited; credit another kind, or the dialect that reads them as registers (flowmon learn tells)"
        )


def plausible(people: int, seconds: float) -> None:
    """Raises Refused for more people than pass a door in `seconds`."""
    if people > PEOPLE_PER_S_MAX * max(seconds, 1.0) + 100:
        raise Refused(f"{people} people in {max(seconds, 1.0):.0f} s pass no door: nothing credited")

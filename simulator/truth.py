"""What really happened, beside what the devices said: JSON lines that no part of the product may read but scoring.

The first line is a header, each further line one `Truth`. Truth counts visitors; staff are seen by counters but are
no visitors. Times are true times, in seconds since the epoch.
"""

from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import msgspec
from msgspec import Struct

from flowmon.errors import FlowmonError
from flowmon.venue.model import Venue, fingerprint
from simulator.day import Day
from simulator.scenario import Scenario


class TruthBase(Struct, frozen=True, kw_only=True, tag_field="type", gc=False):
    """`at`: when it was so."""

    at: float


class Crossed(TruthBase, frozen=True, kw_only=True, tag="crossed", gc=False):
    """A visitor went through a portal."""

    person: int
    portal: str
    left: str
    entered: str


class Occupied(TruthBase, frozen=True, kw_only=True, tag="occupied", gc=False):
    """Visitors in a zone from now on; told at each change."""

    zone: str
    people: int


class Queued(TruthBase, frozen=True, kw_only=True, tag="queued", gc=False):
    """People waiting in a queue (not those being served) and desks open, from now on; told at each change."""

    queue: str
    people: int
    desks: int


class Waited(TruthBase, frozen=True, kw_only=True, tag="waited", gc=False):
    """A visitor left a queue at `at`: joined, then called to a desk, or turned away at closing (called = None)."""

    person: int
    queue: str
    joined: float
    called: float | None


class Carried(TruthBase, frozen=True, kw_only=True, tag="carried", gc=False):
    """A beacon came into a zone (`outside` when it left)."""

    beacon: str
    zone: str


class Faulted(TruthBase, frozen=True, kw_only=True, tag="faulted", gc=False):
    """A fault of a device began (`active`) or ended: the sentinel that scores and tests look for."""

    device: str
    kind: str
    active: bool


Truth = Crossed | Occupied | Queued | Waited | Carried | Faulted


class Header(Struct, frozen=True, kw_only=True):
    """The first line of a truth file."""

    flowmon: Literal["truth"] = "truth"
    version: Literal[1] = 1
    venue: str
    fingerprint: str
    simulated: Literal[True] = True
    scenario: str
    seed: int
    start: float
    end: float


def header(venue: Venue, scenario: Scenario, seed: int, day: Day) -> Header:
    """The header for a simulated day."""
    return Header(
        venue=venue.id,
        fingerprint=fingerprint(venue),
        scenario=scenario.name,
        seed=seed,
        start=day.start,
        end=day.end,
    )


class Lines:
    """Writes values as JSON lines; a context manager. Raises FlowmonError when the file cannot be written."""

    def __init__(self, path: Path, first: Struct) -> None:
        self._path = path
        self._encoder = msgspec.json.Encoder()
        try:
            self._file = path.open("wb")
            self.write(first)
        except OSError as error:
            raise self._explained(error) from error

    def write(self, value: Struct) -> None:
        """One more line."""
        try:
            self._file.write(self._encoder.encode(value) + b"\n")
        except OSError as error:
            raise self._explained(error) from error

    def _explained(self, error: OSError) -> FlowmonError:
        return FlowmonError(f"cannot write {self._path}: {error.strerror}; free space, or name another place")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
        except OSError as failure:
            raise self._explained(failure) from failure


def read(path: Path) -> tuple[Header, list[Truth]]:
    """A truth file, whole. Raises FlowmonError when it is none."""
    try:
        first, *rest = path.read_bytes().splitlines()
        return msgspec.json.decode(first, type=Header), [msgspec.json.decode(line, type=Truth) for line in rest]
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        raise FlowmonError(f"{path} is no truth file: {error}") from error

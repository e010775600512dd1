"""Which journal is asked: a recording, the folder of a `flowmon run`, or Kafka."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from msgspec import Struct

from flowmon.clock import Clock
from flowmon.errors import FlowmonError
from flowmon.journal.port import Entry
from flowmon.recording import progress
from flowmon.recording.job import venue_of
from flowmon.recording.journals import Folder, Topic, chosen
from flowmon.recording.tapes import Tape, begin, moment, open_tapes
from flowmon.settings import Settings
from flowmon.venue.model import Venue
from flowmon.venue.parse import load

#: `(after, until)`: the records past an offset, with a progress bar over the time up to `until`.
Entries = Callable[[int, float], AbstractContextManager[Iterator[Entry]]]


class Asked(Struct, frozen=True):
    """A journal to be folded. begin, end: when its first and last records happened; no end: not known before.

    today: the moment whose day a time without a date is on. name: what it is called in messages.
    checkpoint: the file a `flowmon run` keeps its state in.
    """

    name: str
    venue: Venue
    simulated: bool
    begin: float
    end: float | None
    today: float
    entries: Entries
    checkpoint: Path | None = None


def opened(args: argparse.Namespace, installed: Settings) -> Asked:
    """The journal of a command line. Raises FlowmonError when it is not clear which, or nothing is in it."""
    if args.recording:
        return _recording(args.recording, args.venue, installed)
    if args.kafka is not None:
        return _kafka(args.kafka or installed.kafka, load(args.venue) if args.venue else chosen(installed.venues, None))
    return _folder(args.data or installed.data, args.venue, installed)


def _recording(paths: list[Path], file: Path | None, installed: Settings) -> Asked:
    tapes = open_tapes(paths)
    wanted = load(file).id if file else None
    fitting = [tape for tape in tapes if wanted in {None, tape.venue}]
    if len(fitting) != 1:
        names = ", ".join(tape.venue for tape in tapes)
        raise FlowmonError(f"--recording is of {names}: choose with --venue FILE, or give one alone")
    (tape,) = fitting
    venue, first = venue_of(tape, file, installed), begin(tape)

    @contextmanager
    def entries(after: int, until: float) -> Iterator[Iterator[Entry]]:
        del until  # a file's size is known, its end is not
        with progress.bar("explain", tape.paths) as told:
            yield (entry for entry in tape.entries(told) if entry.offset > after)

    name = ", ".join(str(path) for path in tape.paths)
    return Asked(name, venue, tape.header.simulated or venue.simulated, first, None, first, entries)


def _folder(data: Path, file: Path | None, installed: Settings) -> Asked:
    folder = Folder(data / "journal", load(file).id if file else None)
    tape = Tape(folder.header.venue, folder.header, [data / "journal" / folder.header.venue])
    venue, last = venue_of(tape, file, installed), folder.last()
    first, end = folder.begin(), moment(last.record) if last else None
    return Asked(
        str(tape.paths[0]),
        venue,
        folder.header.simulated or venue.simulated,
        first,
        end,
        end or first,
        partial(_timed, folder.entries, first),
        data / "checkpoints" / f"{venue.id}.bin",
    )


def _kafka(bootstrap: str, venue: Venue) -> Asked:
    topic, now = Topic(bootstrap, venue), Clock().now()
    first = topic.begin()

    def entries(after: int) -> Iterator[Entry]:
        return (entry for entry in topic.entries() if entry.offset > after)

    return Asked(f"Kafka at {bootstrap}", venue, venue.simulated, first, now, now, partial(_timed, entries, first))


@contextmanager
def _timed(
    entries: Callable[[int], Iterator[Entry]], begin: float, after: int, until: float
) -> Iterator[Iterator[Entry]]:
    with progress.clock("explain", begin, until) as told:
        yield _telling(entries(after), told)


def _telling(entries: Iterator[Entry], told: Callable[[float], None]) -> Iterator[Entry]:
    for entry in entries:
        told(moment(entry.record))
        yield entry

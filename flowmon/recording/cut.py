"""`flowmon cut REC… --start T --until T --out FILE`: a piece of a recording, its records under the same offsets."""

import argparse
import itertools
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from flowmon.errors import FlowmonError
from flowmon.facts import Record
from flowmon.journal.files import Header, write_entries
from flowmon.journal.port import Entry
from flowmon.recording.progress import bar
from flowmon.recording.tapes import begin, moment, open_tapes
from flowmon.recording.times import Unreadable, window, written, zone_of


def piece(entries: Iterable[Entry], start: float, until: float) -> Iterator[tuple[int, Record]]:
    """`(offset, record)` of what happened at or after `start` and before `until`."""
    for entry in entries:
        if start <= moment(entry.record) < until:
            yield entry.offset, entry.record


def save(path: Path, header: Header, entries: Iterator[tuple[int, Record]]) -> int:
    """Write a piece under the offset of its first record; returns the number of records.

    Raises FlowmonError when there is none: an empty recording is nobody's wish.
    """
    first = next(entries, None)
    if first is None:
        raise FlowmonError("there is no record in that time: see `flowmon info`, and mind the time zone")
    header = msgspec.structs.replace(header, first_offset=first[0])
    return write_entries(path, header, itertools.chain([first], entries))


def arguments(parser: argparse.ArgumentParser) -> None:
    """REC…, --start, --until, --duration, --out."""
    parser.add_argument("recordings", nargs="+", type=Path, metavar="REC", help="recordings of one venue")
    parser.add_argument("--out", type=Path, required=True, help="the file to write (gzip when it ends in .gz)")
    add_window(parser)


def add_window(parser: argparse.ArgumentParser) -> None:
    """The flags that say from when to when."""
    parser.add_argument("--start", metavar="T", help="13:50, +2h (from the beginning) or an ISO time")
    parser.add_argument("--until", metavar="T", help="the end, written like --start")
    parser.add_argument("--duration", metavar="D", help="20m, 1h30m or 90s, instead of --until")


def run(args: argparse.Namespace) -> int:
    """Cut; 2 when it is not clear what."""
    try:
        tapes = open_tapes(args.recordings)
        if len(tapes) != 1:
            names = ", ".join(tape.venue for tape in tapes)
            raise Unreadable(f"these are recordings of several venues ({names}): cut one at a time")
        (tape,) = tapes
        if args.out.resolve() in [path.resolve() for path in tape.paths]:
            raise Unreadable(f"{args.out} is what is cut from: give --out another name")
        zone, first = zone_of(tape.header.plan.timezone if tape.header.plan else "UTC"), begin(tape)
        start, until = window(args.start, args.until, args.duration, anchor=first, zone=zone, begin=first)
    except FlowmonError as error:
        print(f"flowmon cut: {error}", file=sys.stderr)
        return 2
    with bar("cut", tape.paths) as progress:
        count = save(args.out, tape.header, piece(tape.entries(progress), start, until))
    print(f"{args.out}: {count} records, from {written(max(start, first), zone)}")
    return 0

"""`flowmon record`: save a part of the journal (a folder of files, or Kafka) as a recording."""

import argparse
import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

from flowmon import settings
from flowmon.clock import Clock
from flowmon.errors import FlowmonError
from flowmon.journal.files import Header, header_of, read_folder, read_header
from flowmon.journal.port import Entry
from flowmon.journal.segments import segments
from flowmon.recording.cut import add_window, piece, save
from flowmon.recording.tapes import moment
from flowmon.recording.times import Unreadable, window, zone_of
from flowmon.venue.model import Venue
from flowmon.venue.parse import load

KAFKA_WITHIN_S = 10.0


def arguments(parser: argparse.ArgumentParser) -> None:
    """--data or --kafka, --venue, --start, --until, --duration, --out."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--data", type=Path, metavar="DIR", help="data folder of `flowmon run` (FLOWMON_DATA)")
    source.add_argument("--kafka", nargs="?", const="", metavar="HOST:PORT", help="read Kafka instead (FLOWMON_KAFKA)")
    parser.add_argument("--venue", metavar="ID", help="which venue; needed only when there are several")
    parser.add_argument("--out", type=Path, required=True, help="the file to write (gzip when it ends in .gz)")
    add_window(parser)
    parser.epilog = "Without --start everything is saved; 13:50 is today, -10m is ten minutes before now."


def run(args: argparse.Namespace) -> int:
    """Save; 2 when it is not clear what."""
    installed = settings.load()
    try:
        source = _source(args, installed)
        begin = source.begin()
        plan = source.header.plan
        start, until = window(
            args.start,
            args.until,
            args.duration,
            anchor=Clock().now(),
            zone=zone_of(plan.timezone if plan else "UTC"),
            begin=begin,
        )
    except (Unreadable, _Unclear) as error:
        print(f"flowmon record: {error}", file=sys.stderr)
        return 2
    count = save(args.out, source.header, piece(source.entries(), start, until))
    print(f"{args.out}: {count} records of {source.header.venue}")
    return 0


def _source(args: argparse.Namespace, installed: settings.Settings) -> "_Folder | _Kafka":
    if args.kafka is None:
        return _Folder((args.data or installed.data) / "journal", args.venue)
    return _Kafka(args.kafka or installed.kafka, _venue(installed.venues, args.venue))


class _Unclear(FlowmonError):
    """It is not clear which journal or venue is meant."""


class _Folder:
    """The journal of a `flowmon run`, which may be running."""

    def __init__(self, folder: Path, venue: str | None) -> None:
        there = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
        chosen = [venue] if venue else there
        if len(chosen) != 1 or not segments(folder / chosen[0]):
            names = ", ".join(there) or "nothing"
            raise _Unclear(f"{folder} has the journal of {names}: choose with --venue, or another --data")
        self._folder, self._venue = folder, chosen[0]
        self.header = read_header(segments(folder / chosen[0])[-1][1])

    def begin(self) -> float:
        for entry in read_folder(self._folder, self._venue):
            return moment(entry.record)
        raise _Unclear(f"{self._folder / self._venue} holds no record yet")

    def entries(self) -> Iterator[Entry]:
        return read_folder(self._folder, self._venue)


class _Kafka:
    """The facts topic, one venue of it, up to what stands there now."""

    def __init__(self, bootstrap: str, venue: Venue) -> None:
        self._bootstrap = bootstrap
        self.header: Header = header_of(venue)

    def begin(self) -> float:
        for entry in self.entries():
            return moment(entry.record)
        raise _Unclear(f"Kafka at {self._bootstrap} holds no record of {self.header.venue}")

    def entries(self) -> Iterator[Entry]:
        # The one who writes the file pulls, so that no more than one batch is in memory.
        from flowmon.journal.kafka import KafkaJournal  # noqa: PLC0415 -- not needed to read files

        with asyncio.Runner() as runner:
            journal = KafkaJournal(self._bootstrap, patience_s=KAFKA_WITHIN_S)
            stream = aiter(journal.read(self.header.venue))
            try:
                while True:
                    entry = runner.run(_next(stream))
                    if entry is None:
                        return
                    yield entry
            finally:
                runner.run(journal.close())


async def _next(stream: object) -> Entry | None:
    return await anext(stream, None)  # type: ignore[call-overload,no-any-return]


def _venue(paths: tuple[Path, ...], wanted: str | None) -> Venue:
    venues = [load(path) for path in paths]
    chosen = [venue for venue in venues if wanted in {None, venue.id}]
    if len(chosen) != 1:
        names = ", ".join(venue.id for venue in venues)
        raise _Unclear(f"FLOWMON_VENUES names {names}: choose one with --venue")
    return chosen[0]

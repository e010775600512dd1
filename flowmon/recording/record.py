"""`flowmon record`: save a part of the journal (a folder of files, or Kafka) as a recording."""

import argparse
import sys
from pathlib import Path

from flowmon import settings
from flowmon.clock import Clock
from flowmon.recording.cut import add_window, piece, save
from flowmon.recording.journals import Folder, Topic, Unclear, chosen
from flowmon.recording.times import Unreadable, window, zone_of


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
    except (Unreadable, Unclear) as error:
        print(f"flowmon record: {error}", file=sys.stderr)
        return 2
    count = save(args.out, source.header, piece(source.entries(), start, until))
    print(f"{args.out}: {count} records of {source.header.venue}")
    return 0


def _source(args: argparse.Namespace, installed: settings.Settings) -> Folder | Topic:
    if args.kafka is None:
        return Folder((args.data or installed.data) / "journal", args.venue)
    return Topic(args.kafka or installed.kafka, chosen(installed.venues, args.venue))

"""What a replay is asked to do: command line to recordings, venues, window and pace. All errors are usage errors."""

import argparse
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct

from flowmon.journal.port import Entry
from flowmon.recording.tapes import FACT_TYPES, Tape, begin, merged, moment, of_types, open_tapes
from flowmon.recording.times import Unreadable, rate, seconds, window, zone_of
from flowmon.settings import Settings
from flowmon.venue.model import Venue, fingerprint
from flowmon.venue.parse import load

TARGETS = ("null", "feed", "kafka", "mqtt")


class Job(Struct, frozen=True, kw_only=True):
    """A replay to be done. start, until: seconds since the epoch, infinite where open."""

    tapes: list[Tape]
    venues: dict[str, Venue]
    start: float
    until: float
    rate: float
    max_gap_s: float
    only: frozenset[str]
    exclude: frozenset[str]
    loop: int
    simulated: bool

    @property
    def paths(self) -> list[Path]:
        """All files that are read."""
        return [path for tape in self.tapes for path in tape.paths]

    def entries(self, progress: Callable[[Path, int], None] | None = None) -> Iterator[Entry]:
        """One pass: every wanted entry before `until`; those before `start` too, for the state they leave."""
        stream = merged([tape.entries(progress) for tape in self.tapes])
        for entry in of_types(stream, self.only, self.exclude):
            if moment(entry.record) >= self.until:
                return
            yield entry


def arguments(parser: argparse.ArgumentParser) -> None:
    """The flags that say what is replayed, and how fast."""
    parser.add_argument("recordings", nargs="+", type=Path, metavar="REC", help="recordings, or folders of them")
    parser.add_argument("--venue", type=Path, metavar="venue.toml", help="with another venue file: what if?")
    parser.add_argument("--rate", metavar="N", help="recorded seconds a second, or max (null: max, others: 1)")
    parser.add_argument("--start", metavar="T", help="13:50, +2h (from the beginning) or an ISO time")
    parser.add_argument("--until", metavar="T", help="the end, written like --start")
    parser.add_argument("--duration", metavar="D", help="20m, 1h30m or 90s, instead of --until")
    parser.add_argument("--max-gap", metavar="D", default="", help="shorten longer silences, e.g. 5s")
    parser.add_argument("--loop", type=int, default=1, metavar="N", help="play N times")
    for flag, text in (("--only", "only facts of this type"), ("--exclude", "no facts of this type")):
        parser.add_argument(
            flag, action="append", default=[], choices=FACT_TYPES, metavar="TYPE", help=f"{text} (repeatable)"
        )
    parser.add_argument("--to", choices=TARGETS, default="null", help="where to (null: conclude and sum up)")


def job_of(args: argparse.Namespace, settings: Settings) -> Job:
    """The job of a command line. Raises FlowmonError for what cannot be read or does not fit together."""
    if args.loop < 1:
        raise Unreadable(f"--loop {args.loop}: play at least once")
    tapes = open_tapes(args.recordings)
    venues = {tape.venue: venue_of(tape, args.venue, settings) for tape in tapes}
    first = min(map(begin, tapes))
    zone = zone_of(next(iter(venues.values())).timezone)
    start, until = window(args.start, args.until, args.duration, anchor=first, zone=zone, begin=first)
    return Job(
        tapes=tapes,
        venues=venues,
        start=start,
        until=until,
        rate=rate(args.rate or ("max" if args.to == "null" else "1")),
        max_gap_s=seconds(args.max_gap) if args.max_gap else math.inf,
        only=frozenset(args.only),
        exclude=frozenset(args.exclude),
        loop=args.loop,
        simulated=any(tape.header.simulated for tape in tapes),
    )


def venue_of(tape: Tape, given: Path | None, settings: Settings) -> Venue:
    """The venue file that was named, else the plan in the recording, else an installed one of that name.

    Raises Unreadable when there is none, or it is another venue's.
    """
    if given is not None:
        venue = load(given)
        if venue.id != tape.venue:
            raise Unreadable(f"{given} is {venue.id!r}, the recording is of {tape.venue!r}: give the right file")
    elif tape.header.plan is not None:
        return tape.header.plan
    else:
        installed = [load(path) for path in settings.venues if path.exists()]
        found = [venue for venue in installed if venue.id == tape.venue]
        if not found:
            raise Unreadable(f"{tape.paths[0]} does not hold the plan of {tape.venue!r}: name it with --venue")
        venue = found[0]
    if tape.header.fingerprint and tape.header.fingerprint != fingerprint(venue):
        print(
            f"note: the configuration of {tape.venue} is not the recorded one, so findings may differ",
            file=sys.stderr,
        )
    return venue

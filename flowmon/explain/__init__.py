"""`flowmon explain ZONE`: why a zone's number is what it is, or what it was at any moment of the journal.

The journal is folded with the real monitor, so the answer is made of what was known then and of nothing else.
"""

import argparse
import difflib
import importlib
import json
import sys
from datetime import tzinfo
from pathlib import Path

from flowmon import settings
from flowmon.errors import FlowmonError
from flowmon.explain.fold import Reasons, fold, reasons
from flowmon.explain.journals import Asked, opened
from flowmon.explain.report import adds_up, described, text
from flowmon.monitor.core import Monitor
from flowmon.recording.tapes import moment
from flowmon.recording.times import moment as moment_of
from flowmon.recording.times import written, zone_of
from flowmon.venue.model import Venue

DONE, WRONG, USAGE = 0, 1, 2
#: A moment this long after the last record is still that of the last record: a venue ticks every second.
PATIENCE_S = 60.0
_EPOCH_LEAST = 1e8  # a smaller number is no time since 1970 that anybody means


def arguments(parser: argparse.ArgumentParser) -> None:
    """ZONE, --at, which journal, --venue, --from-start and --json."""
    parser.add_argument("zone", metavar="ZONE", help="a zone of the venue file, by its id or its name")
    parser.add_argument("--at", metavar="T", help="13:50, 2026-05-02T13:50, +2h or epoch seconds (default: the end)")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--data", type=Path, metavar="DIR", help="data folder of `flowmon run` (FLOWMON_DATA)")
    source.add_argument("--recording", type=Path, nargs="+", metavar="REC", help="a recording, or a folder of them")
    source.add_argument("--kafka", nargs="?", const="", metavar="HOST:PORT", help="read Kafka instead (FLOWMON_KAFKA)")
    parser.add_argument("--venue", type=Path, metavar="venue.toml", help="the venue file, if the journal has none")
    parser.add_argument("--from-start", action="store_true", help="read all of the journal, not from a checkpoint on")
    parser.add_argument("--json", action="store_true", help="one line of JSON instead of text")


def run(args: argparse.Namespace) -> int:
    """Explain; 2 when zone, time or journal are not clear, 1 when the parts do not add up."""
    installed = settings.load()
    try:
        asked = opened(args, installed)
        where = zone_named(asked.venue, args.zone)
        clock = zone_of(asked.venue.timezone)
        until = _until(args.at, asked, clock)
        found = _explain(args, asked, where, until, clock)
    except FlowmonError as error:
        print(f"flowmon explain: {error}", file=sys.stderr)
        return USAGE
    if args.json:
        print(json.dumps(described(found, asked.venue, simulated=asked.simulated)))
    else:
        print(text(found, asked.venue, clock, simulated=asked.simulated))
    return DONE if adds_up(found) else WRONG


def zone_named(venue: Venue, wanted: str) -> str:
    """A zone by its id or name, capitals aside. Raises FlowmonError naming what it may have meant."""
    names = {name: name for name in venue.zones} | {zone.name: name for name, zone in venue.zones.items() if zone.name}
    folded = {name.casefold(): zone for name, zone in names.items()}
    if (found := folded.get(wanted.casefold())) is not None:
        return found
    near = difflib.get_close_matches(wanted.casefold(), folded, n=1)
    meant = f"did you mean {folded[near[0]]}?" if near else f"there are: {', '.join(venue.zones)}"
    raise FlowmonError(f"there is no zone {wanted!r} in {venue.id}: {meant}")


def _until(given: str | None, asked: Asked, clock: tzinfo) -> float:
    """The moment asked for; infinite for the end. Raises FlowmonError when it is not in the journal."""
    if given is None:
        return float("inf")
    until = _epoch(given)
    if until is None:
        until = moment_of(given, anchor=asked.today, zone=clock, begin=asked.begin)
    if until < asked.begin:
        raise FlowmonError(
            f"{written(until, clock)} is before {asked.name} begins ({written(asked.begin, clock)}): ask for later"
        )
    if asked.end is not None and until > asked.end + PATIENCE_S:
        raise _too_late(until, asked.end, asked, clock)
    return until


def _epoch(text: str) -> float | None:
    try:
        at = float(text)
    except ValueError:
        return None
    return at if at >= _EPOCH_LEAST else None


def _too_late(until: float, end: float, asked: Asked, clock: tzinfo) -> FlowmonError:
    return FlowmonError(f"{written(until, clock)} is after {asked.name} ends ({written(end, clock)}): ask for earlier")


def _explain(args: argparse.Namespace, asked: Asked, zone: str, until: float, clock: tzinfo) -> Reasons:
    monitor, after = _restored(args, asked, until)
    bound = until if until < float("inf") else asked.end or until
    with asked.entries(after, bound) as entries:
        trail = fold(monitor, zone, entries, until)
    if until < float("inf") and trail.last is not None and until > trail.last + PATIENCE_S:
        raise _too_late(until, trail.last, asked, clock)
    if after >= 0:
        print(f"note: read from the checkpoint of offset {after} on; --from-start lists all", file=sys.stderr)
    return reasons(monitor, asked.venue, zone, trail)


def _restored(args: argparse.Namespace, asked: Asked, until: float) -> tuple[Monitor, int]:
    """The monitor to go on with, and the offset it includes: a checkpoint of before `until`, else a new one and -1.

    `args.checkpoint` (`module:function`, path to a checkpoint or None) is set by the composition root.
    """
    composed = getattr(args, "checkpoint", "")
    if composed and asked.checkpoint is not None and not args.from_start and asked.checkpoint.is_file():
        module, _, name = composed.partition(":")
        kept = getattr(importlib.import_module(module), name)(asked.checkpoint)
        if kept is not None and _happened(asked, kept.offset) <= until:
            try:
                return Monitor.restore(asked.venue, kept.snapshot), kept.offset
            except ValueError as error:
                print(f"note: {error}", file=sys.stderr)
    return Monitor(asked.venue), -1


def _happened(asked: Asked, offset: int) -> float:
    """When a record happened; never, for one that is not there."""
    with asked.entries(offset - 1, float("inf")) as entries:
        for entry in entries:
            return moment(entry.record) if entry.offset == offset else float("inf")
    return float("inf")

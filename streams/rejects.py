"""`flowmon rejects [list | show N | retry]`: the messages that could not be read.

    flowmon rejects                      by reason and dialect, the most frequent first
    flowmon rejects show 1               the newest of the first row (or a name, as `show` and `--json` tell it)
    flowmon rejects retry                decode all again, and add what now reads to the journal

Exit codes: 0 done, 1 some still cannot be read, 2 it could not be tried.
"""

import argparse
import asyncio
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from flowmon import settings
from flowmon.clock import Clock
from flowmon.errors import FlowmonError
from flowmon.facts import Fact
from flowmon.venue.parse import load_all
from sensors.mapping.beside import dialects_of
from streams.rejectlist import general, plain, print_list, print_one
from streams.rejectstore import FolderStore, KafkaStore, Kept, Store, load, mark_of
from streams.retry import Outcome, Retry

#: Facts of one record of the journal.
RECORD_MAX = 500


def arguments(parser: argparse.ArgumentParser) -> None:
    """What to do, where the rejects are, which of them."""
    parser.add_argument("what", nargs="?", choices=["list", "show", "retry"], default="list", help="default: list")
    parser.add_argument("one", nargs="?", metavar="N", help="of show: a row of the list, or a reject's name")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--data", type=Path, metavar="DIR", help="data folder of `flowmon run` (FLOWMON_DATA)")
    source.add_argument("--kafka", nargs="?", const="", metavar="HOST:PORT", help="read Kafka instead (FLOWMON_KAFKA)")
    parser.add_argument("--venue", metavar="ID", help="only rejects kept for this one")
    parser.add_argument("--reason", metavar="TEXT", help="only those whose reason has this in it")
    parser.add_argument("--venue-file", action="append", type=Path, metavar="FILE", help="of retry (FLOWMON_VENUES)")
    parser.add_argument("--dry-run", action="store_true", help="of retry: say what would be read, write nothing")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    parser.epilog = "With --data, retry needs `flowmon run` stopped; a cluster may go on running."


def run(args: argparse.Namespace) -> int:
    """See the exit codes above."""
    installed = settings.load()
    if (args.what == "show") != (args.one is not None):
        print("flowmon rejects: `show` and nothing else takes the number of a row", file=sys.stderr)
        return 2
    clock = Clock()
    try:
        return asyncio.run(_run(args, installed, clock))
    except FlowmonError as error:
        print(f"flowmon rejects: {error}", file=sys.stderr)
        return 2


async def _run(args: argparse.Namespace, installed: settings.Settings, clock: Clock) -> int:
    store: Store = (
        FolderStore(args.data or installed.data, clock)
        if args.kafka is None
        else KafkaStore(args.kafka or installed.kafka)
    )
    try:
        kept, left_out = await load(store)
        if left_out:
            print(f"flowmon rejects: {left_out} older rejects are not looked at", file=sys.stderr)
        wanted = [one for one in kept if _wanted(one, args.venue, args.reason)]
        match args.what:
            case "list":
                return print_list(wanted, as_json=args.json)
            case "show":
                return print_one(wanted, args.one, as_json=args.json)
            case _:
                files = args.venue_file or installed.venues
                venues = load_all(files)
                outcomes = [*map(Retry(venues, clock.now(), dialects_of(venues, files)).again, wanted)]
                if not args.dry_run and any(not outcome.reason for outcome in outcomes):
                    await store.open(venues)
                    await write(store, outcomes, clock.now())
                return _told(outcomes, as_json=args.json, written=not args.dry_run)
    finally:
        await store.close()


def _wanted(one: Kept, venue: str | None, reason: str | None) -> bool:
    return venue in {None, one.venue} and (reason is None or reason.lower() in one.reject.reason.lower())


async def write(store: Store, outcomes: Sequence[Outcome], now: float) -> None:
    """Facts into the journal, then marks beside the rejects they come from.

    A process killed in between leaves facts without marks: told again, they are duplicates, which the core drops for
    as long as it remembers (an hour of history). Raises JournalError.
    """
    by_venue: dict[str, list[Fact]] = {}
    for outcome in outcomes:
        by_venue.setdefault(outcome.venue, []).extend(outcome.facts)
    for venue, facts in by_venue.items():
        for start in range(0, len(facts), RECORD_MAX):
            await store.append(venue, facts[start : start + RECORD_MAX])
    read = [outcome.kept for outcome in outcomes if not outcome.reason]
    for venue in sorted({kept.venue for kept in read}):
        await store.mark(venue, [mark_of(kept, now) for kept in read if kept.venue == venue])


def _told(outcomes: Sequence[Outcome], *, as_json: bool, written: bool) -> int:
    failing = Counter(general(outcome.reason) for outcome in outcomes if outcome.reason)
    found = {
        "read": sum(not outcome.reason for outcome in outcomes),
        "facts": sum(len(outcome.facts) for outcome in outcomes),
        "historical": sum(fact.historical for outcome in outcomes for fact in outcome.facts),
        "sightings_left_out": sum(outcome.sightings for outcome in outcomes),
        "failing": dict(failing.most_common()),
        "written": written,
    }
    if as_json:
        print(json.dumps(found))
        return 1 if failing else 0
    verb = "added to the journal" if written else "not written (--dry-run)"
    print(f"{found['read']} of {len(outcomes)} read now: {found['facts']} facts, {verb}")
    print(f"{found['historical']} of the facts are older than an hour: they correct history only")
    if found["sightings_left_out"]:
        print(f"{found['sightings_left_out']} sightings are left out: the key of their tokens is gone")
    for reason, count in failing.most_common():
        print(f"{count:>7} still fail: {plain(reason)}")
    return 1 if failing else 0

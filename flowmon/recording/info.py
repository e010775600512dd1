"""`flowmon info REC…`: what is in a recording."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from flowmon.errors import FlowmonError
from flowmon.journal.port import Entry
from flowmon.recording.progress import bar
from flowmon.recording.tapes import Tape, fact_type, moment, open_tapes
from flowmon.recording.times import written, zone_of

#: Sources counted one by one; more are counted together, so that rubbish cannot fill the memory.
SOURCES_MAX = 10_000
SHOWN = 40


class Contents:
    """What a tape holds, counted in one pass."""

    def __init__(self) -> None:
        self.records = self.facts = self.simulated = 0
        self.first_offset = self.last_offset = -1
        self.first = self.last = 0.0
        self.types: Counter[str] = Counter()
        self.sources: Counter[str] = Counter()

    def add(self, entries: Iterable[Entry]) -> None:
        """Count entries in."""
        for entry in entries:
            at = moment(entry.record)
            if not self.records:
                self.first, self.first_offset = at, entry.offset
            self.last, self.last_offset = at, entry.offset
            self.records += 1
            self.facts += len(entry.record)
            for fact in entry.record:
                self.types[fact_type(fact)] += 1
                self.simulated += fact.simulated
                known = fact.source in self.sources or len(self.sources) < SOURCES_MAX
                self.sources[fact.source if known else "(others)"] += 1


def describe(tape: Tape, contents: Contents) -> dict[str, Any]:
    """What `--json` prints of one venue."""
    header = tape.header
    return {
        "venue": tape.venue,
        "fingerprint": header.fingerprint,
        "plan": header.plan is not None,
        "files": [str(path) for path in tape.paths],
        "bytes": sum(path.stat().st_size for path in tape.paths),
        "start": contents.first,
        "until": contents.last,
        "duration_s": contents.last - contents.first,
        "offsets": [contents.first_offset, contents.last_offset],
        "records": contents.records,
        "facts": contents.facts,
        "types": dict(contents.types.most_common()),
        "sources": dict(contents.sources.most_common()),
        "simulated": header.simulated,
        "simulated_facts": contents.simulated,
        "metadata": header.more,
    }


def arguments(parser: argparse.ArgumentParser) -> None:
    """REC… and --json."""
    parser.add_argument("recordings", nargs="+", type=Path, metavar="REC", help="a recording, or a folder of them")
    parser.add_argument("--json", action="store_true", help="one JSON array instead of text")


def run(args: argparse.Namespace) -> int:
    """Print what is inside; 2 when something is no recording."""
    try:
        tapes = open_tapes(args.recordings)
    except FlowmonError as error:
        print(f"flowmon info: {error}", file=sys.stderr)
        return 2
    found = []
    for tape in tapes:
        contents = Contents()
        with bar(tape.venue, tape.paths) as progress:
            contents.add(tape.entries(progress))
        found.append(describe(tape, contents))
    print(json.dumps(found) if args.json else "\n\n".join(map(_text, tapes, found)))
    return 0


def _text(tape: Tape, found: dict[str, Any]) -> str:
    plan = tape.header.plan
    zone = zone_of(plan.timezone if plan else "UTC")
    name = f"{plan.name} ({tape.venue})" if plan else tape.venue
    lines = [
        ("venue", f"{name}, configuration {found['fingerprint'] or 'unknown'}"),
        ("files", f"{len(tape.paths)}, {found['bytes'] / 1e6:.1f} MB"),
        ("simulated", _simulated(found)),
        ("records", f"{found['records']} (offsets {found['offsets'][0]} to {found['offsets'][1]})"),
    ]
    if found["records"]:
        lines += [
            ("from", written(found["start"], zone)),
            ("to", f"{written(found['until'], zone)} ({found['duration_s'] / 3600:.2f} h)"),
        ]
    lines += [(f"  {key}", str(value)) for key, value in found["metadata"].items()]
    lines.append(("facts", str(found["facts"])))
    lines += [(f"  {kind}", str(count)) for kind, count in found["types"].items()]
    lines.append(("devices", str(len(found["sources"]))))
    lines += [(f"  {source}", str(count)) for source, count in list(found["sources"].items())[:SHOWN]]
    if len(found["sources"]) > SHOWN:
        lines.append(("  …", f"{len(found['sources']) - SHOWN} more, see --json"))
    return "\n".join(f"{key:<16} {value}" for key, value in lines)


def _simulated(found: dict[str, Any]) -> str:
    if found["simulated"]:
        return "yes"
    return f"in part: {found['simulated_facts']} facts" if found["simulated_facts"] else "no"

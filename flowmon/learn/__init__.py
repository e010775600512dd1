"""`flowmon learn REC…`: what a recording shows of each device's lines, and what to write into the venue file."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from flowmon.errors import FlowmonError
from flowmon.learn.lines import Lines
from flowmon.learn.verdict import Verdict, judge
from flowmon.recording.progress import bar
from flowmon.recording.tapes import open_tapes


def arguments(parser: argparse.ArgumentParser) -> None:
    """REC… and --json."""
    parser.add_argument("recordings", nargs="+", type=Path, metavar="REC", help="a recording, or a folder of them")
    parser.add_argument("--json", action="store_true", help="one JSON array instead of text")


def run(args: argparse.Namespace) -> int:
    """Print what was learned; 2 when something is no recording."""
    try:
        tapes = open_tapes(args.recordings)
    except FlowmonError as error:
        print(f"flowmon learn: {error}", file=sys.stderr)
        return 2
    found: list[dict[str, Any]] = []
    for tape in tapes:
        lines = Lines(tape.header.plan)
        with bar(tape.venue, tape.paths) as progress:
            for entry in tape.entries(progress):
                lines.add(entry.record)
        found += [verdict.told(tape.venue) for verdict in judge(lines)]
    print(json.dumps(found) if args.json else "\n\n".join(map(Verdict.text, found)) or "no counts in this recording")
    return 0

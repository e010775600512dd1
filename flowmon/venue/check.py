"""`flowmon check venue.toml`: every problem of a venue file, each with what to do about it."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.text import Text

from flowmon.venue.model import Problem, Venue
from flowmon.venue.parse import read

_STYLES = {"error": "bold red", "warning": "yellow"}


class Report(Struct, frozen=True):
    """What `--json` prints for one file. ok: no errors (there may be warnings). venue: its id when ok."""

    file: str
    ok: bool
    venue: str
    problems: list[Problem]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    parser.add_argument("files", nargs="+", type=Path, metavar="venue.toml", help="venue files to check")
    parser.add_argument("--json", action="store_true", help="print one JSON array of reports, one per file")


def run(args: argparse.Namespace) -> int:
    """Check every file. 0: all can be used (warnings allowed). 1: at least one cannot."""
    checked = [(path, *read(path)) for path in args.files]
    same_id = _same_id([(path, venue) for path, venue, _ in checked if venue is not None])
    reports = []
    console = Console(soft_wrap=True, highlight=False)
    for path, venue, found in checked:
        problems = found + same_id.get(path, [])
        ok = venue is not None and path not in same_id
        reports.append(Report(file=str(path), ok=ok, venue=venue.id if venue else "", problems=problems))
        if not args.json:
            _show(console, path, venue if ok else None, problems)
    if args.json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(reports), indent=2).decode() + "\n")
    return 0 if all(report.ok for report in reports) else 1


def _same_id(venues: Sequence[tuple[Path, Venue]]) -> dict[Path, list[Problem]]:
    """Two museums of one id would share one journal."""
    first: dict[str, Path] = {}
    found: dict[Path, list[Problem]] = {}
    for path, venue in venues:
        earlier = first.setdefault(venue.id, path)
        if earlier != path:
            message, hint = f"{venue.id} is the id of {earlier} too", "give each venue its own id"
            found[path] = [Problem(path="id", message=message, hint=hint, file=str(path))]
    return found


def _show(console: Console, path: Path, venue: Venue | None, problems: Sequence[Problem]) -> None:
    for problem in problems:
        line = Text(f"{_printable(str(path))}: ")
        line.append(problem.severity, style=_STYLES[problem.severity])
        place = f": {_printable(problem.path)}" if problem.path else ""
        line.append(f"{place}: {_printable(problem.message)}")
        console.print(line)
        console.print(Text(f"    hint: {_printable(problem.hint)}", style="dim"))
    if venue is not None:
        console.print(Text(_summary(path, venue, len(problems))))
    else:
        errors = sum(problem.severity == "error" for problem in problems)
        console.print(Text(f"{_printable(str(path))}: cannot be used: {_many(errors, 'error')}", style="bold"))


def _summary(path: Path, venue: Venue, warnings: int) -> str:
    tables = ("floor", "zone", "portal", "counter", "receiver", "queue", "rule")
    counts = ", ".join(_many(len(getattr(venue, f"{word}s")), word) for word in tables)
    tail = f" ({_many(warnings, 'warning')})" if warnings else ""
    return f"{_printable(str(path))}: OK: {venue.id}: {counts}{tail}"


def _many(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _printable(text: str) -> str:
    """A file from elsewhere may not move our cursor or change our colours."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)

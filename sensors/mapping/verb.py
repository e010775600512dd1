"""`flowmon map test MAPPING…`: check mapping files and run the samples in them. `flowmon map list`: those shipped.

Exit code 0: every mapping can be used and every sample came out as expected. 1: not so. 2: nothing to do.
"""

import argparse
import sys
from importlib import resources
from pathlib import Path

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.text import Text

from flowmon.venue.model import Problem
from sensors.mapping.dialect import Mapped
from sensors.mapping.read import parse, read
from sensors.mapping.samples import Outcome
from sensors.mapping.samples import run as run_samples
from sensors.mapping.shipped import shipped

_NO_SAMPLES = Problem(
    path="samples",
    message="has none: nobody knows whether this mapping is right",
    hint="add [[samples]] with a payload the device really sent, and the facts it means",
)


class Report(Struct, frozen=True):
    """What `--json` prints for one mapping. ok: usable, and all samples passed."""

    file: str
    name: str
    ok: bool
    problems: list[Problem]
    samples: list[Outcome]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Test … or list."""
    todo = parser.add_subparsers(dest="todo", required=True, metavar="test|list")
    test = todo.add_parser("test", help="check mapping files and run their samples")
    test.add_argument("mappings", nargs="+", metavar="MAPPING", help="a .toml file, or the name of a shipped mapping")
    test.add_argument("--json", action="store_true", help="print one JSON array of reports")
    todo.add_parser("list", help="the shipped mappings")


def run(args: argparse.Namespace) -> int:
    """Test or list; see the exit codes above."""
    console = Console(soft_wrap=True, highlight=False)
    if args.todo == "list":
        for name, mapped in shipped().items():
            console.print(Text(f"{name:<20} {', '.join(mapped.FAMILY.kinds):<24} {mapped.FAMILY.name}"))
        return 0
    reports = [_report(word) for word in args.mappings]
    if args.json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(reports), indent=2).decode() + "\n")
    else:
        for report in reports:
            _show(console, report)
    return 0 if all(report.ok for report in reports) else 1


def _report(word: str) -> Report:
    mapped, problems, folder = _read(word)
    if mapped is not None and not mapped.mapping.samples:
        problems = [msgspec.structs.replace(_NO_SAMPLES, file=word)]
    outcomes = run_samples(mapped, folder) if mapped is not None else []
    ok = not problems and all(outcome.passed for outcome in outcomes)
    return Report(word, mapped.name if mapped else "", ok, problems, outcomes)


def _read(word: str) -> tuple[Mapped | None, list[Problem], Path]:
    ours = resources.files("sensors.mappings") / f"{word}.toml"
    if "/" not in word and not word.endswith(".toml") and ours.is_file():
        return *parse(ours.read_bytes(), word), Path()
    return *read(Path(word)), Path(word).parent


def _show(console: Console, report: Report) -> None:
    for problem in report.problems:
        console.print(Text(f"{report.file}: {problem.path}: {problem.message}".replace(": :", ":"), style="bold red"))
        console.print(Text(f"    hint: {problem.hint}", style="dim"))
    for outcome in report.samples:
        console.print(
            Text("ok    " if outcome.passed else "FAIL  ", style="" if outcome.passed else "bold red"), end=""
        )
        console.print(Text(_printable(outcome.says)))
        for line in outcome.difference:
            console.print(Text(f"      {_printable(line)}", style={"-": "red", "+": "green"}.get(line[0], "")))
    passed = sum(outcome.passed for outcome in report.samples)
    verdict = "OK" if report.ok else "not as expected"
    console.print(Text(f"{report.file}: {verdict}: {passed} of {len(report.samples)} samples", style="bold"))


def _printable(text: str) -> str:
    """A file from elsewhere may not move our cursor or change our colours."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)

"""`flowmon import FILE.csv --venue V.toml --device D`: a device's own export becomes a recording, with a report.

The recording holds historical window counts, which `flowmon replay` plays and which correct history. Exit code 0: it
was written. 1: it cannot be imported. 2: it is not clear for which counter.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, tzinfo
from itertools import groupby
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct, structs
from rich.console import Console
from rich.text import Text

from flowmon.errors import FlowmonError
from flowmon.facts import Count, Record
from flowmon.journal.files import header_of, write_recording
from flowmon.recording.progress import bar
from flowmon.venue.model import Venue
from flowmon.venue.parse import load
from sensors.imports.gather import Gathered, Skipped, Window, gather
from sensors.imports.layout import Layout, form_of, of_header, of_mapping
from sensors.imports.table import CannotImport, Table, open_table, rows
from sensors.mapping.read import load as load_mapping
from sensors.mapping.selectors import BadSelector
from sensors.mapping.times import zone_of

_SHOWN = 20
_FACTS_A_RECORD = 500


class Day(Struct, frozen=True):
    """A local day: people in (forward) and out (backward), from the minutes that were credited."""

    day: str
    forward: int
    backward: int
    windows: int


class Report(Struct, frozen=True):
    """What `--json` prints. Rows are lines of the file. repeated: dropped; conflicting: the first one was kept."""

    file: str
    out: str
    encoding: str
    delimiter: str
    form: str
    zone: str
    window_s: float
    read: int
    credited: int
    skipped: list[Skipped]
    repeated: list[Skipped]
    conflicting: list[Skipped]
    out_of_order: int
    first_hour: int
    second_hour: int
    gap: int
    newest_first: bool
    days: list[Day]
    notes: list[str]


def arguments(parser: argparse.ArgumentParser) -> None:
    """FILE, --venue, --device, --line, --mapping, --zone, --out, --json."""
    parser.add_argument("file", type=Path, metavar="FILE.csv", help="the export, as the device wrote it")
    parser.add_argument("--venue", type=Path, required=True, metavar="venue.toml", help="the museum it is from")
    parser.add_argument("--device", required=True, metavar="D", help="the counter's device in the venue file")
    parser.add_argument("--line", default="1", metavar="L", help="its line (default 1)")
    parser.add_argument("--mapping", type=Path, metavar="M.toml", help="which columns say what, for unusual exports")
    parser.add_argument("--zone", metavar="IANA", help="zone of times without offset (default: the venue's)")
    parser.add_argument("--out", type=Path, metavar="REC", help="the recording (default: FILE.jsonl.gz)")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def run(args: argparse.Namespace) -> int:
    """Import one file; see the exit codes above."""
    venue = load(args.venue)
    try:
        notes = _known(venue, args.device, args.line)
    except FlowmonError as error:
        print(f"flowmon import: {error}", file=sys.stderr)
        return 2
    given = None
    if args.mapping is not None:
        given = of_mapping(load_mapping(args.mapping).mapping, str(args.mapping))
    out = args.out or args.file.with_suffix(".jsonl.gz")
    if out.resolve() == args.file.resolve():
        raise CannotImport(f"{out} is the export itself: give --out another name")
    table, layout = _opened(args.file, given)
    zone = _zone(args.zone or layout.zone or venue.timezone)
    with bar("import", [args.file]) as progress:
        found = gather(
            rows(args.file, table, lambda done: progress(args.file, done)), table.header, layout, zone, args.line
        )
    if lines := {window.line for window in found.windows} - {args.line}:
        notes += [note for line in sorted(lines) for note in _known(venue, args.device, line)]
    header = header_of(venue, imported=args.file.name, device=args.device)
    write_recording(out, header, records(found.windows, args.device, simulated=venue.simulated))
    report = _report(args.file, out, table, layout, zone, found, notes)
    if args.json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n")
    else:
        _show(Console(soft_wrap=True, highlight=False), report)
    return 0


def _known(venue: Venue, device: str, line: str) -> list[str]:
    counters = {(c.device or name, c.line): c for name, c in venue.counters.items()}
    counter = counters.get((device, line))
    if counter is None:
        there = ", ".join(f"{name} line {number}" for name, number in counters) or "none"
        raise FlowmonError(f"{venue.id} has no counter with device {device!r} and line {line!r}; it has {there}")
    if counter.credit == "window":
        return []
    return [f'{device} line {line} credits {counter.credit} counts, so these are not added to it (credit = "window")']


def _zone(name: str) -> tzinfo:
    try:
        return zone_of(name)
    except BadSelector as error:
        raise CannotImport(f"--zone {error}: {error.hint}") from None


def _opened(file: Path, given: Layout | None) -> tuple[Table, Layout]:
    """The table and the layout that fits it, with the form of its times. Raises CannotImport."""

    def wanted(names: list[str]) -> bool:
        return set(given.columns) <= set(names) if given else of_header(names) is not None

    table = open_table(file, wanted, given.delimiter if given else "")
    layout = given or of_header(table.header)
    assert layout is not None
    if not layout.form:
        place = table.header.index(layout.start or layout.end)
        texts = [row.cells[place] for row in rows(file, table) if not row.fault]
        layout = structs.replace(layout, form=form_of(texts))
    return table, layout


def records(windows: list[Window], device: str, *, simulated: bool) -> Iterator[Record]:
    """The windows as facts, those that end together in one record, in order of time."""
    for _, together in groupby(windows, key=lambda window: window.end):
        record: Record = [
            Count(
                at=window.end,
                source=device,
                counter=device,
                kind="window",
                line=window.line,
                start=window.start,
                end=window.end,
                forward=window.forward,
                backward=window.backward,
                historical=True,
                simulated=simulated,
            )
            for window in together
        ]
        for begin in range(0, len(record), _FACTS_A_RECORD):
            yield record[begin : begin + _FACTS_A_RECORD]


def _report(
    file: Path, out: Path, table: Table, layout: Layout, zone: tzinfo, found: Gathered, notes: list[str]
) -> Report:
    days: dict[str, list[Window]] = defaultdict(list)
    for window in sorted(found.windows, key=lambda window: window.start):
        days[datetime.fromtimestamp(window.start, zone).date().isoformat()].append(window)
    return Report(
        file=str(file),
        out=str(out),
        encoding=table.encoding,
        delimiter=table.delimiter,
        form=layout.form,
        zone=zone.key if isinstance(zone, ZoneInfo) else str(zone),
        window_s=found.window_s,
        read=found.read,
        credited=len(found.windows),
        skipped=found.skipped,
        repeated=found.repeats,
        conflicting=found.conflicts,
        out_of_order=found.out_of_order,
        first_hour=found.first_hour,
        second_hour=found.second_hour,
        gap=found.gap,
        newest_first=found.turned,
        days=[
            Day(day, sum(w.forward for w in them), sum(w.backward for w in them), len(them))
            for day, them in days.items()
        ],
        notes=notes,
    )


def _show(console: Console, report: Report) -> None:
    def say(text: str, style: str = "") -> None:
        console.print(
            Text("".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text), style)
        )

    say(f"{report.out}: {report.credited} windows of {report.window_s:g} s from {report.read} rows", "bold")
    say(f"read as {report.encoding}, {report.delimiter!r}, times {report.form} in {report.zone}")
    for note in report.notes:
        say(f"note: {note}", "yellow")
    for rows_, what in (
        (report.skipped, "skipped"),
        (report.conflicting, "told again with other counts, the first kept"),
        (report.repeated, "told again, dropped"),
    ):
        if rows_:
            say(f"{len(rows_)} {what}:", "yellow")
        for row in rows_[:_SHOWN]:
            say(f"  row {row.row}: {row.reason}")
        if len(rows_) > _SHOWN:
            say(f"  and {len(rows_) - _SHOWN} more (--json has them all)")
    if report.newest_first:
        say("the newest row stood first")
    if report.out_of_order:
        say(f"{report.out_of_order} rows stood out of order")
    if report.first_hour or report.second_hour:
        say(f"the hour that happens twice: {report.first_hour} rows of the first, {report.second_hour} of the second")
    for day in report.days:
        say(f"  {day.day}  in {day.forward:>7}  out {day.backward:>7}  ({day.windows} windows)")

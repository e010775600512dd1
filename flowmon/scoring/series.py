"""A column of numbers on a regular grid of time, as every score of a series needs it.

A step has the mean (or sum, first, last) of its rows; unordered rows are sorted; one or two missing steps between two
values are interpolated for the learner, but nothing is scored that starts from or ends in an interpolated value.
"""

import argparse
import re
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from msgspec import Struct

from flowmon.scoring.table import Account, Table, TableInvalid, is_empty, joined
from flowmon.scoring.times import Clock, duration, zone

GAP_MAX = 2  # steps that are interpolated
_UTC = re.compile(r"(?<![a-z])(utc|gmt)(?![a-z])", re.IGNORECASE)
SAMPLE = 2_000  # rows that decide about the format of times
SEVERAL = ("mean", "sum", "first", "last")


class Cell(Struct):
    """One step. at: its start, seconds since the epoch; offset_s: local time - UTC; seen: not interpolated."""

    at: float
    offset_s: float
    value: float
    seen: bool = True


class Series(Struct):
    """cells by number of the step since the epoch, in order; account of the rows; label: which rows these are."""

    step_s: int
    cells: dict[int, Cell]
    account: Account
    columns: list[str]
    times: str


def arguments(parser: argparse.ArgumentParser) -> None:
    """FILE and the columns."""
    parser.add_argument("file", type=Path, metavar="FILE", help="CSV, also gzipped, any usual separator")
    parser.add_argument("--time", required=True, metavar="COL", help="column of the time; DATE+HOUR joins two columns")
    parser.add_argument("--value", required=True, metavar="COL", help="column of the number of people")
    parser.add_argument(
        "--step", required=True, type=duration, metavar="10min", help="width of the grid; divides a day"
    )
    parser.add_argument("--by", metavar="COL", help="column that names the series, with --only")
    parser.add_argument("--only", metavar="VALUE", help="rows to use: those with this value in --by")
    parser.add_argument(
        "--several", choices=SEVERAL, default="mean", help="what several rows of one step become (default: mean)"
    )
    parser.add_argument("--timezone", metavar="IANA", help="zone of times that name none, and of local hours")
    parser.add_argument(
        "--utc", action="store_true", help="times that name no zone are UTC (so are those of *utc* columns)"
    )


def read(args: argparse.Namespace) -> Series:
    """The series the arguments ask for. Raises TableInvalid (no such column, nothing usable)."""
    if (args.by is None) != (args.only is None):
        raise TableInvalid("--by and --only go together: --by COL --only VALUE")
    table = Table(args.file)
    places = _places(table, args.time)
    value = table.column(args.value)
    by = None if args.by is None else table.column(args.by)
    rows = table.rows()
    sample = list(islice(rows, SAMPLE))
    utc = args.utc or bool(_UTC.search(args.time))
    clock = Clock([joined(cells, places) for _, cells in sample], zone(args.timezone), utc=utc)
    found: dict[int, list[tuple[float, float, float]]] = {}
    others: set[str] = set()
    order = _Order()

    def take(line: int, cells: list[str]) -> None:
        if by is not None and cells[by].strip() != args.only.strip():
            if len(others) < 1_000:
                others.add(cells[by].strip())
            table.account.drop(f"{args.by} is not {args.only}", line, cells[by])
            return
        time = clock.read(joined(cells, places))
        if time is None:
            table.account.drop("no readable time", line, joined(cells, places))
            return
        number = table.number(cells[value])
        if number is None or not 0.0 <= number <= 1e9:
            reason = (
                "no value" if is_empty(cells[value]) else "not a number" if number is None else "below zero or over 10⁹"
            )
            table.account.drop(reason, line, cells[value])
            return
        table.account.used += 1
        order.see(time[0])
        found.setdefault(int(time[0] // args.step), []).append((time[0], time[1], number))

    for line, cells in sample:
        take(line, cells)
    for line, cells in rows:
        take(line, cells)
    if not found:
        raise TableInvalid(_nothing(table, args, others))
    told = " in UTC (where they name no zone)" if utc else ""
    table.account.notes += [f"times read as {clock.format}{told}", *order.notes(args.several)]
    cells_found = {step: _one(step, found[step], args) for step in sorted(found)}
    return Series(
        args.step, _bridged(cells_found, args.step, table.account), table.account, table.columns, clock.format
    )


class _Order:
    """Whether rows came in order and how many share a stamp."""

    def __init__(self) -> None:
        self._last = float("-inf")
        self._seen: set[float] = set()
        self._back = self._same = 0

    def see(self, at: float) -> None:
        self._back += at < self._last
        self._same += at in self._seen
        self._seen.add(at)
        self._last = at

    def notes(self, several: str) -> list[str]:
        told = []
        if self._back:
            told.append(f"{self._back} rows were earlier than the row before; they were sorted")
        if self._same:
            told.append(f"{self._same} rows repeat the stamp of another; their {several} was taken (--several)")
        return told


def _places(table: Table, name: str) -> list[int]:
    """The columns of the time: one of that name, or the parts of DATE+HOUR."""
    if name not in table.columns and "+" in name:
        return [table.column(part) for part in name.split("+")]
    return [table.column(name)]


def _one(step: int, rows: list[tuple[float, float, float]], args: argparse.Namespace) -> Cell:
    """The rows of one step as one cell."""
    rows.sort(key=lambda row: row[0])
    values = [row[2] for row in rows]
    several: dict[str, Callable[[], float]] = {
        "mean": lambda: sum(values) / len(values),
        "sum": lambda: sum(values),
        "first": lambda: values[0],
        "last": lambda: values[-1],
    }
    return Cell(float(step * args.step), rows[0][1], several[args.several]())


def _bridged(cells: dict[int, Cell], step_s: int, account: Account) -> dict[int, Cell]:
    """The cells with gaps of one or two steps interpolated."""
    out: dict[int, Cell] = {}
    bridged = gaps = 0
    previous: int | None = None
    for step, cell in cells.items():
        missing = 0 if previous is None else step - previous - 1
        if previous is not None and 0 < missing <= GAP_MAX:
            before = cells[previous]
            for more in range(1, missing + 1):
                value = before.value + (cell.value - before.value) * more / (missing + 1)
                out[previous + more] = Cell(float((previous + more) * step_s), before.offset_s, value, seen=False)
            bridged += missing
        gaps += missing > GAP_MAX
        out[step] = cell
        previous = step
    if bridged:
        account.notes.append(f"{bridged} single or double missing steps were interpolated for learning and not scored")
    if gaps:
        account.notes.append(f"{gaps} gaps of more than {GAP_MAX} steps were left open")
    return out


def _nothing(table: Table, args: argparse.Namespace, others: set[str]) -> str:
    """Why no row could be used, and what to do."""
    reasons = "; ".join(
        f"{count} × {reason} ({', '.join(table.account.examples[reason][:1])})"
        for reason, count in table.account.dropped.most_common(4)
    )
    hint = f" --only may be one of {', '.join(sorted(others)[:20])}." if args.by is not None and others else ""
    return f"{args.file}: none of {table.account.rows} rows can be used: {reasons or 'there are none'}.{hint}"

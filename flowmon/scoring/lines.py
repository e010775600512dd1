"""Rows of people who waited, from any CSV file: joined, served or left, and what was known besides.

Times may be dates with times, a date column and a time column (DATE+TIME), times of day (the date is that of --joined),
or plain numbers (seconds or minutes since any start). A column of waits instead of times of service is a number, in
seconds or minutes (--unit), or H:MM:SS with --durations. A time of day of exactly 0:00:00 means "not queued" where
the column has several of them; a day that ends after midnight goes on with the next date.
"""

import argparse
import re
from itertools import islice, pairwise
from pathlib import Path

from msgspec import Struct

from flowmon.scoring.table import Account, Table, TableInvalid, is_empty, joined
from flowmon.scoring.times import Clock, zone

SAMPLE = 2_000
DAY_S = 86_400.0
WAIT_MAX_S = DAY_S / 2
MIDNIGHTS = 3  # of one column that are no midnight
_OF_DAY = re.compile(r"(\d{1,3}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?")
_SHORT_DATE = re.compile(r"(\d{2})(\d{2})(\d{2})(?=[ T])")
_LONG_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})(?=[ T])")
_MINUTES = re.compile(r"min", re.IGNORECASE)
_CONDITION = re.compile(r"(.+?)(!?=)(.*)")


class Row(Struct):
    """One who joined, seconds since the epoch; None: never, or not told. offset_s: local time - UTC."""

    joined: float
    offset_s: float
    served: float | None = None
    left: float | None = None
    done: float | None = None
    desk: str = ""
    servers: int | None = None
    kind: str = ""
    posted_s: float | None = None
    actual_s: float | None = None


class Found(Struct):
    """Rows in order of joining, and the account of the file."""

    rows: list[Row]
    account: Account


def arguments(parser: argparse.ArgumentParser) -> None:
    """FILE and the columns."""
    add = parser.add_argument
    add("file", type=Path, metavar="FILE", help="CSV, also gzipped, any usual separator")
    add("--joined", required=True, metavar="COL", help="when they joined the line; DATE+TIME joins two columns")
    add("--served", metavar="COL", help="when their service began, or how long they waited (a number)")
    add("--abandoned", metavar="COL", help="when they left unserved (looked at where there is no service)")
    add("--done", metavar="COL", help="when their service ended, or how long it took (a number)")
    add("--desk", metavar="COL", help="who served them")
    add("--servers", metavar="COL", help="open desks when they joined")
    add("--kind", metavar="COL", help="kind of customer known on joining (priority, members)")
    add("--posted", metavar="COL", help="the wait on the sign when they joined")
    add(
        "--actual",
        metavar="COL",
        help="the wait they had, where --served is not known (rows of posted or actual waits)",
    )
    add(
        "--unit", choices=("s", "min"), help="of waits given as numbers (default: min where the column says so, else s)"
    )
    add(
        "--where", action="append", default=[], metavar="COL=VALUE", help="rows to use; COL!=VALUE for all but; repeats"
    )
    add("--timezone", metavar="IANA", help="zone of times that name none, and of local hours")


def read(args: argparse.Namespace) -> Found:
    """The rows the arguments ask for, sorted. Raises TableInvalid (no such column, nothing usable)."""
    if not args.served and not args.actual:
        raise TableInvalid("name what came of the wait: --served COL (time or wait), or --actual COL (wait)")
    table = Table(args.file)
    conditions = [_condition(table, text) for text in args.where]
    iterator = table.rows()
    sample = list(islice(iterator, SAMPLE))
    columns = _Columns(table, args, [cells for _, cells in sample])
    rows: list[Row] = []
    for part in (sample, iterator):
        for line, cells in part:
            unmet = next(
                (text for place, equal, value, text in conditions if (cells[place].strip() == value) != equal), ""
            )
            if unmet:
                table.account.drop(f"not {unmet}", line, "")
                continue
            found = columns.row(cells)
            if isinstance(found, str):
                table.account.drop(found, line, " | ".join(cells))
                continue
            table.account.used += 1
            rows.append(found)
    if not rows:
        why = "; ".join(
            f"{count} × {reason} ({table.account.examples[reason][0]})"
            for reason, count in table.account.dropped.most_common(4)
        )
        raise TableInvalid(f"{args.file}: none of {table.account.rows} rows can be used: {why or 'there are none'}")
    back = sum(later.joined < earlier.joined for earlier, later in pairwise(rows))
    if back:
        table.account.notes.append(f"{back} rows joined before the row above; they were sorted")
    table.account.notes += columns.notes
    rows.sort(key=lambda row: row.joined)
    return Found(rows, table.account)


class _Columns:
    """How to read each column of this file."""

    def __init__(self, table: Table, args: argparse.Namespace, sample: list[list[str]]) -> None:
        self._table = table
        self._unit: str | None = args.unit
        self.notes: list[str] = []
        self._joined = _Times(table, args.joined, sample, args.timezone)
        self.notes.append(f"times read as {self._joined.format}")
        self._served = self._moment(args.served, sample, args)
        self._left = self._moment(args.abandoned, sample, args)
        self._done = self._moment(args.done, sample, args)
        self._posted = self._wait(args.posted)
        self._actual = self._wait(args.actual)
        self._desk = None if args.desk is None else table.column(args.desk)
        self._servers = None if args.servers is None else table.column(args.servers)
        self._kind = None if args.kind is None else table.column(args.kind)

    def row(self, cells: list[str]) -> Row | str:
        """The row, or why it cannot be used."""
        at = self._joined.read(cells)
        served = None if self._served is None else self._served.read(cells, at)
        if at is None and isinstance(self._served, _Times):
            at = served  # straight to a desk, without a line
        if at is None:
            return "no readable time of joining"
        row = Row(at[0], at[1], desk=self._text(cells, self._desk), kind=self._text(cells, self._kind)[:40])
        servers = None if self._servers is None else self._table.number(cells[self._servers])
        row.servers = int(servers) if servers is not None and 0 <= servers <= 10_000 else None
        for name, wait in (("posted_s", self._posted), ("actual_s", self._actual)):
            setattr(row, name, None if wait is None else wait.seconds(cells))
        if self._served is None:
            return (
                row if row.posted_s is not None or row.actual_s is not None else "neither a posted nor an actual wait"
            )
        return self._outcome(row, cells, served, at)

    def _outcome(
        self, row: Row, cells: list[str], served: tuple[float, float] | None, at: tuple[float, float]
    ) -> Row | str:
        """What came of the wait."""
        if served is not None:
            row.served = _after(row.joined, served[0])
            if row.served is None:
                return "served before joining, or half a day later"
            done = None if self._done is None else self._done.read(cells, served)
            row.done = None if done is None else _after(row.served, done[0])
            return row
        left = None if self._left is None else self._left.read(cells, at)
        if left is None:
            return "neither served nor left"
        row.left = _after(row.joined, left[0])
        return row if row.left is not None else "left before joining, or half a day later"

    def _moment(self, name: str | None, sample: list[list[str]], args: argparse.Namespace) -> "_Times | _Wait | None":
        """A column of times, or of seconds since what came before."""
        if name is None:
            return None
        if name in self._table.columns or "+" not in name:
            place = self._table.column(name)
            told = [cells[place] for cells in sample if not is_empty(cells[place])]
            numbers = [number for number in map(self._table.number, told) if number is not None]
            if told and len(numbers) > 0.9 * len(told) and max(numbers) < 1e8 and not self._joined.plain:
                return self._wait(name)
        return _Times(self._table, name, sample, args.timezone, of_day=True)

    def _wait(self, name: str | None) -> "_Wait | None":
        if name is None:
            return None
        unit = self._unit or ("min" if _MINUTES.search(name) else "s")
        hint = "" if self._unit else " (--unit says otherwise)"
        self.notes.append(f"{name}: waits in {'minutes' if unit == 'min' else 'seconds'}{hint}")
        return _Wait(self._table, self._table.column(name), 60.0 if unit == "min" else 1.0)

    @staticmethod
    def _text(cells: list[str], place: int | None) -> str:
        return "" if place is None or is_empty(cells[place]) else cells[place].strip()


class _Times:
    """A column (or DATE+TIME) of times; `of_day` allows times of day that belong to another column's date."""

    def __init__(
        self, table: Table, name: str, sample: list[list[str]], timezone: str | None, *, of_day: bool = False
    ) -> None:
        parts = [name] if name in table.columns or "+" not in name else name.split("+")
        self._places = [table.column(part) for part in parts]
        self._table = table
        told = [self._text(cells) for cells in sample if not all(is_empty(cells[place]) for place in self._places)]
        last = [cells[self._places[-1]].strip() for cells in sample]
        self._of_day = (
            of_day and len(parts) == 1 and sum(bool(_OF_DAY.fullmatch(text)) for text in last) > 0.5 * len(told)
        )
        midnights = sum(bool(re.fullmatch(r"0?0:00(:00)?", text)) for text in last)
        self._none_at_midnight = midnights >= MIDNIGHTS and (len(parts) > 1 or self._of_day)
        self._clock = Clock(told, zone(timezone))
        numbers = [table.number(text) for text in told]
        self.plain = bool(told) and all(number is not None and abs(number) < 1e8 for number in numbers)
        self.format = "seconds since any start" if self.plain else self._clock.format

    def read(self, cells: list[str], beside: tuple[float, float] | None = None) -> tuple[float, float] | None:
        """Seconds since the epoch and the local offset; None when there is no time."""
        if any(is_empty(cells[place]) for place in self._places):
            return None
        clock = cells[self._places[-1]].strip()
        if self._none_at_midnight and re.fullmatch(r"0?0:00(:00)?", clock):
            return None
        if self.plain:
            number = self._table.number(clock)
            return None if number is None else (number, 0.0)
        if not self._of_day:
            return self._clock.read(self._text(cells))
        found = _OF_DAY.fullmatch(clock)
        if found is None or beside is None:
            return None
        midnight = (beside[0] + beside[1]) // DAY_S * DAY_S - beside[1]
        return midnight + 3600.0 * int(found[1]) + 60.0 * int(found[2]) + int(found[3] or 0), beside[1]

    def _text(self, cells: list[str]) -> str:
        """The cells as one text, dates without separators (990131, 19990131) written out."""
        text = joined(cells, self._places)
        if found := _LONG_DATE.match(text):
            return f"{found[1]}-{found[2]}-{found[3]}{text[found.end() :]}"
        if found := _SHORT_DATE.match(text):
            century = 19 if int(found[1]) >= 70 else 20
            return f"{century}{found[1]}-{found[2]}-{found[3]}{text[found.end() :]}"
        return text


class _Wait:
    """A column of seconds or minutes since something."""

    def __init__(self, table: Table, place: int, unit_s: float) -> None:
        self._table, self._place, self._unit_s = table, place, unit_s

    def seconds(self, cells: list[str]) -> float | None:
        """The wait; None when there is none, it is negative (often a code for closed) or over half a day."""
        text = cells[self._place].strip()
        number = self._table.number(text)
        if number is None and (found := _OF_DAY.fullmatch(text)):
            return 3600.0 * int(found[1]) + 60.0 * int(found[2]) + int(found[3] or 0)
        if number is None or not 0.0 <= number * self._unit_s <= WAIT_MAX_S:
            return None
        return number * self._unit_s

    def read(self, cells: list[str], beside: tuple[float, float] | None) -> tuple[float, float] | None:
        """The time that lies so much after `beside`."""
        seconds = self.seconds(cells)
        return None if seconds is None or beside is None else (beside[0] + seconds, beside[1])


def _after(start: float, then: float) -> float | None:
    """`then`, a day later when it seems to lie on the other side of midnight; None when it is no time after `start`."""
    if start - 1.0 <= then < start:
        return start
    if then < start and then + DAY_S - start <= WAIT_MAX_S:
        then += DAY_S
    return then if 0.0 <= then - start <= WAIT_MAX_S else None


def _condition(table: Table, text: str) -> tuple[int, bool, str, str]:
    """(column, equal, value, as written) of COL=VALUE or COL!=VALUE. Raises TableInvalid."""
    found = _CONDITION.fullmatch(text)
    if found is None:
        raise TableInvalid(f"--where {text}: write COL=VALUE or COL!=VALUE")
    return table.column(found[1]), found[2] == "=", found[3].strip(), text

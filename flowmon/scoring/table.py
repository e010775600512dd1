"""Any CSV file to rows, with an account of every row that could not be used.

Read: plain or gzip, UTF-8 (with or without BOM), UTF-16 with BOM, else Windows-1252; separators , ; tab | found from
the header; quotes; decimal commas where the separator is none; thousands separators. Never raises for a row: what
cannot be read is dropped with a reason, counted, and shown by an example. It raises `TableInvalid` for a file that
is no table, and for a column that is not there, naming the columns there are.
"""

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from flowmon.errors import FlowmonError
from flowmon.scoring.contents import contents

BYTES_MAX = 1 << 29  # unpacked
ROWS_MAX = 5_000_000
FIELD_MAX = 1 << 20
EXAMPLES = 3
EMPTY = frozenset({"", "na", "n/a", "nan", "null", "none", "-", "–", "."})
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class TableInvalid(FlowmonError):
    """A file that is no table, or without a column that was asked for."""


class Account:
    """Rows read, used and dropped, with the reasons; `notes` are what the reader should know besides.

    >>> account = Account()
    >>> account.drop("no number", line=7, text="closed")
    >>> account.dropped, account.examples["no number"]
    (Counter({'no number': 1}), ["line 7: 'closed'"])
    """

    def __init__(self) -> None:
        self.rows = self.used = 0
        self.dropped: Counter[str] = Counter()
        self.examples: dict[str, list[str]] = {}
        self.notes: list[str] = []

    def drop(self, reason: str, line: int, text: str) -> None:
        """A row is not used, because of `reason`; `text` is what was in it."""
        self.dropped[reason] += 1
        shown = self.examples.setdefault(reason, [])
        if len(shown) < EXAMPLES:
            shown.append(f"line {line}: {text[:60]!r}")


class Table:
    """One CSV file. Columns are found by name, exactly or else without regard to case and outer spaces."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.account = Account()
        self._text = _text(path)
        header = next((line for line in io.StringIO(self._text) if line.strip()), "")
        self._separator = max(",;\t|", key=header.count)
        self.decimal_comma = self._separator != ","
        self._rows = csv.reader(io.StringIO(self._text, newline=""), delimiter=self._separator)
        first = next((row for row in self._reading() if any(cell.strip() for cell in row)), None)
        if first is None:
            raise TableInvalid(f"{path}: there is nothing in this file: give a CSV file with a header")
        self.columns = [cell.strip() for cell in first]

    def column(self, name: str) -> int:
        """The place of the column `name`. Raises TableInvalid with the columns there are."""
        plain = name.strip().casefold()
        for place, cell in enumerate(self.columns):
            if cell == name:
                return place
        for place, cell in enumerate(self.columns):
            if cell.casefold() == plain:
                return place
        shown = ", ".join(repr(cell) for cell in self.columns[:40])
        raise TableInvalid(f"{self.path}: no column {name!r}; there are {shown}")

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """(line number, cells) of every row that is not empty, padded to the header; once."""
        width = len(self.columns)
        for row in self._reading():
            if not any(row):
                continue
            self.account.rows += 1
            if self.account.rows > ROWS_MAX:
                raise TableInvalid(f"{self.path}: more than {ROWS_MAX:,} rows: cut the file")
            yield self._rows.line_num, [*row, *[""] * (width - len(row))]

    def number(self, text: str) -> float | None:
        """A number as people write it, None when it is none (or not finite)."""
        return number(text, decimal_comma=self.decimal_comma)

    def _reading(self) -> Iterator[list[str]]:
        """Rows as the csv module reads them; a row it cannot read is dropped."""
        while True:
            try:
                yield next(self._rows)
            except StopIteration:
                return
            except csv.Error as error:
                self.account.rows += 1
                self.account.drop(f"no CSV ({error})", self._rows.line_num, "")


def number(text: str, *, decimal_comma: bool = False) -> float | None:
    """A number as people write it, None when it is none.

    >>> [number(text) for text in ("1,234", " 12 ", "1e3", "NA", "12 people")]
    [1234.0, 12.0, 1000.0, None, None]
    >>> number("12,5", decimal_comma=True)
    12.5
    """
    plain = text.strip().replace("\u00a0", "").replace("\u202f", "").replace("'", "")
    if not decimal_comma and _THOUSANDS.fullmatch(plain):
        plain = plain.replace(",", "")
    elif decimal_comma and plain.count(",") == 1:
        plain = plain.replace(".", "").replace(",", ".")
    if not _NUMBER.fullmatch(plain):
        return None
    value = float(plain)
    return value if math.isfinite(value) else None


def is_empty(text: str) -> bool:
    """Whether a cell says that there is no value."""
    return text.strip().casefold() in EMPTY


def joined(cells: Sequence[str], places: Sequence[int]) -> str:
    """Cells of several columns as one text, a date and its hour for example."""
    return " ".join(cells[place].strip() for place in places)


def _text(path: Path) -> str:
    """The whole file as text. Raises TableInvalid."""
    csv.field_size_limit(FIELD_MAX)
    data = contents(path, BYTES_MAX, TableInvalid)
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return data.decode("utf-16", errors="replace")
    if data[:4] == b"PK\x03\x04":
        raise TableInvalid(f"{path}: this is a zip or spreadsheet file: unpack it, or save it as CSV")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
    return text.replace("\x00", "")

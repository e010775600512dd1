"""A CSV file of unknown make to numbered rows: encoding, delimiter and header are found out. Damage stays in its line.

Every line is cut by itself, so that a lost quote or line end never swallows the rows after it.
"""

import codecs
import csv
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct

from flowmon.errors import FlowmonError
from sensors.mapping.documents import delimiter_of

SIZE_MAX = 512 << 20
#: Two years of minutes, in about 800 MB of memory.
ROWS_MAX = 1_100_000
_LINE_MAX = 64 << 10
_HEADER_WITHIN = 30
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class CannotImport(FlowmonError):
    """A file that cannot be imported at all; says what to do."""


class Row(Struct, frozen=True):
    """A line of the file, counted from 1 as an editor does. fault: why it cannot be used, "" when it can."""

    number: int
    cells: list[str]
    fault: str = ""


class Table(Struct, frozen=True):
    """What was found out about a file. header: the names of its columns, as they stand."""

    encoding: str
    delimiter: str
    header: list[str]
    header_line: int


def encoding_of(path: Path) -> str:
    """The encoding by its mark; UTF-8 where the whole file is that, else Windows-1252. Raises CannotImport."""
    try:
        if path.stat().st_size > SIZE_MAX:
            raise CannotImport(f"{path} is larger than {SIZE_MAX >> 20} MB: cut it into parts")
        decoder = codecs.getincrementaldecoder("utf-8")()
        with path.open("rb") as stream:
            first = stream.read(4)
            for mark, name in _MARKS:
                if first.startswith(mark):
                    return name
            stream.seek(0)
            while block := stream.read(1 << 20):
                decoder.decode(block)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1252"
    except OSError as error:
        raise CannotImport(f"{path} cannot be read: {error.strerror or error}; name a CSV file") from error
    return "utf-8"


def lines(path: Path, encoding: str, progress: Callable[[int], None] | None = None) -> Iterator[tuple[int, str, bool]]:
    """`(number, line, whole)` of each line that is not empty; not whole: the file ends in the middle of it.

    progress: told now and then how many characters were read.
    """
    done = 0
    with path.open(encoding=encoding, errors="replace", newline=None) as stream:
        number = 0
        while line := stream.readline(_LINE_MAX):
            number += 1
            done += len(line)
            if progress is not None and number % 512 == 0:
                progress(done)
            if number > ROWS_MAX:
                raise CannotImport(f"{path} has more than {ROWS_MAX} lines: cut it into parts")
            if line.strip():
                yield number, line.rstrip("\n"), line.endswith("\n")


def open_table(path: Path, wanted: Callable[[list[str]], bool], delimiter: str = "") -> Table:
    """Find the header: the first of some lines whose columns `wanted` accepts. Raises CannotImport naming them."""
    encoding = encoding_of(path)
    tried: list[list[str]] = []
    for number, line, _ in lines(path, encoding):
        mark = delimiter or delimiter_of(line)
        names = [name.strip() for name in cut(line, mark) or []]
        if wanted(names):
            return Table(encoding, mark, names, number)
        tried.append(names)
        if len(tried) >= _HEADER_WITHIN:
            break
    if not tried:
        raise CannotImport(f"{path} is empty: export it again")
    seen = ", ".join(repr(name[:40]) for name in tried[0][:20])
    raise CannotImport(
        f"{path}: no line names the columns of times and counts (the first has {seen}): describe them in a mapping "
        'file with format = "csv" and give --mapping'
    )


def cut(line: str, delimiter: str) -> list[str] | None:
    """The cells of one line, None when its quotes do not match."""
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return None


def rows(path: Path, table: Table, progress: Callable[[int], None] | None = None) -> Iterator[Row]:
    """The lines after the header."""
    for number, line, whole in lines(path, table.encoding, progress):
        if number <= table.header_line:
            continue
        cells = cut(line, table.delimiter)
        if cells is None:
            yield Row(number, [], "quotes do not match: the row is damaged")
        elif len(cells) != len(table.header):
            reason = "cut off" if len(cells) < len(table.header) else "two rows run together"
            yield Row(number, cells, f"{len(cells)} columns where {len(table.header)} are named: {reason}")
        elif not whole:
            yield Row(number, cells, "the file ends within this row: it may be cut off")
        else:
            yield Row(number, [cell.strip() for cell in cells])

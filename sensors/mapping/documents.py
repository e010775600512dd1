"""Payload bytes to what selectors search: a JSON value, an XML element, or rows of names and texts. Bounded, pure."""

import csv
import io
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from flowmon.errors import Undecodable
from sensors.dialects import bodies, markup
from sensors.mapping.model import ROWS_MAX, Columns, Mapping

_BOM = b"\xef\xbb\xbf"
#: Longest text that a regular expression is let loose on.
TEXT_MAX = 256
_FIELDS_MAX = 200
_DELIMITERS = ",;\t|"

Open = Callable[[bytes], Any]


def opener(mapping: Mapping) -> Open:
    """The way to open payloads of a mapping's format; it raises Undecodable."""
    match mapping.format:
        case "json":
            return _json(mapping.body)
        case "xml":
            return lambda payload: markup.tree(payload.removeprefix(_BOM).strip(), mapping.root)
        case "csv":
            return lambda payload: csv_rows(_text(payload), mapping.csv)
        case "form":
            return _form
        case "text":
            return _matching(mapping.pattern)


def _json(body: str) -> Open:
    if body == "object":
        return lambda payload: bodies.table(bodies.document(payload), "body")
    if body == "array":
        return lambda payload: bodies.rows(bodies.document(payload), "body")
    return bodies.document


def _text(payload: bytes) -> str:
    try:
        return payload.removeprefix(_BOM).decode()
    except UnicodeDecodeError:
        raise Undecodable("not UTF-8 text") from None


def delimiter_of(line: str) -> str:
    """The mark between the columns: that which stands most often in a first line.

    >>> delimiter_of("from;to;in, all"), delimiter_of("a")
    (';', ',')
    """
    return max(_DELIMITERS, key=line.count)


def csv_rows(text: str, columns: Columns) -> list[dict[str, str]]:
    """Rows by column name; names come from the first line unless the mapping has them. Raises Undecodable."""
    lines = text.splitlines()
    if not lines:
        raise Undecodable("not CSV: empty")
    reader = csv.reader(io.StringIO(text), delimiter=columns.delimiter or delimiter_of(lines[0]), strict=True)
    names = list(columns.names)
    rows: list[dict[str, str]] = []
    try:
        for cells in reader:
            if not cells:
                continue
            if not names:
                names = [cell.strip() for cell in cells]
                continue
            if len(cells) != len(names):
                raise Undecodable(f"not CSV: a row of {len(cells)} columns where {len(names)} are named")
            rows.append(dict(zip(names, (cell.strip() for cell in cells), strict=True)))
            if len(rows) > ROWS_MAX:
                raise Undecodable(f"more than {ROWS_MAX} rows")
    except csv.Error as error:
        raise Undecodable(f"not CSV: {error}") from None
    return rows


def _form(payload: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(_text(payload).strip(), keep_blank_values=True, max_num_fields=_FIELDS_MAX, errors="strict")
    except ValueError:
        raise Undecodable(f"not a form of at most {_FIELDS_MAX} fields in UTF-8") from None
    if not pairs:
        raise Undecodable("not a form: no field")
    return dict(pairs)


def _matching(pattern: str) -> Open:
    compiled = re.compile(pattern) if pattern else None

    def read(payload: bytes) -> dict[str, str]:
        text = _text(payload).strip()
        if len(text) > TEXT_MAX:
            raise Undecodable(f"a text longer than {TEXT_MAX} characters")
        found: dict[str, str] = {"text": text}
        if compiled is not None:
            if (match := compiled.fullmatch(text)) is None:
                raise Undecodable("a text of another form")
            found |= {key: value for key, value in match.groupdict().items() if value is not None}
        return found

    return read

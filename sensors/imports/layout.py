"""Which columns of an export say what: from a mapping file, or found out by the usual names."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import UNSET, Struct

from sensors.imports.table import CannotImport
from sensors.mapping.model import FactTable, Mapping

#: Names that exports use, in small letters without marks; the first one found counts.
NAMES = {
    "start": ("fromtime", "from", "start", "starttime", "timestamp", "datetime", "time", "date", "von", "debut"),
    "end": ("totime", "to", "end", "endtime", "bis", "fin"),
    "forward": ("forwardcounter", "forward", "fw", "in", "enters", "enter", "entries", "countin", "totalin", "ins"),
    "backward": ("backwardcounter", "backward", "bw", "out", "exits", "exit", "countout", "totalout", "outs"),
}
#: Forms of time that are tried, besides ISO 8601 and seconds since 1970. The first is that of Xovis, day before month.
FORMS = (
    "%d/%m/%Y - %H:%M", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M",
)  # fmt: skip
_TRIED = 20_000


class Layout(Struct, frozen=True):
    """Columns by name, "" for one there is not. form: of times: "iso", "unix" or a strptime pattern.

    window_s: 0.0 when the end says it, or the spacing of the rows does. line: a column; without it, a constant.
    """

    start: str
    end: str
    forward: str
    backward: str
    form: str = ""
    zone: str = ""
    window_s: float = 0.0
    line: str = ""
    delimiter: str = ""
    invert: bool = False

    @property
    def columns(self) -> list[str]:
        """The columns that a header must have."""
        return [name for name in (self.start, self.end, self.forward, self.backward, self.line) if name]


def of_mapping(mapping: Mapping, file: str) -> Layout:
    """The layout a mapping file describes. Raises CannotImport when it is not for window counts in CSV."""
    tables = [table for table in mapping.facts if table.type == "count"]
    if mapping.format != "csv" or len(tables) != 1 or tables[0].kind != "window":
        raise CannotImport(
            f'{file}: an import needs format = "csv" and one [[facts]] with type = "count", kind = "window"'
        )
    (table,) = tables
    where = table.start if table.start is not None else table.end
    told: dict[str, Any] = where if isinstance(where, dict) else {}
    return Layout(
        start=_column(table, "start", file),
        end=_column(table, "end", file),
        forward=_column(table, "forward", file),
        backward=_column(table, "backward", file),
        line=_column(table, "line", file),
        form=str(told.get("time", "")),
        zone=str(told.get("zone", "") or mapping.zone),
        window_s=table.window_s,
        delimiter=mapping.csv.delimiter,
        invert=table.invert,
    )


def _column(table: FactTable, field: str, file: str) -> str:
    raw = getattr(table, field)
    if isinstance(raw, dict):
        raw = raw.get("path", UNSET)
    if raw is None or isinstance(raw, str):
        return raw or ""
    raise CannotImport(f'{file}: {field} must name a column for an import, like {field} = "In"')


def of_header(names: Sequence[str]) -> Layout | None:
    """The layout of an export by the usual names of columns, None when times or counts are not there."""
    plain = {"".join(filter(str.isalnum, name.lower())): name for name in reversed(names)}
    found = {field: next((plain[word] for word in words if word in plain), "") for field, words in NAMES.items()}
    if not found["start"] or not (found["forward"] or found["backward"]):
        return None
    return Layout(found["start"], found["end"], found["forward"], found["backward"])


def form_of(texts: Sequence[str]) -> str:
    """The form in which nearly all of these times are written. Raises CannotImport when none is, or two could be."""
    texts = [text for text in texts[:_TRIED] if text]
    if not texts:
        raise CannotImport("there is no row below the names of the columns: export it again")
    fits = {form: sum(local(text, form) is not None for text in texts) for form in ("iso", "unix", *FORMS)}
    most = max(fits.values())
    fitting = [form for form, count in fits.items() if count == most and count * 10 >= len(texts) * 9]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise CannotImport(
            f"{texts[0]!r:.40} may be day/month or month/day: say so in a mapping file, "
            'start = { path = "…", time = "%d/%m/%Y %H:%M" }, and give --mapping'
        )
    raise CannotImport(
        f"times like {texts[0]!r:.40} are in no form known here: write a mapping file with "
        'start = { path = "…", time = "<strptime pattern>" } and give --mapping'
    )


def local(text: str, form: str) -> datetime | float | None:
    """A time as written: without zone a local one, else seconds UTC. None when it is not of this form."""
    try:
        if form in {"unix", "s", "ms", "us"}:
            value = float(text) / {"ms": 1e3, "us": 1e6}.get(form, 1.0)
            if form == "unix" and value >= 1e11:
                value /= 1e3
            return value if 0 < value < 1e11 and len(text) >= 9 else None
        if form in {"iso", "", "auto", "rfc3339"}:
            moment = datetime.fromisoformat(text)
        else:
            moment = datetime.strptime(text, form)  # noqa: DTZ007 -- an export without zones is the point
        return moment.timestamp() if moment.tzinfo else moment
    except (ValueError, OverflowError, OSError):
        return None

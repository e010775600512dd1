"""Rows of an export to windows of counts, each minute once, with a word on every row that was left out. Pure.

    rows -> readings (times as written, counts) -> instants (zone, doubtful hours) -> windows, each instant once

A row that is damaged, repeated, or told for a time that never was is skipped and named; nothing is made up for it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from itertools import pairwise

from msgspec import Struct, field

from sensors.imports.folds import Doubtful, resolve
from sensors.imports.layout import Layout, local
from sensors.imports.table import CannotImport, Row
from sensors.mapping.times import candidates

WINDOW_MAX_S = 86_400.0
COUNT_MAX = 10_000_000
_PADDED = 0.9


class Window(Struct, frozen=True):
    """People who passed from start to end, seconds UTC. row: the line of the file that says so."""

    start: float
    end: float
    line: str
    forward: int
    backward: int
    row: int


class Skipped(Struct, frozen=True):
    """A row that was not credited, and why."""

    row: int
    reason: str


class Gathered(Struct):
    """What is in an export. skipped: damaged rows; repeats: rows told before with the same counts (dropped);
    conflicts: rows told before with other counts (the first was kept). first_hour, second_hour: rows of the hour that
    happens twice, by what they were taken for. turned: the newest row stood first.
    """

    read: int = 0
    windows: list[Window] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    repeats: list[Skipped] = field(default_factory=list)
    conflicts: list[Skipped] = field(default_factory=list)
    first_hour: int = 0
    second_hour: int = 0
    gap: int = 0
    out_of_order: int = 0
    turned: bool = False
    window_s: float = 0.0


class Reading(Struct, frozen=True):
    """A row that can be read: times as written (local, or seconds UTC)."""

    row: int
    start: datetime | float
    end: datetime | float | None
    line: str
    forward: int
    backward: int


def gather(rows: Iterable[Row], header: Sequence[str], layout: Layout, zone: tzinfo, line: str) -> Gathered:
    """The windows of an export in order of time. line: of a layout that names no column for it.

    Raises CannotImport when no row can be read.
    """
    found = Gathered()
    readings = _readings(rows, header, layout, line, found)
    if not readings:
        why = found.skipped[0].reason if found.skipped else "there is no row below the names of the columns"
        raise CannotImport(f"no row can be read ({why}): check --zone and the columns, or give --mapping")
    if _falling(readings):
        found.turned = True
        readings.reverse()
    found.window_s = layout.window_s or _usual_window(readings)
    _credit(_instants(readings, zone, found), found)
    return found


def _readings(rows: Iterable[Row], header: Sequence[str], layout: Layout, line: str, found: Gathered) -> list[Reading]:
    places = {name: place for place, name in reversed(list(enumerate(header)))}
    kept: list[Row] = []
    for row in rows:
        found.read += 1
        if row.fault:
            found.skipped.append(Skipped(row.number, row.fault))
        else:
            kept.append(row)
    columns = [places[name] for name in (layout.start, layout.end) if name]
    usual = {place: _usual_length([row.cells[place] for row in kept]) for place in columns}
    readings = []
    for row in kept:
        if any(usual[place] and len(row.cells[place]) != usual[place] for place in columns):
            found.skipped.append(Skipped(row.number, "a time is not written like the others: cut off?"))
        elif isinstance(reading := _reading(row, places, layout, line), str):
            found.skipped.append(Skipped(row.number, reading))
        else:
            readings.append(reading)
    return readings


def _usual_length(texts: Sequence[str]) -> int:
    """How long nearly all of these texts are, 0 when they differ (times without leading zeros)."""
    if not texts:
        return 0
    length, often = Counter(map(len, texts)).most_common(1)[0]
    return length if often >= _PADDED * len(texts) else 0


def _reading(row: Row, places: dict[str, int], layout: Layout, line: str) -> Reading | str:
    def cell(name: str) -> str:
        return row.cells[places[name]] if name else ""

    times = {name: local(cell(name), layout.form) for name in (layout.start, layout.end) if name}
    for name, time in times.items():
        if time is None:
            return f"{name}: {cell(name)[:40]!r} is not a time"
    counts = []
    for name in (layout.forward, layout.backward):
        text = cell(name) if name else "0"
        if not (text.isascii() and text.isdecimal() and len(text) <= 9 and int(text) <= COUNT_MAX):
            return f"{name}: {text[:40]!r} is not a number of people"
        counts.append(int(text))
    if layout.invert:
        counts.reverse()
    start, end = times.get(layout.start), times.get(layout.end)
    if start is None:  # only the end of the window is told
        start, end = end, None
    assert start is not None
    return Reading(row.number, start, end, cell(layout.line) or line, counts[0], counts[1])


def _falling(readings: Sequence[Reading]) -> bool:
    order = [_naive(reading.start) for reading in readings]
    return sum(b < a for a, b in pairwise(order)) > sum(b > a for a, b in pairwise(order))


def _naive(time: datetime | float) -> float:
    """Seconds on a clock that never jumps, to compare times as written."""
    return time if isinstance(time, float) else (time - datetime(1970, 1, 1)).total_seconds()  # noqa: DTZ001


def _usual_window(readings: Sequence[Reading]) -> float:
    """The length most rows have, or their usual spacing where no end is told. Raises CannotImport."""
    if readings[0].end is not None:
        lengths = [_naive(each.end) - _naive(each.start) for each in readings if each.end is not None]
    else:
        starts = [_naive(each.start) for each in readings]
        lengths = [b - a for a, b in pairwise(starts)]
    usable = Counter(length for length in lengths if 0 < length <= WINDOW_MAX_S)
    if not usable:
        raise CannotImport("no row says how long it counted: give window_s = 60.0 in a mapping file, and --mapping")
    return usable.most_common(1)[0][0]


def _instants(readings: Sequence[Reading], zone: tzinfo, found: Gathered) -> list[tuple[Reading, float, float]]:
    """(reading, start, end) in seconds UTC, in the order of the file."""
    starts: dict[int, float] = {}
    doubtful: dict[tuple[object, str], list[Doubtful]] = defaultdict(list)
    before: float | None = None
    for place, reading in enumerate(readings):
        first, second = (reading.start,) * 2 if isinstance(reading.start, float) else candidates(reading.start, zone)
        if first > second:
            found.gap += 1
            found.skipped.append(Skipped(reading.row, "this hour never was, clocks went forward over it: check --zone"))
        elif first < second:
            assert isinstance(reading.start, datetime)
            day = (reading.start.date(), reading.line)
            doubtful[day].append(Doubtful(place, reading.start, first, second, before))
        else:
            starts[place] = first
            before = first + found.window_s
    for rows in doubtful.values():
        meant = resolve(rows, found.window_s)
        starts |= meant
        second = sum(meant[row.place] == row.second for row in rows)
        found.second_hour += second
        found.first_hour += len(rows) - second
    told = []
    for place, start in sorted(starts.items()):
        end = _end(readings[place], start, found.window_s, zone)
        if end is None:
            found.skipped.append(Skipped(readings[place].row, "its end is not after its start, or days later"))
        else:
            told.append((readings[place], start, end))
    return told


def _end(reading: Reading, start: float, window_s: float, zone: tzinfo) -> float | None:
    """The end of a window: of all that its text may mean the one soonest after the start."""
    if reading.end is None:
        return start + window_s
    if isinstance(reading.end, float):
        meanings: tuple[float, ...] = (reading.end,)
    else:
        meanings = (*candidates(reading.end, zone), start + _naive(reading.end) - _naive(reading.start))
    return min((end for end in meanings if 0 < end - start <= WINDOW_MAX_S), default=None)


def _credit(told: Sequence[tuple[Reading, float, float]], found: Gathered) -> None:
    kept: dict[tuple[str, float], Window] = {}
    latest: dict[str, float] = {}
    for reading, start, end in told:
        window = Window(start, end, reading.line, reading.forward, reading.backward, reading.row)
        if start < latest.get(reading.line, start):
            found.out_of_order += 1
        latest[reading.line] = max(start, latest.get(reading.line, start))
        known = kept.setdefault((reading.line, start), window)
        if known is not window:
            counts = (window.end, window.forward, window.backward)
            same = counts == (known.end, known.forward, known.backward)
            kind = found.repeats if same else found.conflicts
            kind.append(
                Skipped(reading.row, f"told before in row {known.row}" + ("" if same else " with other counts"))
            )
    found.windows = _without_overlaps(sorted(kept.values(), key=lambda each: (each.line, each.start)), found)
    found.skipped.sort(key=lambda each: each.row)


def _without_overlaps(windows: Sequence[Window], found: Gathered) -> list[Window]:
    """Of two windows that overlap, the one of the usual length is kept, else the earlier one."""
    kept: list[Window] = []
    for window in windows:
        while kept and kept[-1].line == window.line and window.start < kept[-1].end:
            usual = [abs(each.end - each.start - found.window_s) < 0.5 for each in (kept[-1], window)]
            lost = kept.pop() if usual == [False, True] else window
            other = window if lost is not window else kept[-1]
            found.skipped.append(Skipped(lost.row, f"overlaps the window of row {other.row}"))
            if lost is window:
                break
        else:
            kept.append(window)
    return sorted(kept, key=lambda each: (each.end, each.line))

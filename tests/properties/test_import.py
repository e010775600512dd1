"""An export with damage in it imports exactly the minutes that were not damaged, each once, on any day of the year."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from sensors.imports.gather import Gathered, gather
from sensors.imports.layout import form_of, of_header
from sensors.imports.table import CannotImport, open_table, rows

ZONES = ["Europe/Paris", "America/New_York", "Australia/Lord_Howe", "UTC"]
HEADER = "from-time,to-time,Forward counter,Backward counter"
#: Shortly before a change of clocks in each of the zones, and an ordinary evening.
BEGINS = [
    datetime(2026, 3, 28, 23, 30, tzinfo=UTC),
    datetime(2026, 10, 24, 22, 30, tzinfo=UTC),
    datetime(2026, 11, 1, 3, 45, tzinfo=UTC),
    datetime(2026, 3, 8, 5, 15, tzinfo=UTC),
    datetime(2026, 4, 4, 13, 50, tzinfo=UTC),
    datetime(2026, 5, 2, 21, 0, tzinfo=UTC),
]

Minute = tuple[float, float, int, int]


def line_of(at: datetime, counts: tuple[int, int], zone: ZoneInfo) -> str:
    written = [(at + timedelta(minutes=n)).astimezone(zone).strftime("%d/%m/%Y - %H:%M") for n in (0, 1)]
    return ",".join([*written, *map(str, counts)])


def imported(lines: list[str], zone: ZoneInfo, folder: Path) -> Gathered:
    file = folder / "export.csv"
    file.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    table = open_table(file, lambda names: of_header(names) is not None)
    layout = of_header(table.header)
    assert layout is not None
    texts = [row.cells[0] for row in rows(file, table) if not row.fault]
    return gather(rows(file, table), table.header, structs.replace(layout, form=form_of(texts)), zone, "1")


def minutes(found: Gathered) -> list[Minute]:
    return [(window.start, window.end, window.forward, window.backward) for window in found.windows]


@st.composite
def exports(draw: st.DrawFn) -> tuple[list[str], ZoneInfo, list[Minute]]:
    """(lines, zone, minutes that must be imported): rows cut off, repeated further down, and out of order."""
    zone = ZoneInfo(draw(st.sampled_from(ZONES)))
    begin = draw(st.sampled_from(BEGINS))
    size = draw(st.integers(200, 360))
    counts = draw(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=size, max_size=size))
    times = [begin + timedelta(minutes=n) for n in range(size)]
    lines = [line_of(at, pair, zone) for at, pair in zip(times, counts, strict=True)]
    damaged = draw(st.sets(st.integers(0, size - 1), max_size=12))
    told: list[tuple[int, str]] = []
    for place, line in enumerate(lines):
        if place in damaged:
            # Within the last number nobody could see it: the row ends before its last comma.
            told.append((place, line[: draw(st.integers(1, line.rindex(",")))]))
            continue
        told.append((place, line))
        if draw(st.integers(0, 40)) == 0:
            told.append((place, line))
    moved = draw(st.lists(st.integers(0, len(told) - 2), max_size=8))
    for place in moved:
        told[place], told[place + 1] = told[place + 1], told[place]
    wanted = [
        (at.timestamp(), at.timestamp() + 60.0, *pair)
        for place, (at, pair) in enumerate(zip(times, counts, strict=True))
        if place not in damaged
    ]
    return [line for _, line in told], zone, wanted


@given(exports())
@settings(deadline=None, max_examples=25)
def test_exactly_the_undamaged_minutes(
    tmp_path_factory: pytest.TempPathFactory, export: tuple[list[str], ZoneInfo, list[Minute]]
) -> None:
    lines, zone, wanted = export
    found = imported(lines, zone, tmp_path_factory.mktemp("export"))
    assert minutes(found) == wanted
    assert found.read == len(lines)
    assert found.read == len(wanted) + len(found.skipped) + len(found.repeats)


@given(exports())
@settings(deadline=None, max_examples=25)
def test_the_newest_row_may_stand_first(
    tmp_path_factory: pytest.TempPathFactory, export: tuple[list[str], ZoneInfo, list[Minute]]
) -> None:
    lines, zone, wanted = export
    found = imported(lines[::-1], zone, tmp_path_factory.mktemp("export"))
    assert found.turned
    assert minutes(found) == wanted


CELLS = st.sampled_from(
    ["31/01/2026 - 19:28", "2026-05-02 10:00", "1777730400", "7", "-1", "", '"', "9" * 30, "x", "29/02/2026"]
)
DAMAGED = st.binary(max_size=200) | st.lists(st.lists(CELLS, max_size=6).map(",".join), max_size=12).map(
    lambda lines: "\n".join([HEADER, *lines]).encode()
)


@given(DAMAGED)
@settings(deadline=None)
def test_any_file_is_imported_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = tmp_path_factory.mktemp("export") / "export.csv"
    file.write_bytes(data)
    try:
        table = open_table(file, lambda names: of_header(names) is not None)
        layout = of_header(table.header)
        assert layout is not None
        place = table.header.index(layout.start)
        form = form_of([row.cells[place] for row in rows(file, table) if not row.fault])
        found = gather(rows(file, table), table.header, structs.replace(layout, form=form), ZoneInfo("UTC"), "1")
    except CannotImport:
        return
    assert found.read == len(found.windows) + len(found.skipped) + len(found.repeats) + len(found.conflicts)
    assert all(before.end <= after.end for before, after in pairwise(found.windows))

"""The published table: rows of figures as Markdown, put between its marks in README.md and ARCHITECTURE.md."""

from collections.abc import Mapping
from pathlib import Path

from tests.scenarios.rows import ROWS, RUNS, Row, Score, reached, values

OPEN, CLOSE = "<!-- flowmon accuracy -->", "<!-- /flowmon accuracy -->"


def table(scores: Mapping[str, Score], preface: str, *, short: bool = False) -> str:
    """The Markdown between the marks. What was not run says so; short: only what was run and falls short."""
    rows = [row for row in ROWS if not short or _falls_short(row, scores)]
    lines = ["| measure | data | must | aim | median | worst | met (worst) |", "|---|---|---|---|---|---|---|"]
    return "\n".join([preface, "", *lines, *(_line(row, scores) for row in rows), ""])


def _falls_short(row: Row, scores: Mapping[str, Score]) -> bool:
    found = values(row, scores)
    return found is not None and "no" in {reached(row, value) for value in found}


def _line(row: Row, scores: Mapping[str, Score]) -> str:
    data = "*simulated*" if any(run.name == row.runs and run.simulated for run in RUNS) else "*real data*"
    bars = f"| {row.label} | {data} | {_bar(row, row.must)} | {_bar(row, row.aim)} "
    found = values(row, scores)
    if found is None:
        return f"{bars}| not run | | |"
    median, worst = found
    met = f"{reached(row, median)} ({reached(row, worst)})"
    return f"{bars}| {_figure(row, median)} | {_figure(row, worst)} | {met} |"


def _bar(row: Row, bar: float | tuple[float, float] | None) -> str:
    if bar is None:
        return ""
    if isinstance(bar, tuple):
        return f"{_figure(row, bar[0])} to {_figure(row, bar[1])}"
    return f"{'≥' if row.better == 'higher' else '≤'} {_figure(row, bar)}"


def _figure(row: Row, value: float) -> str:
    """
    >>> _figure(Row("", "", ""), 0.1234), _figure(Row("", "", "", percent=False), 21.0)
    ('12.3 %', '21')
    """
    return f"{100 * value:.1f} %" if row.percent else f"{value:.2f}".rstrip("0").rstrip(".")


def rewrite(path: Path, text: str) -> None:
    """Put the table between the marks of a file. Raises ValueError when the marks are not there, once each."""
    whole = path.read_text(encoding="utf-8")
    if whole.count(OPEN) != 1 or whole.count(CLOSE) != 1:
        raise ValueError(f"{path}: put the marks {OPEN} and {CLOSE} where the table belongs, once each")
    before, rest = whole.split(OPEN)
    after = rest.split(CLOSE)[1]
    path.write_text(f"{before}{OPEN}\n{text}{CLOSE}{after}", encoding="utf-8")

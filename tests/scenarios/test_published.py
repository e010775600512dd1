"""The published table says what was measured, of the right run, and nothing else."""

from pathlib import Path
from typing import Any

import pytest

from tests.scenarios import published
from tests.scenarios.rows import ROWS, RUNS, reads, values


def score(**figures: float) -> dict[str, Any]:
    return {"methods": {"model": figures}, "report": {}, "data": {}}


def scenarios(**wape: float) -> dict[str, Any]:
    parts = {name: {"methods": {"model": {"zone_wape": v, "zone_wape_worst": 2 * v}}} for name, v in wape.items()}
    return {**score(zone_wape=9.0), "report": {"scenarios": parts}}


def test_every_row_reads_a_run_and_every_run_is_read() -> None:
    assert all(any(reads(row, run.name) for run in RUNS) for row in ROWS)
    assert all(any(reads(row, run.name) for row in ROWS) for run in RUNS)


def test_what_was_not_run_says_so() -> None:
    lines = published.table({}, "Never.").splitlines()
    assert sum("| not run | | |" in line for line in lines) == len(ROWS)


def test_a_row_reads_its_own_run_and_scenario() -> None:
    row = next(row for row in ROWS if row.key == "zone_wape" and row.runs == "m")
    scores = {"m": scenarios(normal=0.1), "mismatched": scenarios(normal=0.7), "melbourne-bourke": score(zone_wape=0.8)}
    assert values(row, scores) == (0.1, 0.2)
    text = published.table(scores, "Today.")
    assert "| T2 rooms, layout M: WAPE | *simulated* | ≤ 22.0 % | ≤ 15.0 % | 10.0 % | 20.0 % | aim (must) |" in text


def test_of_several_data_sets_the_worst_is_told() -> None:
    row = next(row for row in ROWS if row.key == "skill_60min" and row.runs == "melbourne-")
    scores = {f"melbourne-{n}": score(skill_60min=skill) for n, skill in enumerate((0.3, 0.1, 0.2))}
    assert values(row, scores) == (0.2, 0.1)


def test_the_table_is_put_between_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"a\n{published.OPEN}\nold\n{published.CLOSE}\nb\n")
    published.rewrite(page, "new\n")
    assert page.read_text() == f"a\n{published.OPEN}\nnew\n{published.CLOSE}\nb\n"
    page.write_text("a\n")
    with pytest.raises(ValueError, match="put the marks"):
        published.rewrite(page, "new\n")

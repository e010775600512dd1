"""Unusual events: the estimator by its promises, and `flowmon score events` on small files of our own."""

import csv
import json
import math
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flowmon.__main__ import main
from flowmon.estimators.events import UnusualEvents
from flowmon.scoring.thresholds import tail
from tests.unit.estimator_checks import CHECKS, Subject

START = datetime(2026, 1, 5)  # noqa: DTZ001 a local time, as files have them
CALIT2 = Path(__file__).resolve().parents[3] / "shared" / "data" / "datasets" / "calit2"


def day(step: int, extra: float = 0.0) -> tuple[float, float]:
    """Half hours of an office building, in and out, deterministic."""
    dice = np.random.default_rng(step)
    hour = step % 48 / 2
    busy = 0.15 if step // 48 % 7 >= 5 else 1.0
    into, out = (15 * busy * max(0.0, math.sin((hour - shift) / 11 * math.pi)) for shift in (7.0, 8.5))
    into, out = (rate if 7 <= hour <= 19.5 else 0.2 for rate in (into, out))
    return float(dice.poisson(into + extra)), float(dice.poisson(out + extra / 2))


SUBJECT = Subject(
    make=lambda: UnusualEvents(48, 1800),
    learn=lambda estimator, step: estimator.learn(day(step), step % 336),
    estimate=lambda estimator, step: estimator.estimate(),
    spoil=[
        lambda estimator, step: estimator.learn((math.nan, 3.0), step),
        lambda estimator, step: estimator.learn((math.inf, -math.inf), step),
        lambda estimator, step: estimator.learn((-5.0, 1e300), step),
    ],
    steps=700,
    long=2000,
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_checks(check: Any) -> None:
    check(SUBJECT)


def learned(days: int) -> UnusualEvents:
    events = UnusualEvents(48, 1800)
    for step in range(48 * days):
        events.learn(day(step), step % 336)
    return events


def test_quiet_weeks_have_hardly_an_event() -> None:
    events, flagged = learned(28), 0
    for step in range(48 * 28, 48 * 56):
        events.learn(day(step), step % 336)
        flagged += events.estimate().chance > 0.5
    assert flagged <= 2  # of 1,344


def test_an_event_is_seen_at_once_and_ends() -> None:
    events = learned(28)
    for step in range(48 * 28, 48 * 28 + 48):
        guests = 30.0 if 20 <= step % 48 < 24 else 0.0
        events.learn(day(step, guests), step % 336)
        if step % 48 == 20:
            assert events.estimate().chance > 0.5
    assert events.estimate().chance < 0.05


def test_a_time_of_day_that_was_never_seen_is_no_event() -> None:
    events = UnusualEvents(48, 1800)
    for step in range(48):
        events.learn(day(step, 40.0 if step == 22 else 0.0), step % 336)
        assert events.estimate().chance < 0.5, step


def test_the_first_week_is_quiet() -> None:
    events, flagged = UnusualEvents(48, 1800), 0
    for step in range(336):
        events.learn(day(step), step % 336)
        flagged += events.estimate().chance > 0.5
    assert flagged <= 3


def test_what_comes_every_week_becomes_usual() -> None:
    events, chances = UnusualEvents(48, 1800), []
    for step in range(48 * 7 * 30):
        guests = 25.0 if 21 <= step % 336 < 25 and step >= 336 * 5 else 0.0
        events.learn(day(step, guests), step % 336)
        if step % 336 == 23:
            chances.append(events.estimate().chance)
    assert max(chances[5:8]) > 0.5 > chances[-1]


def test_exchanged_directions_are_noticed_and_are_no_event() -> None:
    events = learned(28)
    assert not events.estimate().turned
    flagged = 0
    for step in range(48 * 28, 48 * 35):
        events.learn(day(step)[::-1], step % 336)
        if step >= 48 * 30:
            assert events.estimate().turned
            flagged += events.estimate().chance > 0.5
    assert flagged <= 2
    for step in range(48 * 35, 48 * 39):
        events.learn(day(step), step % 336)
    assert not events.estimate().turned


@pytest.mark.parametrize("bad", [{"slots_of_day": 0}, {"step_s": 0}, {"flows": 3}, {"kinds": (0, 1)}])
def test_impossible_settings_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="at least"):
        UnusualEvents(**{"slots_of_day": 48, "step_s": 1800, **bad})
    with pytest.raises(ValueError, match="counts for"):
        UnusualEvents(48, 1800).learn((1.0,), 0)


def test_one_flow_is_enough() -> None:
    events = UnusualEvents(24, 3600, flows=1)
    for hour in range(24 * 35):
        events.learn((20.0 + hour % 3,), hour % 168)
    events.learn((95.0,), 0)
    assert events.estimate().chance > 0.9


def test_tail_equals_the_sum_of_the_distribution() -> None:
    below = sum(math.exp(-7.5) * 7.5**k / math.factorial(k) for k in range(15))
    assert tail(15.0, 7.5) == pytest.approx(-math.log10(1 - below))
    assert tail(7.0, 7.5) == 0.0
    assert tail(900.0, 300.0) > 100


# The command.


def write(path: Path, header: str, rows: Iterable[Iterable[object]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(header + "\n")
        csv.writer(file).writerows(rows)
    return path


def moment(step: int) -> str:
    return str(START + timedelta(minutes=30 * step))


def score(folder: Path, rows: list[list[object]], events: list[list[str]], *more: str) -> dict[str, Any]:
    counts, known = write(folder / "c.csv", "when,i,o", rows), write(folder / "e.csv", "from,to", events)
    words = ["score", "events", str(counts), "--time", "when", "--in", "i", "--out", "o", "--events", str(known)]
    words += ["--begin", "from", "--end", "to", "--json", str(folder / "s.json"), "--markdown", str(folder / "s.md")]
    assert main([*words, *more]) == 0
    found: dict[str, Any] = json.loads((folder / "s.json").read_text(encoding="utf-8"))
    return found


PARTIES = (48 * 30 + 20, 48 * 36 + 24, 48 * 43 + 30)


def counted() -> list[list[object]]:
    busy = {step + more for step in PARTIES for more in range(5)}
    return [[moment(step), *map(int, day(step, 25.0 if step in busy else 0.0))] for step in range(48 * 50)]


def test_known_events_are_found_and_counted(tmp_path: Path) -> None:
    events = [[moment(step), moment(step + 5)] for step in PARTIES]
    found = score(tmp_path, counted(), events)
    model = found["methods"]["model"]
    assert (model["events_known"], model["events_found"], model["recall"]) == (3, 3, 1.0)
    assert model["runs_unlisted"] <= 2
    assert {row["threshold"] for row in model["points"]} == {-0.5, 0.0, -1.0, -1.6}
    assert found["report"]["turned"] == []
    assert found["report"]["balance"]["days"] == 50
    assert (tmp_path / "s.md").read_text(encoding="utf-8").startswith("# Events scored")


def test_mask_and_warm_up_leave_events_out(tmp_path: Path) -> None:
    events = [[moment(step), moment(step + 5)] for step in PARTIES]
    found = score(tmp_path, counted(), events, "--warmup", "32d", "--open", "07:00-13:00")
    assert found["methods"]["model"]["events_known"] == 1  # one is too early, one too late in the day
    assert any("outside of what is scored" in note for note in found["data"]["notes"])


def test_messy_files_end_in_a_report(tmp_path: Path) -> None:
    rows = counted()
    rows[3][1] = "?"
    rows[5][0] = "yesterday"
    rows[7][1] = rows[7][2] = ""
    del rows[10:14]
    rows.append(rows[40])
    found = score(tmp_path, rows, [[moment(PARTIES[0]), moment(PARTIES[0] + 5)], ["x", "y"], [moment(9), moment(2)]])
    assert found["data"]["dropped"] == {"no readable time": 1, "no value": 1}
    assert sum("event of line" in note for note in found["data"]["notes"]) == 2


def test_exchanged_columns_are_named(tmp_path: Path) -> None:
    rows = [[a, o, i] if 48 * 36 <= n < 48 * 43 else [a, i, o] for n, (a, i, o) in enumerate(counted())]
    spans = score(tmp_path, rows, [[moment(48 * 30), moment(48 * 31)]])["report"]["turned"]
    assert len(spans) == 1
    assert spans[0]["from"][:10] in {"2026-02-10", "2026-02-11"}


@pytest.mark.parametrize(
    ("rows", "events", "more", "words"),
    [
        ([["never", 1, 2]], [[moment(0), moment(1)]], [], "none of"),
        ([[moment(0), 1, 2]], [["soon", "later"]], [], "a beginning and an end"),
        ([[moment(0), 1, 2]], [[moment(0), moment(1)]], ["--step", "7min"], "divide a day"),
        ([["1970-01-02", 1, 2], ["2098-01-01", 1, 2]], [[moment(0), moment(1)]], ["--step", "5min"], "one format"),
        ([[moment(0), 1, 2]], [[moment(0), moment(1)]], ["--out", "exit"], "no column 'exit'"),
    ],
)
def test_useless_files_are_refused_with_a_hint(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    rows: list[list[object]],
    events: list[list[str]],
    more: list[str],
    words: str,
) -> None:
    with pytest.raises(AssertionError, match="1 == 0"):
        score(tmp_path, rows, events, *more)
    assert words in capsys.readouterr().err


@pytest.mark.skipif(not CALIT2.is_dir(), reason="the CalIt2 counts are not beside this checkout")
def test_the_model_finds_more_with_less_noise_than_thresholds_on_real_counts(tmp_path: Path) -> None:
    words = ["score", "events", str(CALIT2 / "calit2_counts.csv"), "--time", "ts", "--in", "in_count"]
    words += ["--out", "out_count", "--events", str(CALIT2 / "calit2_events.csv"), "--begin", "begin", "--end", "end"]
    assert main([*words, "--json", str(tmp_path / "s.json"), "--markdown", str(tmp_path / "s.md")]) == 0
    methods = json.loads((tmp_path / "s.json").read_text(encoding="utf-8"))["methods"]
    model = methods["model"]
    assert (model["events_known"], model["events_found"] >= 21, model["runs_unlisted"] <= 24) == (30, True, True)
    better = [row for row in methods["poisson_in"]["points"] if row["events_found"] >= 21]
    assert all(row["runs_unlisted"] > model["runs_unlisted"] for row in better)

"""Crowding foreseen: the estimator by its promises, and `flowmon score onset` on a series of our own."""

import csv
import json
import math
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flowmon.__main__ import main
from flowmon.estimators.onset import Onset
from tests.unit.estimator_checks import CHECKS, Subject


def people(days: int, seed: int = 3) -> list[float]:
    """A hall in steps of ten minutes: come, stay about an hour, two peaks a day, days that differ."""
    dice, inside, level, out = np.random.default_rng(seed), 0, 0.0, []
    for step in range(144 * days):
        hour = step % 144 / 6
        level = 0.7 * level + float(dice.normal(0, 0.2)) if step % 144 == 0 else level
        rate = 9 * math.exp(-(((hour - 12) / 3) ** 2)) + 14 * math.exp(-(((hour - 18) / 2) ** 2))
        inside = int(dice.binomial(inside, 0.85) + dice.poisson(rate * math.exp(level)))
        out.append(float(inside))
    return out


SERIES = people(60)

SUBJECT = Subject(
    make=lambda: Onset(60.0, 3, 144),
    learn=lambda onset, step: onset.learn(SERIES[step % len(SERIES)], step % 1008),
    estimate=lambda onset, step: [onset.chance],
    spoil=[
        lambda onset, step: onset.learn(math.nan, step % 1008),
        lambda onset, step: onset.learn(math.inf, step % 1008),
        lambda onset, step: onset.learn(-3.0, step % 1008),
        lambda onset, step: onset.learn(1e300, step % 1008),
    ],
    steps=2000,
    long=4500,
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_checks(check: Any) -> None:
    check(SUBJECT)


def test_chances_are_what_happens() -> None:
    """Calibrated within the errors of a few hundred cases: of those called likely, most cross; of the others, few."""
    onset, said, crossed = Onset(60.0, 3, 144), [], []
    for step, value in enumerate(SERIES[:-3]):
        onset.learn(value, step % 1008)
        if step > 144 * 20 and onset.chance > 0.0:
            said.append(onset.chance)
            crossed.append(max(SERIES[step + 1 : step + 4]) >= 60.0)
    chance, came = np.array(said), np.array(crossed)
    assert chance.mean() == pytest.approx(came.mean(), abs=0.02)
    assert came[chance > 0.6].mean() > 0.5
    assert came[chance < 0.05].mean() < 0.03


def test_nothing_is_asked_while_it_is_full_nor_before_it_cleared() -> None:
    onset = Onset(50.0, 3, 24)
    for step in range(24 * 20):
        onset.learn(30.0 + step % 7, step % 168)
    onset.learn(52.0, 0)
    assert onset.chance == 0.0
    onset.learn(48.0, 1)
    assert onset.chance == 0.0
    onset.learn(43.0, 2)
    assert onset.chance > 0.0


def test_a_gap_teaches_nothing() -> None:
    onset = Onset(60.0, 3, 144)
    for step in range(2000):
        onset.learn(SERIES[step], step % 1008)
    labels = onset.labels
    for step in range(2000, 2006):
        onset.learn(math.nan if step % 2 else 20.0, step % 1008)
    assert onset.labels <= labels + 1


@pytest.mark.parametrize("bad", [{"limit": 0.0}, {"limit": math.nan}, {"horizon": 0}, {"clear": 1.5}])
def test_impossible_settings_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="limit above 0"):
        Onset(**{"limit": 50.0, "horizon": 3, "slots_of_day": 144, **bad})


def score(folder: Path, values: list[float], *more: str) -> dict[str, Any]:
    start = datetime(2026, 1, 5)  # noqa: DTZ001 a local time, as files have them
    with (folder / "n.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["when", "people"])
        rows.writerows([start + timedelta(minutes=10 * n), value] for n, value in enumerate(values))
    words = ["score", "onset", str(folder / "n.csv"), "--time", "when", "--value", "people", "--step", "10min"]
    words += ["--onset", "60", "--json", str(folder / "s.json"), "--markdown", str(folder / "s.md")]
    assert main([*words, *more]) == 0
    found: dict[str, Any] = json.loads((folder / "s.json").read_text(encoding="utf-8"))
    return found


def test_the_model_foresees_more_than_a_level(tmp_path: Path) -> None:
    found = score(tmp_path, people(90))
    methods = found["methods"]
    assert found["data"]["onsets"] > 20
    assert methods["model"]["false_per_day"] <= 0.43
    assert methods["model"]["recall"] > methods["level90"]["recall"] + 0.2
    assert (tmp_path / "s.md").read_text(encoding="utf-8").startswith("# Crowding foreseen")


def test_a_series_without_onsets_says_so(tmp_path: Path) -> None:
    found = score(tmp_path, [5.0] * (144 * 40))
    assert found["data"]["onsets"] == 0
    assert found["methods"]["model"]["recall"] is None


def test_a_limit_below_zero_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "n.csv").write_text("when,people\n2026-01-05,3\n", encoding="utf-8")
    words = ["score", "onset", str(tmp_path / "n.csv"), "--time", "when", "--value", "people", "--step", "10min"]
    assert main([*words, "--onset", "-4"]) == 1
    assert "--onset" in capsys.readouterr().err

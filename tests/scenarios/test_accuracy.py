"""The accuracy gate, and that it can fail."""

import json

import pytest

from tests.scenarios import gate


def test_no_figure_is_worse_than_the_one_checked_in() -> None:
    verdicts = gate.judge(gate.measure(), json.loads(gate.BASELINE.read_text()))
    table = gate.shown(verdicts)
    print(table)
    worse = [verdict.key for verdict in verdicts if not verdict.good]
    assert not worse, (
        f"\n{table}\nmend it, or re-baseline with the reason: python -m tests.scenarios.accuracy --rebaseline"
    )


@pytest.mark.parametrize(
    ("key", "factor"), [("forecast/wape_30min", 1.2), ("beacons/accuracy", 0.9), ("simulated/normal/zone_cov90", 1.1)]
)
def test_a_worse_figure_is_told(key: str, factor: float) -> None:
    baseline: dict[str, float] = json.loads(gate.BASELINE.read_text())
    found = baseline | {key: baseline[key] * factor}
    assert [verdict.key for verdict in gate.judge(found, baseline) if not verdict.good] == [key]


def test_a_figure_that_is_not_checked_in_is_told() -> None:
    baseline: dict[str, float] = json.loads(gate.BASELINE.read_text())
    assert not gate.judge({"forecast/new": 0.1}, baseline)[0].good

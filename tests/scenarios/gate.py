"""The gate of `make test`: a small fixed set scored, beside the figures that are checked in.

Small simulated museums and synthetic series, always the same, so that a change for the worse fails on the day it is
made. It says nothing about how good flowmon is: that is `tests.scenarios.accuracy`.
"""

import json
import math
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct

from flowmon.__main__ import main
from flowmon.scoring.report import grid

BASELINE = Path(__file__).with_name("baseline.json")
TOLERANCE = 0.10
COVERED = (0.84, 0.96)
START = 1_767_571_200  # Monday 5 January 2026, 0:00 UTC
DAY_S = 86_400
Figures = dict[str, float]

#: score -> scenario or "" -> keys of the model. Keys with `cov` must be within COVERED; of `skill`, `accuracy` and
#: `kept` more is better; of all others less.
KEYS: dict[str, dict[str, tuple[str, ...]]] = {
    "simulated": {
        "normal": ("zone_wape", "raw_ratio", "venue_mae_pct_peak", "zone_cov90"),
        "counter-dead": ("zone_wape", "affected_wape", "zone_cov90"),
    },
    "forecast": {"": ("wape_30min", "wape_60min", "skill_60min", "cov90_30min", "cov90_60min")},
    "waits": {"": ("wait_mae_s", "ratio_les", "ratio_ql", "sign_kept")},
    "beacons": {"": ("accuracy",)},
}


class Verdict(Struct, frozen=True):
    """One row: a key, its figure, the checked-in one, and whether it is good enough."""

    key: str
    value: float
    baseline: float | None
    good: bool


def measure() -> Figures:
    """Score the set, in this process. Raises FlowmonError as the scores do."""
    with tempfile.TemporaryDirectory(prefix="flowmon-gate-") as folder:
        return {key: value for name in KEYS for key, value in _scored(name, Path(folder)).items()}


def judge(found: Figures, baseline: Mapping[str, float]) -> list[Verdict]:
    """A verdict for every figure. One that nobody checked in is not good: re-baseline."""
    return [
        Verdict(key, value, baseline.get(key), _good(key, value, baseline.get(key))) for key, value in found.items()
    ]


def shown(verdicts: list[Verdict]) -> str:
    """The rows as a table."""
    rows = [[v.key, f"{v.value:.4f}", "—" if v.baseline is None else f"{v.baseline:.4f}", "" if v.good else "WORSE"]
            for v in verdicts]  # fmt: skip
    return grid(("figure", "now", "baseline", ""), rows)


def write(found: Figures) -> None:
    """Check these figures in (by a commit of its own that says why)."""
    BASELINE.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def _good(key: str, value: float, baseline: float | None) -> bool:
    """Not worse than the baseline by more than the tolerance; of shares it is the rest to 1 that may grow.

    >>> _good("s/zone_wape", 0.21, 0.2), _good("s/zone_wape", 0.23, 0.2), _good("s/accuracy", 0.97, 0.98)
    (True, False, False)
    >>> _good("s/zone_cov90", 0.97, 0.97)
    False
    """
    if baseline is None or not math.isfinite(value):
        return False
    if "cov" in key:
        return COVERED[0] <= value <= COVERED[1]
    if key.endswith(("skill_60min", "accuracy", "sign_kept")):
        value, baseline = 1 - value, 1 - baseline
    return value <= baseline * (1 + TOLERANCE) + 1e-3


def _scored(name: str, folder: Path) -> Figures:
    out = folder / f"{name}.json"
    words = _WORDS[name](folder)
    if main(["score", name, *words, "--json", str(out), "--markdown", str(out.with_suffix(".md"))]):
        raise AssertionError(f"flowmon score {name} failed")
    score = json.loads(out.read_bytes())
    parts: dict[str, Any] = score["report"].get("scenarios") or {"": score}
    return {
        "/".join(filter(None, (name, part, key))): float(parts[part]["methods"]["model"][key])
        for part, keys in KEYS[name].items()
        for key in keys
    }


def _simulated(_folder: Path) -> list[str]:
    return ["--layout", "S", "--scenario", "normal", "counter-dead", "--seeds", "2", "--days", "1",
            "--learning-days", "2", "--tick", "10", "--processes", "1"]  # fmt: skip


def _forecast(folder: Path) -> list[str]:
    """Eight weeks of a room, a value each 10 minutes: a daily hump, fuller at weekends, a mood that wanders."""
    dice = np.random.default_rng(11)
    rows, mood = ["time,people"], 0.0
    for step in range(56 * 144):
        mood = 0.97 * mood + 0.06 * dice.standard_normal()
        day, hour = step // 144, step % 144 / 6
        usual = 90.0 * math.exp(-0.5 * ((hour - 14.0) / 2.5) ** 2) * (1.4 if day % 7 >= 5 else 1.0)
        rows.append(f"{START + 600 * step},{dice.poisson(usual * math.exp(mood))}")
    path = _written(folder / "room.csv", rows)
    return [path, "--time", "time", "--value", "people", "--step", "10min", "--horizons", "30min,60min",
            "--min-value", "5"]  # fmt: skip


def _waits(folder: Path) -> list[str]:
    """Twelve days of a ticket desk with two clerks, a third at noon: lognormal services of 65 s, two rushes a day."""
    dice = np.random.default_rng(12)
    rows = ["joined,served"]
    for day in range(12):
        opens = START + day * DAY_S + 10 * 3600
        free, at = [float(opens)] * 3, float(opens)
        while at < opens + 8 * 3600:
            hour = (at - opens) / 3600
            rush = math.exp(-2 * (hour - 1.5) ** 2) + math.exp(-2 * (hour - 5.0) ** 2)
            at += dice.exponential(60.0 / (1.2 + 1.0 * rush))
            desks = 3 if 3 <= hour < 4 else 2
            first = min(range(desks), key=free.__getitem__)
            begins = max(at, free[first])
            free[first] = begins + dice.lognormal(math.log(65.0) - 0.235, math.sqrt(0.47))
            rows.append(f"{at:.1f},{begins:.1f}")
    return [_written(folder / "desk.csv", rows), "--joined", "joined", "--served", "served", "--warmup", "4d"]


def _beacons(folder: Path) -> list[str]:
    """Two walks through three rooms in a row with a receiver each: 8 dB a wall, 5 dB of noise."""
    dice = np.random.default_rng(13)
    rows = ["time,beacon,receiver,rssi,zone,run"]
    for walk in range(2):
        for second in range(900):
            place = (0, 1, 2, 1)[second // 45 % 4]
            for receiver in range(3):
                level = -62.0 - 8.0 * abs(place - receiver) + 5.0 * dice.standard_normal()
                if dice.random() > 0.4 and level > -90:
                    at = START + 10_000 * walk + second + 0.1 * receiver
                    rows.append(f"{at:.1f},b1,rx-{receiver},{level:.0f},room-{place},w{walk}")
    return [_written(folder / "walks.csv", rows), "--time", "time", "--beacon", "beacon", "--receiver", "receiver",
            "--rssi", "rssi", "--zone", "zone", "--run", "run"]  # fmt: skip


def _written(path: Path, rows: list[str]) -> str:
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return str(path)


_WORDS: dict[str, Callable[[Path], list[str]]] = {
    "simulated": _simulated, "forecast": _forecast, "waits": _waits, "beacons": _beacons,
}  # fmt: skip

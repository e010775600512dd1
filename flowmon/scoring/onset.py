"""`flowmon score onset FILE.csv --onset 70`: crowding foreseen, beside a level, a trend and the usual path.

An onset: the count is at the limit for two steps, after it was below `--onset-clear` × the limit. A warning: a method's
number reaches its threshold; it stands until an onset, or for `--ahead` and until the number has been lower for a step.
An onset is foreseen when a warning began within `--ahead` before it, and not later than one step before. A warning
without an onset within `--ahead` is false. Each method's threshold is swept, and its recall at no more than
`--false` false warnings a day told: the same freedom for every method. Days count that have a value at --min-value or
more. Methods: level90 (the count), trend (count + its slope · half the horizon), clim_dev (highest of the usual path),
model (`estimators.onset`). Prequential.
"""

import argparse
import math
from typing import Any

import numpy as np

from flowmon.errors import FlowmonError
from flowmon.estimators.climatology import Climatology
from flowmon.estimators.onset import Onset
from flowmon.scoring import measures, series
from flowmon.scoring.report import arguments as report_arguments
from flowmon.scoring.report import conclude, data_of, figure, grid, percent, progress, rows_section
from flowmon.scoring.times import duration

DAY_S = 86_400
METHODS = ("level90", "trend", "clim_dev", "model")
SWEPT = 200


def arguments(parser: argparse.ArgumentParser) -> None:
    """The series, the limit and how far ahead."""
    series.arguments(parser)
    parser.add_argument("--onset", required=True, type=float, metavar="N", help="the limit, people")
    parser.add_argument("--onset-clear", type=float, default=0.88, metavar=".88", help="over below this share of it")
    parser.add_argument("--horizon", type=duration, default=1800, metavar="30min", help="of the model (default: 30min)")
    parser.add_argument(
        "--ahead", type=duration, default=3600, metavar="60min", help="earliest warning (default: 60min)"
    )
    parser.add_argument("--false", type=float, default=0.43, metavar=".43", help="false warnings a day allowed")
    parser.add_argument("--warmup", type=duration, default=28 * DAY_S, metavar="28d", help="not scored (default: 28d)")
    parser.add_argument("--min-value", type=float, default=1.0, metavar="N", help="a day counts when N were there")
    report_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Read, foresee, score, write."""
    horizon, ahead = max(1, args.horizon // args.step), max(1, args.ahead // args.step)
    try:
        model = Onset(args.onset, horizon, DAY_S // args.step, args.onset_clear)
    except ValueError as error:
        raise FlowmonError(f"--onset, --onset-clear, --horizon: {error}") from error
    found = series.read(args)
    first, last = next(iter(found.cells)), next(reversed(found.cells))
    values, days = np.full(last - first + 1, math.nan), np.zeros(last - first + 1, dtype=np.int64)
    said = {name: np.full(last - first + 1, math.nan) for name in METHODS}
    usual, offset = Climatology(DAY_S // args.step), 0.0
    with progress("foreseeing", len(values)) as advance:
        for place in range(len(values)):
            cell = found.cells.get(first + place)
            offset = offset if cell is None else cell.offset_s
            local = int(((first + place) * args.step + offset) // args.step)
            values[place] = math.nan if cell is None else cell.value
            days[place] = local * args.step // DAY_S
            model.learn(float(values[place]), local % (7 * DAY_S // args.step))
            _others(said, values, place, usual, local, horizon)
            usual.learn(float(values[place]), local)
            said["model"][place] = model.chance
            advance(1)
    start = args.warmup // args.step
    counted = {int(day) for day, value in zip(days[start:], values[start:], strict=True) if value >= args.min_value}
    onsets = [place for place in _onsets(values, args.onset, args.onset_clear * args.onset) if place >= start]
    methods = {
        name: _best(numbers, values, onsets, start, ahead, args, max(1, len(counted))) for name, numbers in said.items()
    }
    data = data_of(
        found.account, file=args.file.name, step_s=args.step, limit=args.onset, onsets=len(onsets), days=len(counted),
        horizon_s=args.horizon, ahead_s=args.ahead, warmup_s=args.warmup,
    )  # fmt: skip
    text = "\n".join(
        [
            f"# Crowding foreseen: {args.file.name}\n",
            f"{len(onsets)} onsets of {args.onset:g} people on {len(counted)} days.\n",
            grid(
                ["method", "recall", "precision", "false a day", "minutes ahead"],
                [_row(m, methods[m]) for m in METHODS],
            ),
            "## Rows\n",
            rows_section(data),
        ]
    )
    return conclude(args, data, methods, {"false_allowed_per_day": args.false}, text)


def _others(said: dict[str, Any], values: Any, place: int, usual: Climatology, local: int, horizon: int) -> None:
    """What the simple methods say at a step."""
    value = values[place]
    said["level90"][place] = value
    before = values[place - 3] if place >= 3 else math.nan
    said["trend"][place] = value + (value - before) / 3.0 * 0.5 * horizon
    path = [usual.estimate(local + step) for step in range(1, horizon + 1)]
    said["clim_dev"][place] = value + max(path) - usual.estimate(local)


def _onsets(values: Any, limit: float, clear: float) -> list[int]:
    """Steps at which the limit is reached for two steps, after `clear` was undercut."""
    armed, found = True, []
    for place in range(len(values) - 1):
        if values[place] < clear:
            armed = True
        elif armed and values[place] >= limit and values[place + 1] >= limit:
            found.append(place)
            armed = False
    return found


def _best(
    numbers: Any, values: Any, onsets: list[int], start: int, ahead: int, args: argparse.Namespace, days: int
) -> dict[str, Any]:
    """The threshold with the highest recall within the false warnings allowed."""
    sound = numbers[start:][np.isfinite(numbers[start:]) & (values[start:] < args.onset)]
    best: dict[str, Any] = {
        "recall": None,
        "precision": None,
        "false_per_day": None,
        "lead_min": None,
        "threshold": None,
    }
    if not len(sound) or not onsets:
        return best
    for threshold in np.unique(np.quantile(sound, 1.0 - np.geomspace(2e-4, 0.5, SWEPT))):
        foreseen, false, lead = _warned(numbers, values, onsets, start, ahead, args.onset, float(threshold))
        rate = false / days
        if rate <= args.false and (best["recall"] is None or foreseen / len(onsets) > best["recall"]):
            best = {
                "recall": measures.plain(foreseen / len(onsets)),
                "precision": measures.plain(foreseen / max(1, foreseen + false)),
                "false_per_day": measures.plain(rate),
                "lead_min": measures.plain(lead * args.step / 60.0),
                "threshold": measures.plain(float(threshold)),
            }
    return best


def _warned(
    numbers: Any, values: Any, onsets: list[int], start: int, ahead: int, limit: float, threshold: float
) -> tuple[int, int, float]:
    """Onsets foreseen, false warnings, and the mean steps of warning."""
    coming, foreseen, false, leads = iter([*onsets, len(values) + ahead]), 0, 0, 0
    following, free = next(coming), start  # free: the first step at which a warning may begin
    for place in np.flatnonzero((numbers >= threshold) & (values < limit)).tolist():
        if place < free:
            free = max(free, place + 2) if place + 1 >= free else free
            continue
        while following <= place:
            following = next(coming)
        if following - place <= ahead:
            foreseen, leads, free = foreseen + 1, leads + following - place, following + 1
        else:
            false, free = false + 1, place + ahead
    return foreseen, false, leads / max(1, foreseen)


def _row(name: str, figures: dict[str, Any]) -> list[str]:
    return [
        name, percent(figures["recall"]), percent(figures["precision"]), figure(figures["false_per_day"]),
        figure(figures["lead_min"], 0),
    ]  # fmt: skip

"""`flowmon score forecast FILE.csv`: forecasts of a counted series beside persistence, last week and climatology.

Prequential and one shot: at each step the value is learned, every method says its forecast and 90 % band, and only then
time goes on; labels come when their time has come. Scored are targets after the warm-up, observed (not interpolated)
like their origin, of at least --min-value, within --open, for which last week's value exists, so that every method is
judged by the same rows. Every baseline gets the same adaptive band as the model, so that widths can be compared.
"""

import argparse
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from flowmon.errors import FlowmonError
from flowmon.estimators.conformal import AdaptiveBand, Issued
from flowmon.estimators.forecast import Forecaster
from flowmon.scoring import bootstrap, measures, series
from flowmon.scoring.report import arguments as report_arguments
from flowmon.scoring.report import conclude, data_of, figure, grid, percent, progress, rows_section
from flowmon.scoring.series import Cell, Series
from flowmon.scoring.times import duration, durations, hours

Array = NDArray[np.float64]

DAY_S = 86_400
BASELINES = ("persistence", "weekly_naive", "climatology", "clim_dev")
METHODS = (*BASELINES, "model")
REFERENCE = "clim_dev"


class Scored(Struct):
    """Of one horizon: per scored target its truth, local day, and per method value, lo and hi."""

    truth: list[float] = []
    day: list[int] = []
    said: dict[str, list[tuple[float, float, float]]] = {}
    methods: dict[str, int] = {}


def arguments(parser: argparse.ArgumentParser) -> None:
    """The series, the horizons and the mask."""
    series.arguments(parser)
    parser.add_argument(
        "--horizons", required=True, type=durations, metavar="30min,60min", help="multiples of the step"
    )
    parser.add_argument("--warmup", type=duration, default=28 * DAY_S, metavar="28d", help="not scored (default: 28d)")
    parser.add_argument(
        "--min-value", type=float, default=0.0, metavar="N", help="score targets of at least N (default: 0)"
    )
    parser.add_argument(
        "--open", type=hours, metavar="08:00-20:00", help="score targets in these local hours, both ends included"
    )
    report_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Read, forecast, score, write."""
    begun = time.perf_counter()
    try:
        Forecaster(args.step, args.horizons)
    except ValueError as error:
        raise FlowmonError(f"--step and --horizons: {error}") from error
    found = series.read(args)
    with progress("forecasting", len(found.cells)) as advance:
        scored, seconds = _walk(args, found, advance)
    labels = {horizon: _label(horizon) for horizon in args.horizons}
    methods: dict[str, dict[str, Any]] = {method: {} for method in METHODS}
    comparisons: list[dict[str, Any]] = []
    for horizon, rows in scored.items():
        _measure(methods, labels[horizon], rows)
        comparisons += _compare(methods["model"], labels[horizon], rows)
    data = data_of(found.account, **_described(args, found, scored))
    steps = max(1, len(found.cells))
    report = {
        "comparisons": comparisons,
        "said": {labels[horizon]: rows.methods for horizon, rows in scored.items()},
        "us_per_step": round(1e6 * seconds / steps, 1),
        "seconds": round(time.perf_counter() - begun, 3),
    }
    return conclude(args, data, methods, report, _markdown(args, data, methods, report))


def _walk(args: argparse.Namespace, found: Series, advance: Any) -> tuple[dict[int, Scored], float]:
    """Through the series once. Returns what was scored per horizon, and the seconds the model took."""
    model = Forecaster(args.step, args.horizons)
    scored = {horizon: Scored([], [], {method: [] for method in METHODS}, {}) for horizon in args.horizons}
    others = {horizon: _Others(horizon // args.step, DAY_S // args.step) for horizon in args.horizons}
    first = next(iter(found.cells.values())).at
    seconds = 0.0
    for number, (step, cell) in enumerate(found.cells.items(), 1):
        start = time.perf_counter()
        model.learn(cell.at, cell.value, cell.offset_s)
        outlooks = {horizon: model.forecast(horizon) for horizon in args.horizons}
        seconds += time.perf_counter() - start
        for horizon, outlook in outlooks.items():
            others[horizon].learn(step, cell.value)
            bands = others[horizon].issue(
                step, int(_local(cell, horizon) % DAY_S // args.step), model.baselines(horizon)
            )
            target = found.cells.get(step + horizon // args.step)
            if target is None or outlook.value is None or outlook.lo is None or outlook.hi is None:
                continue
            rows = scored[horizon]
            if cell.seen and all(bands.values()) and _counts(args, target, first):
                rows.truth.append(target.value)
                rows.day.append(int(_local(target, 0) // DAY_S))
                rows.said["model"].append((outlook.value, outlook.lo, outlook.hi))
                rows.methods[str(outlook.method)] = rows.methods.get(str(outlook.method), 0) + 1
                for method, band in bands.items():
                    if band is not None:
                        rows.said[method].append((band.value, band.lo, band.hi))
        if number % 200 == 0:
            advance(200)
    return scored, seconds


class _Others:
    """The baselines of one horizon, each with an adaptive band of its own, and what waits for its label."""

    def __init__(self, ahead: int, day: int) -> None:
        self._ahead = ahead
        self._bands = {method: AdaptiveBand(day) for method in BASELINES}
        self._waiting: dict[int, dict[str, Issued | None]] = {}

    def learn(self, step: int, value: float) -> None:
        """The label of what was issued for `step`."""
        for old in [target for target in self._waiting if target < step]:
            del self._waiting[old]
        for method, issued in self._waiting.pop(step, {}).items():
            if issued is not None:
                self._bands[method].learn(issued, value)

    def issue(self, step: int, slot: int, forecasts: dict[str, float]) -> dict[str, Issued | None]:
        """A band for each baseline's forecast of `ahead` steps after `step`."""
        issued = {method: self._bands[method].issue(value, slot) for method, value in forecasts.items()}
        self._waiting[step + self._ahead] = issued
        return issued


def _local(cell: Cell, ahead_s: float) -> float:
    """Seconds of local time."""
    return cell.at + cell.offset_s + ahead_s


def _counts(args: argparse.Namespace, target: Cell, first: float) -> bool:
    """Whether the mask lets this target be scored."""
    if not target.seen or target.at - first < args.warmup or target.value < args.min_value:
        return False
    return args.open is None or args.open[0] <= _local(target, 0) % DAY_S <= args.open[1]


def _measure(methods: dict[str, dict[str, Any]], label: str, rows: Scored) -> None:
    """Add the figures of one horizon to each method."""
    truth = np.array(rows.truth)
    reference = _errors(rows, REFERENCE, truth)
    for method, told in rows.said.items():
        said = np.array(told).reshape(-1, 3)
        value, lo, hi = said[:, 0], said[:, 1], said[:, 2]
        errors = np.abs(value - truth)
        some = len(truth) > 0
        methods[method] |= {
            f"n_{label}": len(truth),
            f"wape_{label}": measures.wape(value, truth),
            f"mae_{label}": measures.plain(errors.mean()) if some else None,
            f"bias_{label}": measures.plain((value - truth).mean()) if some else None,
            f"skill_{label}": measures.plain(1.0 - errors.sum() / reference.sum()) if reference.sum() > 0 else None,
            f"cov90_{label}": measures.coverage(lo, hi, truth),
            f"width_{label}": measures.plain((hi - lo).mean()) if some else None,
            f"worst500_{label}": measures.worst_rolling(lo, hi, truth),
            f"winkler_{label}": measures.winkler(lo, hi, truth),
        }


def _compare(model: dict[str, Any], label: str, rows: Scored) -> list[dict[str, Any]]:
    """The model against each baseline of one horizon; the interval of the skill goes to the model's figures."""
    truth = np.array(rows.truth)
    ours = _errors(rows, "model", truth)
    out = []
    for baseline in BASELINES:
        ratio = bootstrap.ratio(ours, _errors(rows, baseline, truth), rows.day)
        out.append(
            {
                "horizon": label,
                "baseline": baseline,
                "ratio": ratio.ratio,
                "lo": ratio.lo,
                "hi": ratio.hi,
                "days": ratio.days,
                "beats": ratio.beats,
                "loses": ratio.loses,
            }
        )
        if baseline == REFERENCE:
            model[f"skill_{label}_lo"] = None if ratio.hi is None else round(1.0 - ratio.hi, 6)
            model[f"skill_{label}_hi"] = None if ratio.lo is None else round(1.0 - ratio.lo, 6)
    return out


def _errors(rows: Scored, method: str, truth: Array) -> Array:
    errors: Array = np.abs(np.array([said[0] for said in rows.said[method]]) - truth)
    return errors


def _described(args: argparse.Namespace, found: Series, scored: dict[int, Scored]) -> dict[str, Any]:
    """What was scored, for `data`."""
    cells = list(found.cells.values())
    days = (cells[-1].at - cells[0].at) / DAY_S
    if not any(rows.truth for rows in scored.values()):
        found.account.notes.append(
            f"nothing was scored: {days:.1f} days of data, {args.warmup / DAY_S:.1f} of them warm-up, and every method "
            "needs the value of a week before; lower --warmup or --min-value, widen --open, or give more days"
        )
    return {
        "file": args.file.name,
        "time": args.time,
        "value": args.value,
        "only": args.only,
        "timezone": args.timezone,
        "step_s": args.step,
        "horizons_s": list(args.horizons),
        "warmup_s": args.warmup,
        "min_value": args.min_value,
        "open": None if args.open is None else "-".join(f"{s // 3600:02d}:{s % 3600 // 60:02d}" for s in args.open),
        "first": _written(cells[0]),
        "last": _written(cells[-1]),
        "steps": sum(cell.seen for cell in cells),
        "scored": {_label(horizon): len(rows.truth) for horizon, rows in scored.items()},
    }


def _markdown(
    args: argparse.Namespace, data: dict[str, Any], methods: dict[str, dict[str, Any]], report: dict[str, Any]
) -> str:
    """The report for people."""
    name = data["file"] + (f", {args.by} = {args.only}" if args.by else "")
    parts = [f"# Forecasts scored: {name}\n"]
    parts.append(
        f"`{data['value']}` every {data['step_s'] // 60 or 1} min, {data['first']} to {data['last']} "
        f"({data['timezone'] or 'times as written'}). Prequential, one shot; intervals from whole days resampled.\n"
    )
    for label in map(_label, args.horizons):
        parts.append(f"## {label} ahead, {data['scored'][label]:,} forecasts\n")
        header = ["method", "WAPE", "MAE", "skill", "inside 90 % band", "worst 500", "band width", "interval score"]
        parts.append(grid(header, [_row(method, methods[method], label) for method in METHODS]))
        parts.append("\n".join(f"- {line}" for line in _claims(report["comparisons"], label)) + "\n")
    parts.append("## Rows\n\n" + rows_section(data))
    return "\n".join(parts)


def _row(method: str, figures: dict[str, Any], label: str) -> list[str]:
    return [
        method,
        percent(figures[f"wape_{label}"]),
        figure(figures[f"mae_{label}"]),
        percent(figures[f"skill_{label}"]),
        percent(figures[f"cov90_{label}"]),
        percent(figures[f"worst500_{label}"]),
        figure(figures[f"width_{label}"], 1),
        figure(figures[f"winkler_{label}"], 1),
    ]


def _claims(comparisons: list[dict[str, Any]], label: str) -> Iterator[str]:
    """One sentence per baseline."""
    for row in comparisons:
        if row["horizon"] != label or row["ratio"] is None:
            continue
        verdict = "beats" if row["beats"] else "loses to" if row["loses"] else "cannot be told from"
        interval = "too few days" if row["lo"] is None else f"{row['lo']:.3f} to {row['hi']:.3f}"
        yield f"model {verdict} {row['baseline']}: error ratio {row['ratio']:.3f} ({interval}, {row['days']} days)"


def _label(horizon_s: int) -> str:
    return f"{horizon_s // 60}min" if horizon_s % 60 == 0 else f"{horizon_s}s"


def _written(cell: Cell) -> str:
    return datetime.fromtimestamp(_local(cell, 0), UTC).strftime("%Y-%m-%d %H:%M")

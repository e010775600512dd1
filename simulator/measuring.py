"""What was watched as figures: keys of methods as `simulator.score` lists them. Pure.

Methods beside the model, from the same run: raw (plain in - out), clipped (in - out, never below zero), beacons
(believed in the zone ÷ the share of people who carry one); for waits, made of the true events at the time of joining:
les (wait of the last who was called) and ql ((parties in line + 1) × mean service ÷ desks open).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from flowmon.scoring.measures import plain
from simulator.watching import Party, Watched

Floats = NDArray[np.float64]
Figures = dict[str, float | int | None]
RED = 0.8  # of the capacity: above it a room is shown as too full
SERVICES = 50  # so many services make the mean of ql
WAITED_S = 1.0
WITHIN_S = 120.0


class Blocks(Struct):
    """Sums of absolute errors a day, for the bootstrap: (model, baseline) pairs by what is compared."""

    pairs: dict[str, list[tuple[float, float]]]


def figures(run: Watched, share: float) -> tuple[dict[str, Figures], Blocks]:
    """Figures of one seed by method, and sums for the bootstrap. share: people who carry a beacon."""
    zones = run.zones
    truth = zones["truth"]
    said = {
        "model": zones["value"],
        "raw": zones["raw"],
        "clipped": _clipped(zones["raw"], run.day),
        "beacons": zones["beacons"] / share if share else np.full_like(truth, np.nan),
    }
    known = np.isfinite(zones["value"])
    found: dict[str, Figures] = {method: _zones(run, value, known) for method, value in said.items()}
    model = found["model"]
    inside = (zones["lo"] <= truth) & (truth <= zones["hi"])
    width = zones["hi"] - zones["lo"]
    model |= {
        "zone_cov90": _mean(inside[known]),
        "zone_width": _mean(width[known]),
        "zone_width_rel": _ratio(float(width[known].sum()), float(truth[known].sum())),
        "zone_known": _mean(known),
        "affected_cov90": _mean(inside[known & run.affected]),
    }
    totals = {method: value.sum(axis=1) for method, value in said.items()} | {"model": run.venue["value"]}
    for method, total in totals.items():
        found[method] |= _venue(run, total)
    hi, lo, real = run.venue["hi"], run.venue["lo"], run.venue["truth"]
    told = np.isfinite(run.venue["value"])
    model["venue_cov90"] = _mean(((lo <= real) & (real <= hi))[told])
    model["venue_width"] = _mean((hi - lo)[told])
    for baseline in ("raw", "clipped", "beacons"):
        model[f"{baseline}_ratio"] = _ratio(model["zone_mae"], found[baseline]["zone_mae"])
        model[f"venue_{baseline}_ratio"] = _ratio(model["venue_mae"], found[baseline]["venue_mae"])
    model["alerts"] = sum(run.alerts.values())
    pairs = {
        f"zone_{baseline}": _by_day(np.abs(said["model"] - truth), np.abs(said[baseline] - truth), run.day)
        for baseline in ("raw", "clipped", "beacons")
    }
    pairs |= {
        f"venue_{baseline}": _by_day(
            np.abs(totals["model"] - real)[:, None], np.abs(totals[baseline] - real)[:, None], run.day
        )
        for baseline in ("raw", "clipped", "beacons")
    }
    waits, compared = _waits(run.parties)
    for method, more in waits.items():
        found.setdefault(method, {}).update(more)
    _located(run, model)
    return found, Blocks(pairs | compared)


def _zones(run: Watched, value: Floats, known: NDArray[np.bool_]) -> Figures:
    truth = run.zones["truth"]
    error = value - truth
    ok = known & np.isfinite(error)
    late = ok & run.last_hour[:, None]
    hit = ok & run.affected
    red = (value > RED * run.capacity) != (truth > RED * run.capacity)
    days = len(np.unique(run.day)) * truth.shape[1]
    return {
        "zone_mae": _mean(np.abs(error[ok])),
        "zone_wape": _ratio(float(np.abs(error[ok]).sum()), float(truth[ok].sum())),
        "zone_bias": _mean(error[ok]),
        "zone_p95": plain(np.quantile(np.abs(error[ok]), 0.95)) if ok.any() else None,
        "last_hour_mae": _mean(np.abs(error[late])),
        "affected_wape": _ratio(float(np.abs(error[hit]).sum()), float(truth[hit].sum())),
        "affected_mae": _mean(np.abs(error[hit])),
        "capacity_wrong_min": plain((red & ok).sum() / days) if days else None,
    }


def _venue(run: Watched, total: Floats) -> Figures:
    truth = run.venue["truth"]
    error = np.abs(total - truth)
    ok = np.isfinite(error)
    shares = [
        error[ok & (run.day == day)].mean() / truth[run.day == day].max()
        for day in np.unique(run.day)
        if (ok & (run.day == day)).any() and truth[run.day == day].max() > 0
    ]
    return {
        "venue_mae": _mean(error[ok]),
        "venue_bias": _mean((total - truth)[ok]),
        "venue_mae_pct_peak": _mean(np.array(shares)),
    }


def _clipped(raw: Floats, day: NDArray[np.int64]) -> Floats:
    """In - out as a counter display keeps it: never below zero, and what was cut off is gone."""
    shown = np.zeros_like(raw)
    for row in range(len(raw)):
        new = row == 0 or day[row] != day[row - 1]
        shown[row] = np.maximum(0.0, raw[row] if new else shown[row - 1] + raw[row] - raw[row - 1])
    return shown


def _by_day(model: Floats, baseline: Floats, day: NDArray[np.int64]) -> list[tuple[float, float]]:
    ok = np.isfinite(model) & np.isfinite(baseline)
    return [
        (float(model[here & ok].sum()), float(baseline[here & ok].sum()))
        for here in ((day == number)[:, None] for number in np.unique(day))
    ]


def _waits(parties: Sequence[Party]) -> tuple[dict[str, Figures], dict[str, list[tuple[float, float]]]]:
    """Figures of waits by method, and errors a day of model and baseline. Who was turned away has no wait."""
    rows: list[tuple[int, float, float, float, float, float]] = []
    for queue, number in sorted({(party.queue, party.day) for party in parties}):
        line = sorted((p for p in parties if (p.queue, p.day) == (queue, number)), key=lambda p: p.joined)
        rows += _at_joining(line)
    if not rows:
        return {}, {}
    day, real, p50, p90, les, ql = (np.array(column) for column in zip(*rows, strict=True))
    waited = real > WAITED_S
    found: dict[str, Figures] = {}
    told = waited & np.isfinite(p50) & np.isfinite(les) & np.isfinite(ql)  # the same labels for all three
    pairs: dict[str, list[tuple[float, float]]] = {}
    for method, value in (("model", p50), ("les", les), ("ql", ql)):
        error = np.abs(value - real)
        found[method] = {
            "wait_mae_s": _mean(error[told]),
            "wait_bias_s": _mean((value - real)[told]),
            "wait_within_2min": _mean(error[told] <= WITHIN_S),
            "wait_all_mae_s": _mean(error[np.isfinite(error)]),
            "wait_n": int(told.sum()),
        }
        if method != "model":
            pairs[f"wait_{method}"] = _by_day(
                np.where(told, np.abs(p50 - real), np.nan)[:, None], np.where(told, error, np.nan)[:, None], day
            )
    model = found["model"]
    for method in ("les", "ql"):
        model[f"wait_{method}_mae_s"] = found[method]["wait_mae_s"]
        model[f"wait_{method}_ratio"] = _ratio(model["wait_mae_s"], found[method]["wait_mae_s"])
    sign = 60.0 * np.ceil(p90 / 60.0)
    shown = np.isfinite(sign)
    model |= {
        "wait_mean_s": _mean(real[waited]),
        "wait_unknown": _mean(~np.isfinite(p50)),
        "wait_p50_over": _mean((real <= p50)[told]),
        "sign_kept": _mean((real <= sign)[shown]),
        "sign_over_s": _mean(np.maximum(0.0, sign - real)[shown]),
    }
    return found, pairs


def _at_joining(line: Sequence[Party]) -> list[tuple[int, float, float, float, float, float]]:
    """(day, true wait, p50, p90, les, ql) of the parties of one queue and day that were served."""
    served = sorted((p for p in line if p.called == p.called), key=lambda p: p.called)
    called = [p.called for p in served]
    ends = sorted((p.gone, p.gone - p.called) for p in served)
    gone = [end for end, _ in ends]
    left = sorted(p.called if p.called == p.called else np.inf for p in line)
    joins = [p.joined for p in line]
    rows = []
    for party in served:
        now = party.joined
        last = bisect_left(called, now) - 1
        done = bisect_right(gone, now)
        les = called[last] - served[last].joined if last >= 0 else np.nan
        ahead = bisect_left(joins, now) - bisect_left(left, now)
        busy = bisect_left(called, now) - done
        ql = np.nan
        if done >= 5 and party.desks:
            mean = float(np.mean([length for _, length in ends[max(0, done - SERVICES) : done]]))
            ql = 0.0 if ahead == 0 and busy < party.desks else (ahead + 1) * mean / party.desks
        rows.append((party.day, party.called - now, party.p50, party.p90, les, ql))
    return rows


def _located(run: Watched, model: Figures) -> None:
    seen = run.located
    if seen is None:
        return
    model |= {
        "beacon_accuracy": _ratio(seen.right, seen.looked),
        "beacon_settled_accuracy": _ratio(seen.settled_right, seen.settled),
        "beacon_switch_ratio": _ratio(seen.believed_changes, seen.changes),
        "beacon_switch_delay_s": plain(np.median(seen.delays)) if seen.delays else None,
    }


def _mean(values: NDArray[Any]) -> float | None:
    return plain(values.mean()) if values.size else None


def _ratio(one: float | None, other: float | None) -> float | None:
    return plain(one / other) if one is not None and other else None


def summary(seeds: Sequence[dict[str, Figures]]) -> tuple[dict[str, Figures], dict[str, Figures]]:
    """Median and worst over the seeds, by method and key. Worst: farthest from what is ideal of that key."""
    median: dict[str, Figures] = {}
    worst: dict[str, Figures] = {}
    for method in seeds[0]:
        keys = dict.fromkeys(key for seed in seeds for key in seed.get(method, {}))
        for key in keys:
            values = [value for seed in seeds if (value := seed.get(method, {}).get(key)) is not None]
            median.setdefault(method, {})[key] = plain(np.median(values)) if values else None
            worst.setdefault(method, {})[key] = max(values, key=lambda value: _badness(key, value), default=None)
    return median, worst


def _badness(key: str, value: float) -> float:
    if key.endswith("cov90"):
        return abs(value - 0.9)
    if key.endswith(("accuracy", "kept", "within_2min", "known", "_n")):
        return -value
    if key.endswith("p50_over"):
        return abs(value - 0.5)
    return abs(value - 1.0) if key == "beacon_switch_ratio" else abs(value)

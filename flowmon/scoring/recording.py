"""`flowmon score recording REC --truth FILE`: what a screen showed on a recorded day, beside what people counted.

The recording is folded with the real core, whose plan it carries, and each count is compared with the number shown at
that moment (provisional or closed, after all facts that had come by then). The truth is a table with a time, a zone
(its id or name, or `venue` for all of it) and the number of people, or a truth file of the simulator.

Methods: model; raw (plain in - out); clipped (in - out, never below zero, and what was cut off is gone). The venue by
raw and clipped is the sum of the rooms. Counts for which the model had no number are left out for every method.
Keys (fractions are of 1):
    zone_mae zone_wape zone_bias zone_n           people; Σ|e| ÷ Σ counted; mean e = shown - counted
    venue_mae venue_bias venue_mae_pct_peak venue_n    the whole venue; ÷ the day's highest count of it
    zone_cov90 zone_width zone_known venue_cov90 venue_width        of the model
    raw_ratio clipped_ratio venue_raw_ratio venue_clipped_ratio     of the model: its MAE ÷ that of the baseline
`report.zones` holds n, mae, wape, bias, cov90, width and raw_mae of each zone.
"""

import argparse
import math
import time
from collections.abc import Iterable
from datetime import tzinfo
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct

from flowmon.errors import FlowmonError
from flowmon.findings import Finding, VenueState, ZoneState
from flowmon.journal.port import Entry
from flowmon.monitor.core import Monitor
from flowmon.recording.progress import bar
from flowmon.recording.tapes import Tape, moment, open_tapes
from flowmon.recording.times import written, zone_of
from flowmon.scoring import report
from flowmon.scoring.bootstrap import ratio
from flowmon.scoring.counted import WHOLE, Counted, Truth, read
from flowmon.scoring.measures import Array, coverage, plain, wape
from flowmon.scoring.times import zone
from flowmon.venue.model import Venue

METHODS = ("model", "raw", "clipped")


class Compared(Struct, frozen=True):
    """One count and what was shown then; value, lo and hi are NaN where nothing was."""

    count: Counted
    day: str
    value: float
    lo: float
    hi: float
    raw: float
    clipped: float


class _Shown:
    """What the screens show now, and what a counter without a model would."""

    def __init__(self, venue: Venue) -> None:
        self._zone = zone_of(venue.timezone)
        self._zones: dict[str, ZoneState] = {}
        self._venue: VenueState | None = None
        self._clipped: dict[str, tuple[str, int, int]] = {}  # day, raw, clipped

    def add(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            match finding:
                case ZoneState():
                    today = self.day(finding.at)
                    day, raw, clipped = self._clipped.get(finding.zone, ("", 0, 0))
                    shown = finding.raw if day != today else clipped + finding.raw - raw
                    self._clipped[finding.zone] = (today, finding.raw, max(0, shown))
                    self._zones[finding.zone] = finding
                case VenueState():
                    self._venue = finding
                case _:
                    pass

    def compared(self, count: Counted) -> Compared:
        state = self._venue if count.zone == WHOLE else self._zones.get(count.zone)
        if state is None or state.occupancy is None:
            told = (math.nan, math.nan, math.nan)
        else:
            told = (state.occupancy, state.lo, state.hi)
        names = list(self._zones) if count.zone == WHOLE else [count.zone]
        raw = sum(self._zones[name].raw for name in names if name in self._zones)
        clipped = sum(self._clipped[name][2] for name in names if name in self._clipped)
        return Compared(count, self.day(count.at), *told, raw, clipped)

    def day(self, at: float) -> str:
        """The local date."""
        return written(at, self._zone)[:10]


def arguments(parser: argparse.ArgumentParser) -> None:
    """The recording, the truth and its columns."""
    parser.add_argument("recording", type=Path, metavar="REC", help="a recording, or a folder of one venue's")
    parser.add_argument("--truth", required=True, type=Path, metavar="FILE", help="CSV of counts, or a truth file")
    parser.add_argument("--time", default="time", metavar="COL", help="column of the time (default: time)")
    parser.add_argument("--zone", default="zone", metavar="COL", help="column of the zone (default: zone)")
    parser.add_argument("--people", default="people", metavar="COL", help="column of the number (default: people)")
    parser.add_argument("--timezone", metavar="IANA", help="of times that name none (default: the venue's)")
    report.arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Read, fold, compare, write. Raises FlowmonError for what must be mended first."""
    begun = time.perf_counter()
    tape, venue = _opened(args.recording)
    local: tzinfo | None = zone(args.timezone) or zone_of(venue.timezone)
    truth = read(args.truth, (args.time, args.zone, args.people), venue, local)
    with bar("recording", tape.paths) as progress:
        rows = fold(venue, tape.entries(progress), truth)
    if not rows:
        raise FlowmonError(f"{args.truth}: no count lies within the recording: {dict(truth.account.dropped)}")
    truth.account.used = len(rows)
    methods, zones = figures(rows), _zones(rows)
    data = report.data_of(
        truth.account,
        file=str(args.truth),
        recording=[str(path) for path in tape.paths],
        venue=venue.id,
        simulated=tape.header.simulated,
        times=truth.times,
        first=written(rows[0].count.at, zone_of(venue.timezone)),
        last=written(rows[-1].count.at, zone_of(venue.timezone)),
    )
    more = {"zones": zones, "comparisons": _comparisons(rows), "seconds": round(time.perf_counter() - begun, 1)}
    return report.conclude(args, data, methods, more, _markdown(data, methods, zones))


def _opened(path: Path) -> tuple[Tape, Venue]:
    tapes = open_tapes([path])
    if len(tapes) != 1:
        names = ", ".join(tape.venue for tape in tapes)
        raise FlowmonError(f"{path}: recordings of {len(tapes)} venues ({names}): name those of one")
    plan = tapes[0].header.plan
    if plan is None:
        raise FlowmonError(f"{path}: this recording does not carry its venue file: record it with `flowmon record`")
    return tapes[0], plan


def fold(venue: Venue, entries: Iterable[Entry], truth: Truth) -> list[Compared]:
    """Every count with what was shown then; those outside of the recording are dropped in the account of `truth`."""
    monitor, shown, rows = Monitor(venue), _Shown(venue), []
    due, place, last = truth.counts, 0, -math.inf
    for entry in entries:
        at = moment(entry.record)
        while place < len(due) and due[place].at < at:
            if last == -math.inf:
                _outside(truth, due[place])
            else:
                rows.append(shown.compared(due[place]))
            place += 1
        shown.add(monitor.apply_record(entry.record))
        last = max(last, at)
    for count in due[place:]:
        if count.at <= last:
            rows.append(shown.compared(count))
        else:
            _outside(truth, count)
    return rows


def _outside(truth: Truth, count: Counted) -> None:
    truth.account.drop("outside of the recording", count.line, f"{count.zone} {written(count.at)}")


def figures(rows: list[Compared]) -> dict[str, dict[str, Any]]:
    """Figures by method, keys as above. Pure."""
    found: dict[str, dict[str, Any]] = {name: {} for name in METHODS}
    for part in ("zone", "venue"):
        asked = [row for row in rows if (row.count.zone == WHOLE) == (part == "venue")]
        known = [row for row in asked if math.isfinite(row.value)]
        truth = _column(known, "people")
        for name in METHODS:
            error = _column(known, name) - truth
            found[name] |= {f"{part}_mae": _mean(np.abs(error)), f"{part}_bias": _mean(error), f"{part}_n": len(known)}
            if part == "zone":
                found[name]["zone_wape"] = wape(_column(known, name), truth)
            else:
                found[name]["venue_mae_pct_peak"] = _of_peak(known, error)
        lo, hi = _column(known, "lo"), _column(known, "hi")
        found["model"] |= {f"{part}_cov90": coverage(lo, hi, truth), f"{part}_width": _mean(hi - lo)}
        found["model"][f"{part}_known"] = len(known) / len(asked) if asked else None
        for name in METHODS[1:]:
            ours, theirs = found["model"][f"{part}_mae"], found[name][f"{part}_mae"]
            key = f"{name}_ratio" if part == "zone" else f"venue_{name}_ratio"
            found["model"][key] = plain(ours / theirs) if ours is not None and theirs else None
    return found


def _of_peak(known: list[Compared], error: Array) -> float | None:
    """Mean over days of MAE ÷ the highest count of the day."""
    shares = []
    for day in dict.fromkeys(row.day for row in known):
        here = np.array([row.day == day for row in known])
        peak = max(row.count.people for row in known if row.day == day)
        if peak > 0:
            shares.append(float(np.abs(error[here]).mean()) / peak)
    return _mean(np.array(shares))


def _zones(rows: list[Compared]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name in sorted({row.count.zone for row in rows}):
        known = [row for row in rows if row.count.zone == name and math.isfinite(row.value)]
        truth, value = _column(known, "people"), _column(known, "model")
        lo, hi = _column(known, "lo"), _column(known, "hi")
        found[name] = {
            "n": len(known),
            "mae": _mean(np.abs(value - truth)),
            "wape": wape(value, truth),
            "bias": _mean(value - truth),
            "cov90": coverage(lo, hi, truth),
            "width": _mean(hi - lo),
            "raw_mae": _mean(np.abs(_column(known, "raw") - truth)),
        }
    return found


def _comparisons(rows: list[Compared]) -> list[dict[str, Any]]:
    """Ratio of the MAE to each baseline, with an interval where there are days enough for one."""
    found = []
    for part in ("zone", "venue"):
        known = [r for r in rows if math.isfinite(r.value) and (r.count.zone == WHOLE) == (part == "venue")]
        truth = _column(known, "people")
        model = np.abs(_column(known, "model") - truth)
        for name in METHODS[1:]:
            one = ratio(model, np.abs(_column(known, name) - truth), [row.day for row in known])
            found.append({"measure": part, "baseline": name, "ratio": one.ratio, "lo": one.lo, "hi": one.hi,
                          "days": one.days, "beats": one.beats, "loses": one.loses})  # fmt: skip
    return found


def _column(rows: list[Compared], name: str) -> Array:
    values = [row.count.people if name == "people" else getattr(row, _FIELD.get(name, name)) for row in rows]
    return np.array(values, dtype=float)


_FIELD = {"model": "value"}


def _mean(values: Array) -> float | None:
    return plain(values.mean()) if values.size else None


def _markdown(data: dict[str, Any], methods: dict[str, dict[str, Any]], zones: dict[str, dict[str, Any]]) -> str:
    percent, figure = report.percent, report.figure
    rows = [
        [name, figure(m["zone_mae"]), percent(m["zone_wape"]), figure(m["zone_bias"]), percent(m.get("zone_cov90")),
         figure(m.get("zone_width")), figure(m["venue_mae"]), percent(m["venue_mae_pct_peak"])]
        for name, m in methods.items()
    ]  # fmt: skip
    by_zone = [
        [name, str(z["n"]), figure(z["mae"]), percent(z["wape"]), figure(z["bias"]), percent(z["cov90"]),
         figure(z["width"]), figure(z["raw_mae"])]
        for name, z in zones.items()
    ]  # fmt: skip
    header = ("method", "room MAE", "WAPE", "bias", "in the 90 % band", "width", "venue MAE", "÷ peak")
    simulated = " (simulated)" if data["simulated"] else ""
    return "\n".join(
        [
            f"# {data['venue']}{simulated}: shown beside counted, {data['first']} to {data['last']}\n",
            report.grid(header, rows),
            report.grid(("zone", "n", "MAE", "WAPE", "bias", "in the 90 % band", "width", "raw MAE"), by_zone),
            report.rows_section(data),
        ]
    )

"""`flowmon score events COUNTS.csv --events EVENTS.csv`: unusual events found in two-way counts, beside thresholds.

Prequential and one shot: each step is judged with what was learned before it, and only then learned. What is flagged
is made of runs: flagged steps with at most one unflagged step between them. A known event is found when a run overlaps
it, one step more on either side (people come before it begins, and leave after it ended); a run that touches no known
event so is unlisted. The same rule holds for every method; the figures without that step are given too (`_strict`).
Lists of events are never complete: an unlisted run may be an event nobody wrote down.

Methods and their thresholds, declared here and never chosen on a file; the first is the one to live with, the last the
one that would rather see too much:
    poisson_in, poisson_both   -log10 P(X >= count) over the usual of the week, of the in-flow, of the likelier of both
    two_state                  log10 odds of a Poisson two-state chain over the same usual
    model                      log10 odds of `estimators.events`
"""

import argparse
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct

from flowmon.estimators.events import UnusualEvents
from flowmon.scoring.report import arguments as report_arguments
from flowmon.scoring.report import conclude, data_of, figure, grid, percent, progress, rows_section
from flowmon.scoring.table import Account, Table, TableInvalid, is_empty
from flowmon.scoring.thresholds import TwoState
from flowmon.scoring.times import Clock, duration, hours, zone

DAY_S = 86_400
STEPS_MAX = 2_000_000
TOUCH, MERGE = 1, 1  # steps
POINTS = {
    "poisson_in": (6.0, 4.0, 3.0),
    "poisson_both": (6.0, 4.0, 3.0),
    "two_state": (2.0, 1.0, 0.0),
    "model": (-0.5, 0.0, -1.0, -1.6),
}
TURNED_MIN_S = DAY_S  # shorter is not worth a word


class Counts(Struct):
    """step: first step since the epoch; local: local seconds of each step; flows: in and out, NaN missing."""

    step: int
    step_s: int
    local: list[float]
    flows: list[tuple[float, float]]


Run = tuple[int, int]


def arguments(parser: argparse.ArgumentParser) -> None:
    """The counts, the list of events and what of it is scored."""
    parser.add_argument("file", type=Path, metavar="FILE", help="CSV of counts, also gzipped, any usual separator")
    parser.add_argument("--time", required=True, metavar="COL", help="column of the start of each step")
    parser.add_argument("--in", dest="into", required=True, metavar="COL", help="column of the people who came in")
    parser.add_argument("--out", required=True, metavar="COL", help="column of the people who went out")
    parser.add_argument("--events", required=True, type=Path, metavar="FILE", help="CSV of the known events")
    parser.add_argument("--begin", required=True, metavar="COL", help="column of the beginning of an event")
    parser.add_argument("--end", required=True, metavar="COL", help="column of its end")
    parser.add_argument("--step", type=duration, default=1800, metavar="30min", help="width of a step; divides a day")
    parser.add_argument("--open", type=hours, metavar="07:00-20:00", help="score these local hours (default: all)")
    parser.add_argument("--warmup", type=duration, default=0, metavar="28d", help="not scored (default: nothing is)")
    parser.add_argument("--timezone", metavar="IANA", help="zone of times that name none, and of local hours")
    report_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Read, judge, score, write."""
    if DAY_S % args.step:
        raise TableInvalid(f"--step: {args.step} s does not divide a day: take 5min, 15min, 30min or 1h")
    counts, account = _counts(args)
    known = _known(args, counts, account)
    judged, turned = _walk(counts)
    scored = [_counted(args, counts, number) for number in range(len(counts.local))]
    events = [event for event in known if any(scored[max(0, event[0]) : event[1]])]
    if len(events) < len(known):
        account.notes.append(f"{len(known) - len(events)} events lie outside of what is scored and do not count")
    methods = {name: _measure(judged[name], scored, events, POINTS[name]) for name in POINTS}
    data = data_of(account, **_described(args, counts, events))
    report = {"balance": _balance(counts), "turned": turned, "touch_steps": TOUCH, "merge_steps": MERGE}
    return conclude(args, data, methods, report, _markdown(data, methods, report))


def _counts(args: argparse.Namespace) -> tuple[Counts, Account]:
    """The two flows on the grid; rows of one step are added up."""
    table = Table(args.file)
    when, into, out = (table.column(name) for name in (args.time, args.into, args.out))
    rows = list(table.rows())
    clock = Clock([cells[when] for _, cells in rows[:2000]], zone(args.timezone))
    found: dict[int, tuple[float, list[float], list[bool]]] = {}
    for line, cells in rows:
        time = clock.read(cells[when])
        if time is None:
            table.account.drop("no readable time", line, cells[when])
            continue
        numbers = [table.number(cells[place]) for place in (into, out)]
        sound = [number is not None and 0.0 <= number <= 1e7 for number in numbers]
        if not any(sound):
            empty = all(is_empty(cells[place]) for place in (into, out))
            table.account.drop("no value" if empty else "not a number, below zero or over 10⁷", line, cells[into])
            continue
        table.account.used += 1
        offset, sums, seen = found.setdefault(int(time[0] // args.step), (time[1], [0.0, 0.0], [False, False]))
        for flow, number in enumerate(numbers):
            if sound[flow] and number is not None:
                sums[flow] += number
                seen[flow] = True
    if not found:
        raise TableInvalid(f"{args.file}: none of {table.account.rows} rows can be used: {dict(table.account.dropped)}")
    first, last = min(found), max(found)
    if last - first >= STEPS_MAX:
        raise TableInvalid(f"{args.file}: the times span {last - first:,} steps: are they of one format and zone?")
    local, flows, offset = [], [], found[first][0]
    for step in range(first, last + 1):
        offset, sums, seen = found.get(step, (offset, [0.0, 0.0], [False, False]))
        local.append(step * args.step + offset)
        flows.append((sums[0] if seen[0] else math.nan, sums[1] if seen[1] else math.nan))
    missing = sum(math.isnan(a) or math.isnan(b) for a, b in flows)
    if missing:
        table.account.notes.append(f"{missing} of {len(flows)} steps lack one count or both")
    return Counts(first, args.step, local, flows), table.account


def _known(args: argparse.Namespace, counts: Counts, account: Account) -> list[Run]:
    """The events as [first step, step after the last), relative to the first step of the counts."""
    table = Table(args.events)
    begin, end = table.column(args.begin), table.column(args.end)
    rows = list(table.rows())
    clock = Clock([cells[place] for _, cells in rows for place in (begin, end)][:2000], zone(args.timezone))
    known = []
    for line, cells in rows:
        times = clock.read(cells[begin]), clock.read(cells[end])
        if times[0] is None or times[1] is None or times[1][0] < times[0][0]:
            account.notes.append(f"event of line {line} has no readable times, or ends before it begins: not used")
            continue
        first = int(times[0][0] // counts.step_s) - counts.step
        last = math.ceil(times[1][0] / counts.step_s) - counts.step
        known.append((first, max(last, first + 1)))
    if not known:
        raise TableInvalid(f"{args.events}: none of {len(rows)} rows is an event with a beginning and an end")
    return known


def _walk(counts: Counts) -> tuple[dict[str, list[float]], list[dict[str, str]]]:
    """What each method says of each step, and the spans in which the columns look exchanged."""
    day = DAY_S // counts.step_s
    model, simple = UnusualEvents(day, counts.step_s), TwoState(day, counts.step_s)
    said: dict[str, list[float]] = {name: [] for name in POINTS}
    turned: list[bool] = []
    with progress("judging", len(counts.flows)) as advance:
        for local, flows in zip(counts.local, counts.flows, strict=True):
            slot = int(local // DAY_S + 3) % 7 * day + int(local % DAY_S // counts.step_s)  # the epoch was a Thursday
            tails, odds = simple.learn(flows, slot)
            model.learn(flows, slot)
            belief = model.estimate()
            said["poisson_in"].append(tails[0])
            said["poisson_both"].append(max(tails))
            said["two_state"].append(odds)
            said["model"].append(belief.odds)
            turned.append(belief.turned)
            advance(1)
    spans = [
        {"from": _written(counts.local[first]), "to": _written(counts.local[last - 1])}
        for first, last in _runs(turned, MERGE)
        if (last - first) * counts.step_s >= TURNED_MIN_S
    ]
    return said, spans


def _measure(said: list[float], scored: list[bool], events: list[Run], points: tuple[float, ...]) -> dict[str, Any]:
    """The figures of one method; those of its first point by themselves."""
    rows = []
    for threshold in points:
        runs = _runs([ok and value >= threshold for ok, value in zip(scored, said, strict=True)], MERGE)
        found, unlisted = _matched(runs, events, TOUCH)
        strict, unlisted_strict = _matched(runs, events, 0)
        rows.append(
            {
                "threshold": threshold,
                "events_found": found,
                "runs_unlisted": unlisted,
                "runs": len(runs),
                "events_found_strict": strict,
                "runs_unlisted_strict": unlisted_strict,
            }
        )
    most = max(rows, key=lambda row: row["events_found"])
    share = rows[0]["events_found"] / len(events) if events else None
    return {
        **rows[0],
        "events_known": len(events),
        "recall": share,
        "events_found_sensitive": most["events_found"],
        "runs_unlisted_sensitive": most["runs_unlisted"],
        "points": rows,
    }


def _matched(runs: list[Run], events: list[Run], touch: int) -> tuple[int, int]:
    """How many events were found, and how many runs belong to none."""

    def meets(one: Run, event: Run) -> bool:
        return one[0] < event[1] + touch and one[1] > event[0] - touch

    found = sum(any(meets(one, event) for one in runs) for event in events)
    return found, sum(not any(meets(one, event) for event in events) for one in runs)


def _runs(flagged: list[bool], merge: int) -> list[Run]:
    """Flagged steps as spans, with gaps of up to `merge` closed."""
    places = [number for number, flag in enumerate(flagged) if flag]
    if not places:
        return []
    breaks = [number + 1 for number, (a, b) in enumerate(pairwise(places)) if b - a > merge + 1]
    bounds = [0, *breaks, len(places)]
    return [(places[a], places[b - 1] + 1) for a, b in pairwise(bounds)]


def _counted(args: argparse.Namespace, counts: Counts, number: int) -> bool:
    """Whether the step is scored."""
    if number * counts.step_s < args.warmup:
        return False
    return args.open is None or bool(args.open[0] <= counts.local[number] % DAY_S < args.open[1])


def _balance(counts: Counts) -> dict[str, Any]:
    """What the two columns say of each other: whole days with both counts only."""
    days: dict[int, list[tuple[float, float]]] = {}
    for local, flows in zip(counts.local, counts.flows, strict=True):
        days.setdefault(int(local // DAY_S), []).append(flows)
    sums = np.array([np.nansum(flows, axis=0) for flows in days.values()]).reshape(-1, 2)
    into, out = (float(value) for value in sums.sum(axis=0))
    net = sums[:, 0] - sums[:, 1]
    return {
        "in": round(into),
        "out": round(out),
        "in_over_out": None if out <= 0 else round(into / out - 1.0, 6),
        "days": len(net),
        "net_per_day_mean": round(float(net.mean()), 3),
        "net_per_day_sd": round(float(net.std()), 3),
        "days_below_zero": round(float(_below_zero(days)), 6),
    }


def _below_zero(days: dict[int, list[tuple[float, float]]]) -> float:
    """Share of days on which the running sum of in - out, from zero at midnight, goes below zero."""
    below = [np.nancumsum([a - b for a, b in flows]).min() < 0 for flows in days.values()]
    return float(np.mean(below))


def _described(args: argparse.Namespace, counts: Counts, events: list[Run]) -> dict[str, Any]:
    """What was scored, for `data`."""
    return {
        "file": args.file.name,
        "events_file": args.events.name,
        "step_s": args.step,
        "warmup_s": args.warmup,
        "open": None if args.open is None else "-".join(f"{s // 3600:02d}:{s % 3600 // 60:02d}" for s in args.open),
        "first": _written(counts.local[0]),
        "last": _written(counts.local[-1]),
        "steps": len(counts.local),
        "events_known": len(events),
    }


def _markdown(data: dict[str, Any], methods: dict[str, dict[str, Any]], report: dict[str, Any]) -> str:
    """The report for people."""
    known, balance = data["events_known"], report["balance"]
    parts = [
        f"# Events scored: {data['file']}\n",
        (
            f"{known} known events, {data['first']} to {data['last']}, steps of {data['step_s'] // 60} min. "
            "Each step is judged before it is learned. Thresholds are fixed; the list of events may be incomplete.\n"
        ),
        grid(
            ["method", "threshold", "found", "unlisted runs", "found, strict", "unlisted, strict"], list(_rows(methods))
        ),
        "## The two columns\n",
        (
            f"In {balance['in']:,}, out {balance['out']:,} ({percent(balance['in_over_out'])}); per day "
            f"{figure(balance['net_per_day_mean'])} ± {figure(balance['net_per_day_sd'])}; the sum of in - out "
            f"goes below zero on {percent(balance['days_below_zero'], 0)} of {balance['days']} days.\n"
        ),
    ]
    parts += [f"In and out look exchanged from {span['from']} to {span['to']}.\n" for span in report["turned"]]
    return "\n".join([*parts, "## Rows\n", rows_section(data)])


def _rows(methods: dict[str, dict[str, Any]]) -> Iterator[list[str]]:
    """One row per method and threshold."""
    for name, figures in methods.items():
        for row in figures["points"]:
            keys = ("events_found", "runs_unlisted", "events_found_strict", "runs_unlisted_strict")
            yield [name, f"{row['threshold']:g}", *(str(row[key]) for key in keys)]


def _written(local: float) -> str:
    return datetime.fromtimestamp(local, UTC).strftime("%Y-%m-%d %H:%M")

"""`flowmon score waits FILE.csv`: the wait told to everyone who joins a line, beside running mean, LES, HOL, QL …

Two kinds of files:
    lines   --joined and --served: every join, service start, end and leaver is replayed in the order of time. At a join
            every method says its wait; what it was is learned when the service begins. Scored is who waited and was
            served (--include-zero: all who were served).
    signs   --joined with --posted and --actual: a wait becomes known when it is over, the first 300 are warm-up, a
            sign is believed for 20 minutes. Figures with `recent_` are those with an actual wait of the last 90 min.
Prequential and one shot: nothing a method uses happened after the join it speaks of. Every method gets the same kind of
80 % band (conformal on log1p), so that widths can be compared; the sign is the 80 % point rounded up to 5 minutes.

Figures: wait_mae_s wait_bias_s wait_rmse_s cov80 width80_s within_2min (share) sign_kept (share of waits not above the
sign) sign_over_s (mean of what the sign says too much, 0 when it says too little) n; of the model also ratio_les,
ratio_ql … with _lo and _hi, 95 % intervals from resampled days.

The module is long because both kinds of files share what is said, kept, measured and reported.
"""

import argparse
import math
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from flowmon.errors import FlowmonError
from flowmon.estimators.conformal import AdaptiveBand, Issued
from flowmon.estimators.posted import RECENT_S, Posted, PostedModel
from flowmon.estimators.queueing import Line
from flowmon.estimators.waits import Wait
from flowmon.scoring import bootstrap, lines, measures
from flowmon.scoring.lines import Found, Row
from flowmon.scoring.report import arguments as report_arguments
from flowmon.scoring.report import conclude, data_of, figure, grid, percent, progress, rows_section
from flowmon.scoring.times import duration

Array = NDArray[np.float64]

DAY_S = 86_400.0
SLOT_S = 1_800.0
SIGN_S = 300.0
Z80_SIDE = 0.8416 / 1.2816
LINES = ("running_mean", "half_hour_climatology", "les", "hol", "roll15", "ql")
SIGNS = ("running_mean", "half_hour_climatology", "posted", "posted_ratio", "last_actual")
WARMUP_SIGNS = 300
REFERENCES = ("les", "ql", "posted_ratio", "last_actual")
_ROWS = re.compile(r"(\d+)\s*(rows?)?")

Said = tuple[float, float, float, float]  # value, lo, hi, sign; seconds


class Scored(Struct):
    """Of each scored wait: truth, local day, recent or not, and per method what it said."""

    truth: list[float] = field(default_factory=list)
    day: list[int] = field(default_factory=list)
    recent: list[bool] = field(default_factory=list)
    said: dict[str, list[Said]] = field(default_factory=dict)
    spoke: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    joins: int = 0


def arguments(parser: argparse.ArgumentParser) -> None:
    """The columns, and what of them is scored."""
    lines.arguments(parser)
    parser.add_argument(
        "--warmup", metavar="7d|N", help="not scored: a duration, or so many known waits (default: 7d; signs: 300)"
    )
    parser.add_argument("--include-zero", action="store_true", help="score those who did not have to wait, too")
    report_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Read, replay, score, write."""
    begun = time.perf_counter()
    signs = args.served is None
    warmup = _warmup(args.warmup, signs=signs)
    found = lines.read(args)
    if signs and not any(row.actual_s is not None for row in found.rows):
        raise FlowmonError(f"{args.file}: no actual wait in {args.actual!r}: there is nothing to score")
    with progress("waiting", len(found.rows)) as advance:
        walk = _signs if signs else replay
        scored = walk(found.rows, warmup, advance, include_zero=args.include_zero)
    methods = {method: _figures(scored, method) for method in scored.said}
    comparisons = _compare(scored, methods)
    data = _described(args, found, scored)
    report = {
        "comparisons": comparisons,
        "said": scored.spoke,
        "us_per_join": round(1e6 * scored.seconds / max(1, scored.joins), 1),
        "seconds": round(time.perf_counter() - begun, 3),
    }
    return conclude(args, data, methods, report, _markdown(data, methods, report))


def _warmup(text: str | None, *, signs: bool) -> tuple[float, int]:
    """(seconds, known waits) that are not scored. Raises FlowmonError."""
    if text is None:
        return (0.0, WARMUP_SIGNS) if signs else (7 * DAY_S, 0)
    found = _ROWS.fullmatch(text.strip())
    return (0.0, int(found[1])) if found else (float(duration(text)), 0)


class _History:
    """The baselines that know waits only, and every baseline's band."""

    def __init__(self, methods: tuple[str, ...]) -> None:
        self._bands = {method: AdaptiveBand(1, 1, coverage=0.8, kind="log") for method in methods}
        self._means: dict[int, tuple[float, int]] = {}

    def means(self, at: float) -> dict[str, float]:
        """The running mean, and that of the half hour of the (local) day; 0 before anything is known."""
        mean = self._means.get(-1, (0.0, 0))[0]
        return {"running_mean": mean, "half_hour_climatology": self._means.get(_slot(at), (mean, 0))[0]}

    def issue(self, values: dict[str, float]) -> dict[str, Issued]:
        """A band around each value."""
        bands = {method: self._bands[method].issue(value) for method, value in values.items()}
        return {method: band for method, band in bands.items() if band is not None}

    def learn(self, issued: dict[str, Issued], wait: float, at: float) -> None:
        """What was issued for who joined at `at` (local) turned out to be `wait`."""
        for method, band in issued.items():
            self._bands[method].learn(band, wait)
        for slot in (-1, _slot(at)):
            mean, count = self._means.get(slot, (0.0, 0))
            self._means[slot] = (mean + (wait - mean) / (count + 1), count + 1)


def _slot(at: float) -> int:
    return int(at % DAY_S // SLOT_S)


class _Kept(Struct):
    """What was said to one row."""

    issued: dict[str, Issued]
    model: Said
    method: str
    sign: Posted | None = None


class _Walk:
    """A replay of a line: what happens to each row, one event after the other."""

    def __init__(self, rows: list[Row], warmup: tuple[float, int], *, include_zero: bool) -> None:
        self._rows, self._warmup, self._include_zero = rows, warmup, include_zero
        self._posted = any(row.posted_s is not None for row in rows)
        self._methods = (*LINES, *(("posted", "posted_ratio") if self._posted else ()))
        self._line, self._board, self._history = Line(), PostedModel(), _History(self._methods)
        self._kept: dict[int, _Kept] = {}
        self._servers: int | None = None
        self._known = 0
        self.scored = Scored(said={method: [] for method in (*self._methods, "model")})

    def done(self, number: int, at: float) -> None:
        """A service ended."""
        self._line.finish(self._rows[number].desk, at)

    def joined(self, number: int, at: float) -> None:
        """Everything is said to who joins; who goes straight to a desk never stood in line."""
        row = self._rows[number]
        straight = _straight(row)
        if row.servers is not None and row.servers != self._servers:
            self._servers = row.servers
            self._line.open_desks(row.servers)
        if row.posted_s is not None:
            self._board.post(row.posted_s, at)
        start = time.perf_counter()
        if not straight or self._include_zero:
            wait = self._line.estimate(at, queued=not self._include_zero, kind=row.kind)
            if wait is not None:
                self.scored.joins += 1
                self._kept[number] = self._told(row, at, wait)
        if not straight:
            self._line.join(1, at, key=str(number), kind=row.kind)
        self.scored.seconds += time.perf_counter() - start

    def left(self, number: int, at: float) -> None:
        """Nobody will ever know how long this one would have waited."""
        del at
        self._line.abandon(str(number))
        self._kept.pop(number, None)

    def served(self, number: int, at: float) -> None:
        """The label of what was said on joining."""
        row, told = self._rows[number], self._kept.pop(number, None)
        straight, waited = _straight(row), at - row.joined
        if told is not None and len(told.issued) == len(self._methods) and self._counts(row):
            _score(self.scored, told, waited, row)
        start = time.perf_counter()
        self._line.serve(1, at, waited, key="" if straight else str(number), desk=row.desk)
        self.scored.seconds += time.perf_counter() - start
        self._known += not straight
        if told is not None:
            self._history.learn(told.issued, waited, row.joined + row.offset_s)
            if told.sign is not None:
                self._board.learn(told.sign, waited, at)

    def _counts(self, row: Row) -> bool:
        seconds, waits = self._warmup
        return row.joined - self._rows[0].joined >= seconds and self._known >= waits

    def _told(self, row: Row, at: float, wait: Wait) -> _Kept:
        values = _said(self._line, self._history, at, row)
        sign = self._board.expect(at, row.offset_s) if self._posted else None
        if sign is not None and sign.posted is not None and sign.ratio is not None:
            values |= {"posted": sign.posted, "posted_ratio": sign.ratio}
        model = (wait.p50, wait.lo, wait.hi, _rounded(wait.p80))
        return _Kept(self._history.issue(values), model, wait.method, sign)


def _silent(_done: int) -> None:
    """Nobody looks."""


def replay(
    rows: list[Row],
    warmup: tuple[float, int],
    advance: Callable[[int], None] = _silent,
    *,
    include_zero: bool = False,
) -> Scored:
    """What is said along a line, every event in the order of time: ends of services, services, leavers, joins.

    rows in order of joining; warmup: seconds since the first, and known waits, that are not scored.
    """
    walk = _Walk(rows, warmup, include_zero=include_zero)
    for at, kind, number in _events(rows):
        if kind == "joined":
            advance(1)
        {"done": walk.done, "served": walk.served, "left": walk.left, "joined": walk.joined}[kind](number, at)
    return walk.scored


def _straight(row: Row) -> bool:
    """Went to a desk without standing in line."""
    return row.served is not None and row.served <= row.joined


def _events(rows: list[Row]) -> Iterator[tuple[float, str, int]]:
    """(time, what, row); at one time a server is free before somebody is served, and served before somebody joins."""
    order = ("done", "served", "left", "joined")
    told: list[tuple[float, int, int]] = []
    for number, row in enumerate(rows):
        told.append((row.joined, 3, number))
        if row.served is not None:
            told.append((row.served, 4 if _straight(row) else 1, number))
        if row.left is not None:
            told.append((row.left, 2, number))
        if row.done is not None and row.desk:
            told.append((row.done, 0, number))
    told.sort()
    for at, kind, number in told:
        yield at, "served" if kind == 4 else order[kind], number


def _said(line: Line, history: _History, at: float, row: Row) -> dict[str, float]:
    """What every baseline says of who joins now."""
    values = history.means(at + row.offset_s)
    known = line.evidence(at)
    if known is None:
        return values
    les = known.ql if known.les is None else known.les
    values |= {"les": les, "hol": known.hol if known.queue > 0.0 else les, "ql": known.ql}
    values["roll15"] = les if known.roll15 is None else known.roll15
    return values


def _signs(rows: list[Row], warmup: tuple[float, int], advance: Callable[[int], None], *, include_zero: bool) -> Scored:
    """Posted and actual waits; who waits is heard of when the wait is over."""
    posted = any(row.posted_s is not None for row in rows)
    methods = tuple(method for method in SIGNS if posted or not method.startswith("posted"))
    board, history = PostedModel(), _History(methods)
    events: list[tuple[float, int, int]] = []
    for number, row in enumerate(rows):
        events.append((row.joined, 2 if row.actual_s is not None else 1, number))
        if row.actual_s is not None:
            events.append((row.joined + row.actual_s, 0, number))
    events.sort()
    kept: dict[int, _Kept] = {}
    scored = Scored(said={method: [] for method in (*methods, "model")})
    first, known = rows[0].joined, 0
    for at, kind, number in events:
        row = rows[number]
        if kind == 0:
            told = kept.pop(number)
            known += 1
            wait = float(row.actual_s or 0.0)
            if told.sign is not None:
                board.learn(told.sign, wait, at)
            history.learn(told.issued, wait, row.joined + row.offset_s)
            continue
        advance(1)
        start = time.perf_counter()
        if row.posted_s is not None:
            board.post(row.posted_s, at)
        if kind == 1:
            continue
        sign = board.expect(at, row.offset_s)
        scored.seconds += time.perf_counter() - start
        scored.joins += 1
        told = _sign_told(sign, history, at + row.offset_s)
        kept[number] = told
        ready = known >= warmup[1] and at - first >= warmup[0] and sign.value is not None
        if ready and len(told.issued) == len(methods) and (include_zero or float(row.actual_s or 0.0) > 0.0):
            _score(scored, told, float(row.actual_s or 0.0), row)
    return scored


def _sign_told(sign: Posted, history: _History, local: float) -> _Kept:
    """Everything said to who joins now."""
    values = history.means(local)
    if sign.posted is not None and sign.ratio is not None:
        values |= {"posted": sign.posted, "posted_ratio": sign.ratio}
    if sign.last is not None:
        values["last_actual"] = sign.last
    band, value = sign.band, sign.value or 0.0
    lo, hi = (value, value) if band is None else (min(band.lo, value), max(band.hi, value))
    return _Kept(history.issue(values), (value, lo, hi, _rounded(_side(value, hi))), "model", sign)


def _side(value: float, hi: float) -> float:
    """The one-sided 80 % point between the median and the 90 % point, on the scale of log1p."""
    return math.expm1(math.log1p(value) + Z80_SIDE * (math.log1p(hi) - math.log1p(value)))


def _rounded(seconds: float) -> float:
    return SIGN_S * math.ceil(seconds / SIGN_S)


def _score(scored: Scored, told: _Kept, wait: float, row: Row) -> None:
    """Keep what was said beside what was true."""
    scored.truth.append(wait)
    scored.day.append(int((row.joined + row.offset_s) // DAY_S))
    age = None if told.sign is None else told.sign.last_age_s
    scored.recent.append(age is not None and age <= RECENT_S)
    scored.said["model"].append(told.model)
    scored.spoke[told.method] = scored.spoke.get(told.method, 0) + 1
    for method, issued in told.issued.items():
        hi = max(issued.hi, issued.value)
        sign = issued.value if method == "posted" else _rounded(_side(issued.value, hi))
        scored.said[method].append((issued.value, issued.lo, hi, sign))


def _figures(scored: Scored, method: str) -> dict[str, Any]:
    """The figures of one method."""
    truth, said = np.array(scored.truth), np.array(scored.said[method]).reshape(-1, 4)
    out = {"n": len(truth), **_of(truth, said)}
    recent = np.array(scored.recent, dtype=bool)
    if recent.any() and not recent.all():
        out |= {"recent_n": int(recent.sum())} | {f"recent_{k}": v for k, v in _of(truth[recent], said[recent]).items()}
    return out


def _of(truth: Array, said: Array) -> dict[str, Any]:
    names = (
        "wait_mae_s",
        "wait_bias_s",
        "wait_rmse_s",
        "cov80",
        "width80_s",
        "within_2min",
        "sign_kept",
        "sign_over_s",
    )
    if not len(truth):
        return dict.fromkeys(names)
    value, lo, hi, sign = said.T
    error = value - truth
    figures = (
        np.abs(error).mean(),
        error.mean(),
        np.sqrt((error**2).mean()),
        ((truth >= lo) & (truth <= hi)).mean(),
        (hi - lo).mean(),
        (np.abs(error) <= 120.0).mean(),
        (truth <= sign).mean(),
        np.maximum(sign - truth, 0.0).mean(),
    )
    return {name: measures.plain(found) for name, found in zip(names, figures, strict=True)}


def _compare(scored: Scored, methods: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The model against every baseline; ratios to the usual references go to the model's figures as well."""
    truth = np.array(scored.truth)
    recent = np.array(scored.recent, dtype=bool)
    out: list[dict[str, Any]] = []
    parts = [("", np.ones(len(truth), dtype=bool))]
    if recent.any() and not recent.all():
        parts.append(("recent_", recent))
    for prefix, mask in parts:
        days = [day for day, use in zip(scored.day, mask.tolist(), strict=True) if use]
        errors = {
            method: np.abs(np.array([said[0] for said in told]) - truth)[mask] for method, told in scored.said.items()
        }
        for method in methods:
            if method == "model":
                continue
            ratio = bootstrap.ratio(errors["model"], errors[method], days)
            out.append(
                {
                    "part": prefix.rstrip("_") or "all",
                    "baseline": method,
                    "ratio": ratio.ratio,
                    "lo": ratio.lo,
                    "hi": ratio.hi,
                    "days": ratio.days,
                    "beats": ratio.beats,
                    "loses": ratio.loses,
                }
            )
            if method in REFERENCES:
                name = f"{prefix}ratio_{method}"
                methods["model"] |= {name: ratio.ratio, f"{name}_lo": ratio.lo, f"{name}_hi": ratio.hi}
    return out


def _described(args: argparse.Namespace, found: Found, scored: Scored) -> dict[str, Any]:
    """What was scored, for `data`."""
    rows = found.rows
    waited = sum(row.served is not None and row.served > row.joined for row in rows)
    if not scored.truth:
        days = (rows[-1].joined - rows[0].joined) / DAY_S
        found.account.notes.append(
            f"nothing was scored: {days:.1f} days with {waited} who waited and were served; the warm-up "
            f"({args.warmup or '7d, of signs 300 waits'}) takes them all, or desks were never known: lower --warmup"
        )
    return data_of(
        found.account,
        file=args.file.name,
        columns={
            name: getattr(args, name)
            for name in (
                "joined",
                "served",
                "abandoned",
                "done",
                "desk",
                "servers",
                "kind",
                "posted",
                "actual",
                "where",
            )
            if getattr(args, name)
        },
        timezone=args.timezone,
        warmup=args.warmup,
        include_zero=args.include_zero,
        waited_and_served=waited,
        straight=sum(row.served is not None and row.served <= row.joined for row in rows),
        left=sum(row.left is not None for row in rows),
        actual=sum(row.actual_s is not None for row in rows),
        scored=len(scored.truth),
        mean_wait_s=measures.plain(np.mean(scored.truth)) if scored.truth else None,
    )


def _markdown(data: dict[str, Any], methods: dict[str, dict[str, Any]], report: dict[str, Any]) -> str:
    """The report for people."""
    mean = "—" if data["mean_wait_s"] is None else f"{data['mean_wait_s']:.0f} s"
    parts = [
        f"# Waits scored: {data['file']}\n",
        f"{data['scored']:,} waits, mean {mean}. Prequential, one shot; intervals from whole days resampled.\n",
    ]
    prefixes = [""] + (["recent_"] if any("recent_n" in figures for figures in methods.values()) else [])
    for prefix in prefixes:
        if prefix:
            parts.append("## With an actual wait of the last 90 minutes\n")
        header = [
            "method",
            "MAE s",
            "bias s",
            "within 2 min",
            "inside 80 % band",
            "width s",
            "sign kept",
            "sign over s",
        ]
        parts.append(grid(header, [_line(method, figures, prefix) for method, figures in methods.items()]))
        claims = [row for row in report["comparisons"] if row["part"] == (prefix.rstrip("_") or "all")]
        parts.append("\n".join(f"- {_claim(row)}" for row in claims) + "\n")
    if set(report["said"]) - {"model"}:
        parts.append("Said by: " + ", ".join(f"{name} {count:,}" for name, count in report["said"].items()) + "\n")
    parts.append("## Rows\n\n" + rows_section(data))
    return "\n".join(parts)


def _line(method: str, figures: dict[str, Any], prefix: str) -> list[str]:
    """A row of the table."""

    def of(name: str) -> float | None:
        found: float | None = figures.get(prefix + name)
        return found

    return [
        method,
        figure(of("wait_mae_s"), 1),
        figure(of("wait_bias_s"), 1),
        percent(of("within_2min")),
        percent(of("cov80")),
        figure(of("width80_s"), 0),
        percent(of("sign_kept")),
        figure(of("sign_over_s"), 0),
    ]


def _claim(row: dict[str, Any]) -> str:
    """One comparison in words."""
    if row["ratio"] is None:
        return f"model ÷ {row['baseline']}: unknown"
    interval = "" if row["lo"] is None else f" (95 %: {row['lo']:.3f} to {row['hi']:.3f})"
    word = "better" if row["beats"] else "worse" if row["loses"] else "no claim"
    return f"model ÷ {row['baseline']}: {row['ratio']:.3f}{interval}, {word}"

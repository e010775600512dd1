"""`flowmon score beacons FILE.csv`: in which zone is a beacon, from labelled sightings, beside the usual ways.

Prequential: a window is judged by what was heard until its end, or LAG windows later for `model_lag`. The table of
fingerprints, the zone of each receiver and the pace of walking come from the calibration part alone, which is not
scored. Methods:

    strongest        the loudest receiver of the window says the zone
    ema_strongest    the same of levels smoothed over windows (0.25), remembered 10 s
    ema_hysteresis   the same packet by packet, another zone only after 3 wins on end by 4 dB
    naive_bayes      Gaussian fingerprints of this window alone
    model            graph HMM, most likely zone now
    model_lag        the same, told LAG windows later
    told             what screens show at that moment: another zone only once it is 95 % likely

Keys of each: accuracy, macro_f1 (over the zones that occur), switches and true_switches, median_delay_s (from a true
switch to the first window that says so; lag included), missed_switches (never said while it lasted), n.
"""

import argparse
import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct

from flowmon.errors import FlowmonError
from flowmon.estimators.fingerprints import Fingerprints, Likelihood, fingerprint
from flowmon.estimators.radio import LAG, PlaceFilter
from flowmon.estimators.strongest import HEARD_S, SMOOTHING, StrongestReceiver
from flowmon.names import OUTSIDE
from flowmon.scoring import bootstrap, sightings
from flowmon.scoring.report import arguments as report_arguments
from flowmon.scoring.report import conclude, data_of, figure, grid, percent, progress, rows_section
from flowmon.scoring.sightings import Packet, Stream
from flowmon.venue.parse import load

METHODS = ("strongest", "ema_strongest", "ema_hysteresis", "naive_bayes", "model", "model_lag", "told")
BASELINES = METHODS[:4]
BLOCK_S = 60.0  # errors within a minute hang together: blocks of the bootstrap
PACE_S, PACE_WEIGHT = 60.0, 3  # mean stay in a zone before anything is known, and how many stays that is worth
PACE_LEAST_S, PACE_MOST_S = 5.0, 300.0


class Judged(Struct):
    """Windows of known zone in order: stream, time (s), truth, and what each method said ("" nothing)."""

    stream: list[tuple[str, str]]
    at: list[float]
    truth: list[str]
    said: dict[str, list[str]]


class Plan(Struct):
    """What the calibration part says. home: receiver -> the zone that hears it best."""

    zones: list[str]
    receivers: dict[str, int]
    table: Fingerprints
    home: dict[str, str]
    pace_s: float


def arguments(parser: argparse.ArgumentParser) -> None:
    """Columns, split, graph."""
    sightings.arguments(parser)
    parser.add_argument("--graph", default="complete", metavar="FILE|complete", help="which zones are next to which: a "
                        "venue file (it also says the zone of each receiver), or lines `zone,zone` (default: complete, "
                        "any to any)")  # fmt: skip
    report_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Read, calibrate, walk, write."""
    begun = time.perf_counter()
    found = sightings.read(args)
    edges, homes = (None, {}) if args.graph == "complete" else _graph(Path(args.graph))
    judged = Judged([], [], [], {method: [] for method in METHODS})
    paces, strange = [], set()
    parts = _parts(found)
    with progress("placing", len(parts)) as advance:
        for calibration, scored in parts:
            plan = _calibrate(calibration, args.window)
            plan.home |= {receiver: homes[receiver] for receiver in plan.receivers if receiver in homes}
            strange |= {p.receiver for p in scored} - set(plan.receivers)
            paces.append(plan.pace_s)
            _walk(plan, scored, args.window, _adjacent(plan.zones, edges), judged)
            advance(1)
    if not judged.truth:
        raise FlowmonError("no scored row names a zone: check --zone and --calibrate-on")
    if strange:
        found.account.notes.append(f"{len(strange)} receivers that calibration never heard are left out: "
                                   + ", ".join(sorted(strange)[:5]))  # fmt: skip
    unknown = {zone for zone in judged.truth if not any(p.zone == zone for part, _ in parts for p in part)}
    if unknown:
        found.account.notes.append("zones without calibration, which nobody can say: " + ", ".join(sorted(unknown)))
    methods = {method: _figures(judged, method, args.window) for method in METHODS}
    comparisons = [_compare(judged, base) for base in BASELINES]
    data = data_of(
        found.account, file=str(args.file), calibrated_on=found.split, times=found.times, window_s=args.window,
        windows=len(judged.truth), zones=sorted(set(judged.truth)), pace_s=[round(pace, 1) for pace in paces],
    )  # fmt: skip
    report = {"comparisons": comparisons, "lag_s": LAG * args.window, "seconds": round(time.perf_counter() - begun, 3)}
    return conclude(args, data, methods, report, _markdown(args, data, methods, report))


def _parts(found: sightings.Scored) -> list[tuple[list[Packet], list[Packet]]]:
    """(calibration, scored) packets: one pair, or one per run left out."""
    if not found.loo:
        return [([p for p in found.packets if p.calibrates], [p for p in found.packets if not p.calibrates])]
    runs = list(dict.fromkeys(packet.run for packet in found.packets))
    return [([p for p in found.packets if p.run != r], [p for p in found.packets if p.run == r]) for r in runs]


def _calibrate(packets: list[Packet], window_s: float) -> Plan:
    """The table of one calibration part, from its windows of known zone."""
    zones = sorted({packet.zone for packet in packets} - {""})
    if len(zones) < 2:
        raise FlowmonError(f"the calibration part names {len(zones)} zones: choose one that walks through all")
    receivers = {name: n for n, name in enumerate(sorted({packet.receiver for packet in packets}))}
    levels: dict[tuple[str, str], list[float]] = {}
    count = dict.fromkeys(zones, 0)
    lived, changes = 0.0, 0
    for stream in sightings.streams(packets, window_s).values():
        before = None
        for number in sorted(stream):
            window = stream[number]
            if not window.zone:
                continue
            count[window.zone] += 1
            for receiver, level in window.levels.items():
                levels.setdefault((window.zone, receiver), []).append(level)
            if before is not None and number - before.number < PACE_S / window_s:
                lived += (number - before.number) * window_s
                changes += window.zone != before.zone
            before = window
    cells = np.array([[fingerprint(levels.get((zone, rx), []), count[zone]) for rx in receivers] for zone in zones])
    table = Fingerprints(cells[:, :, 0], cells[:, :, 1], cells[:, :, 2])
    heard = table.median * (1 - table.silent) - 100.0 * table.silent
    home = {receiver: zones[int(heard[:, n].argmax())] for receiver, n in receivers.items()}
    pace = (lived + PACE_WEIGHT * PACE_S) / (changes + PACE_WEIGHT)
    return Plan(zones, receivers, table, home, float(np.clip(pace, PACE_LEAST_S, PACE_MOST_S)))


def _walk(plan: Plan, packets: list[Packet], window_s: float, adjacent: Any, judged: Judged) -> None:
    """Through the scored packets, run by run, with every method."""
    everything = sightings.streams([p for p in packets if p.receiver in plan.receivers], window_s)
    bayes = Likelihood(plan.table, common_db=0.0)
    for part in dict.fromkeys(run for run, _ in everything):
        beacons = {beacon: stream for (run, beacon), stream in everything.items() if run == part}
        model = _modelled(plan, beacons, window_s, adjacent)
        for beacon, stream in beacons.items():
            ways = _ways(plan, bayes, window_s)
            for number in sorted(stream):
                window = stream[number]
                said = {method: way(window) for method, way in ways.items()} | model[beacon, number]
                if window.zone:
                    judged.stream.append((part, beacon))
                    judged.at.append(number * window_s)
                    judged.truth.append(window.zone)
                    for method in METHODS:
                        judged.said[method].append(said[method])


def _modelled(
    plan: Plan, beacons: dict[str, Stream], window_s: float, adjacent: Any
) -> dict[tuple[str, int], dict[str, str]]:
    """(beacon, window) -> what the HMM says, all beacons of a run together."""
    places = PlaceFilter(plan.table, adjacent, plan.pace_s, step_s=window_s)
    said: dict[tuple[str, int], dict[str, str]] = {}
    present: dict[int, list[str]] = {}
    for beacon, stream in beacons.items():
        for number in stream:
            present.setdefault(number, []).append(beacon)
    for number in sorted({first + late for first in present for late in range(LAG + 1)}):
        here, before = present.get(number, ()), present.get(number - LAG, ())
        levels = {
            beacon: {plan.receivers[rx]: level for rx, level in beacons[beacon][number].levels.items()}
            for beacon in here
        }
        places.learn(levels, (number + 0.5) * window_s)
        for beacon in here:
            now, _, _ = places.of(beacon)
            told = plan.zones[now] if now >= 0 else ""
            said[beacon, number] = {"model": plan.zones[int(places.posterior(beacon).argmax())], "told": told}
        settled = places.settled() if before else {}
        for beacon in before:
            said[beacon, number - LAG]["model_lag"] = plan.zones[int(settled[beacon].argmax())]
    return said


def _ways(plan: Plan, bayes: Likelihood, window_s: float) -> dict[str, Callable[[sightings.Window], str]]:
    """The methods that look at one beacon alone, each with its memory."""
    smooth: dict[str, tuple[float, int]] = {}
    steady = StrongestReceiver()

    def loudest(levels: dict[str, float]) -> str:
        return plan.home[max(levels, key=lambda receiver: (levels[receiver], receiver))]

    def smoothed(window: sightings.Window) -> str:
        for receiver, level in window.levels.items():
            old, last = smooth.get(receiver, (level, window.number))
            old = level if (window.number - last) * window_s > HEARD_S else old
            smooth[receiver] = old + SMOOTHING * (level - old), window.number
        fresh = {rx: level for rx, (level, last) in smooth.items() if (window.number - last) * window_s <= HEARD_S}
        return loudest(fresh)

    def hysteresis(window: sightings.Window) -> str:
        for packet in window.packets:
            steady.learn(packet.receiver, packet.rssi, packet.at)
        return plan.home.get(steady.estimate(window.packets[-1].at)[0], "")

    def gaussian(window: sightings.Window) -> str:
        levels = np.full((1, len(plan.receivers)), np.nan)
        for receiver, level in window.levels.items():
            levels[0, plan.receivers[receiver]] = level
        return plan.zones[int(bayes(levels).argmax())]

    return {"strongest": lambda window: loudest(window.levels), "ema_strongest": smoothed,
            "ema_hysteresis": hysteresis, "naive_bayes": gaussian}  # fmt: skip


def _figures(judged: Judged, method: str, window_s: float) -> dict[str, Any]:
    """The figures of one method."""
    truth, said = np.array(judged.truth), np.array(judged.said[method])
    f1 = []
    for zone in sorted(set(judged.truth)):
        hits = int(((truth == zone) & (said == zone)).sum())
        f1.append(2 * hits / max(1, int((truth == zone).sum() + (said == zone).sum())))
    lag = LAG * window_s if method == "model_lag" else 0.0
    switches = true_switches = 0
    delays, missed = [], 0
    streams: dict[tuple[str, str], list[int]] = {}
    for row, stream in enumerate(judged.stream):
        streams.setdefault(stream, []).append(row)
    for rows in streams.values():
        switches += sum(said[a] not in (said[b], "") for a, b in itertools.pairwise(rows))
        turns = [n for n in range(1, len(rows)) if truth[rows[n]] != truth[rows[n - 1]]]
        true_switches += len(turns)
        for turn, end in zip(turns, [*turns[1:], len(rows)], strict=True):
            hit = next((n for n in range(turn, end) if said[rows[n]] == truth[rows[turn]]), None)
            if hit is None:
                missed += 1
            else:
                delays.append(judged.at[rows[hit]] - judged.at[rows[turn]] + lag)
    return {
        "accuracy": round(float((truth == said).mean()), 6),
        "macro_f1": round(float(np.mean(f1)), 6),
        "switches": switches,
        "true_switches": true_switches,
        "median_delay_s": round(float(np.median(delays)), 3) if delays else None,
        "missed_switches": missed,
        "n": len(truth),
    }


def _compare(judged: Judged, baseline: str) -> dict[str, Any]:
    """Errors of the told model against those of a baseline, minutes resampled."""
    truth = np.array(judged.truth)
    ours = (np.array(judged.said["model_lag"]) != truth).astype(float)
    theirs = (np.array(judged.said[baseline]) != truth).astype(float)
    blocks = [(stream, int(at // BLOCK_S)) for stream, at in zip(judged.stream, judged.at, strict=True)]
    found = bootstrap.ratio(ours, theirs, blocks)
    return {"baseline": baseline, "method": "model_lag", "ratio": found.ratio, "lo": found.lo, "hi": found.hi,
            "blocks": found.days, "beats": found.beats, "loses": found.loses}  # fmt: skip


def _graph(path: Path) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """(pairs of zones, receiver -> zone where the file says so). Raises FlowmonError."""
    if path.suffix == ".toml":
        venue = load(path)
        homes = {receiver.device or name: receiver.zone for name, receiver in venue.receivers.items()}
        return [portal.between for portal in venue.portals.values()], homes
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FlowmonError(
            f"--graph {path}: cannot be read ({error}): give a venue file or lines `zone,zone`"
        ) from error
    pairs = [[part.strip() for part in line.split(",")] for line in lines if line.strip() and line[0] != "#"]
    if bad := next((pair for pair in pairs if len(pair) != 2 or not all(pair)), None):
        raise FlowmonError(
            f"--graph {path}: {','.join(bad)[:60]!r} is no pair: write two zones a line, like foyer,hall"
        )
    return [(one, other) for one, other in pairs], {}


def _adjacent(zones: list[str], edges: list[tuple[str, str]] | None) -> Any:
    """(zones, zones) of ones and zeros. Raises FlowmonError for a graph of other zones."""
    if edges is None:
        return np.ones((len(zones), len(zones)))
    place = {zone: n for n, zone in enumerate(zones)}
    result = np.zeros((len(zones), len(zones)))
    for one, other in edges:
        if one in place and other in place and OUTSIDE not in (one, other):
            result[place[one], place[other]] = result[place[other], place[one]] = 1.0
    if not result.any():
        raise FlowmonError(f"--graph joins none of the zones {', '.join(zones[:20])}: are they named alike?")
    return result


def _markdown(
    args: argparse.Namespace, data: dict[str, Any], methods: dict[str, dict[str, Any]], report: dict[str, Any]
) -> str:
    """The report for people."""
    header = ["method", "accuracy", "macro F1", "switches", "true", "median delay", "missed"]
    rows = [
        [name, percent(row["accuracy"]), figure(row["macro_f1"], 3), str(row["switches"]), str(row["true_switches"]),
         "—" if row["median_delay_s"] is None else f"{row['median_delay_s']:.1f} s", str(row["missed_switches"])]
        for name, row in methods.items()
    ]  # fmt: skip
    claims = []
    for row in report["comparisons"]:
        if row["ratio"] is not None:
            verdict = "beats" if row["beats"] else "loses to" if row["loses"] else "cannot be told from"
            interval = "too few minutes" if row["lo"] is None else f"{row['lo']:.3f} to {row['hi']:.3f}"
            claims.append(f"- model_lag {verdict} {row['baseline']}: error ratio {row['ratio']:.3f} ({interval})")
    intro = (
        f"{data['windows']:,} windows of {args.window:g} s in {len(data['zones'])} zones. Calibrated on "
        f"{data['calibrated_on']}. `model_lag` is told {report['lag_s']:g} s later.\n"
    )
    title = f"# Beacons scored: {data['file']}\n"
    return "\n".join([title, intro, grid(header, rows), "\n".join(claims) + "\n", "## Rows\n\n" + rows_section(data)])

"""`flowmon score simulated`: the real core on simulated days with the truth in them, beside its baselines.

A seed is one museum: its devices err the same way on all its days. Learning days come first (their errors are not
compared), then the scored days, on one monitor. Every minute of opening time, each zone: what a screen shows against
what was true. Layouts, scenarios and `--mismatched` are described in `simulator/layouts/README.md`, the scenario files
and `simulator.scenario.mismatched`.

Seeds: a gate in CI uses 1, 2, 3 …; figures that are published use 101, 102 … (`--first-seed 101`); whoever tunes an
estimator uses 1001 and up, so that no published figure comes from a museum that was tuned on.

Keys of a method (fractions are of 1; median over the seeds, and the worst seed beside it as `<key>_worst`):
    zone_mae zone_wape zone_bias zone_p95          people; Σ|e| ÷ Σ truth; mean e = shown - true; 95th percentile of |e|
    zone_cov90 zone_width zone_width_rel           truths inside the 90 % band; its mean width, also ÷ mean truth
    zone_known                                     share of minutes with a number; the others count for no method
    venue_mae venue_bias venue_mae_pct_peak        the whole venue; ÷ the day's highest number (a fraction)
    venue_cov90 venue_width
    last_hour_mae affected_wape affected_mae affected_cov90    before closing; zones of a faulty device while it lasts
    raw_ratio clipped_ratio beacons_ratio          MAE of the model ÷ that of the baseline; venue_raw_ratio … likewise
    capacity_wrong_min                             minutes a room and day on the wrong side of 80 % of its capacity
    wait_mae_s wait_bias_s wait_within_2min wait_n p50 shown when a party joined, against its wait; who waited only
    wait_all_mae_s wait_unknown wait_mean_s wait_p50_over also who did not wait; share without a number; mean true wait;
                                                   share of waits up to p50
    wait_les_mae_s wait_ql_mae_s wait_les_ratio wait_ql_ratio
    sign_kept sign_over_s                          "at most X min" (p90, rounded up) was kept; mean overstatement
    alerts                                         episodes raised on scored days
    beacon_accuracy beacon_settled_accuracy beacon_switch_ratio beacon_switch_delay_s      with --radio full only
Several scenarios: `methods` holds the first, `report.scenarios` all.
"""

import argparse
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

import numpy as np
from msgspec import Struct

from flowmon.errors import FlowmonError
from flowmon.scoring import report
from flowmon.scoring.bootstrap import ratio
from flowmon.venue.model import Venue
from simulator import scenario as scenarios
from simulator import venues
from simulator.measuring import Blocks, Figures, figures, summary
from simulator.reporting import markdown
from simulator.scenario import Scenario
from simulator.watching import Watch, configured

PROCESSES = 2
PUBLISHED_FROM = 101


class Job(Struct, frozen=True):
    """One seed of one scenario."""

    layout: str
    scenario: Scenario
    seed: int
    learning: int
    scored: int
    full_radio: bool
    tick_s: int


class Outcome(Struct):
    """What a job gave. cost: days, facts, seconds of the simulator and of the core."""

    seed: int
    methods: dict[str, Figures]
    blocks: dict[str, list[tuple[float, float]]]
    alerts: dict[str, int]
    said: dict[str, int]
    cost: tuple[int, int, float, float]
    mean_people: float


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `flowmon score simulated`."""
    parser.add_argument("--layout", default="M", metavar="S|M|L|museum|FILE", help="a layout, or a venue file (M)")
    parser.add_argument(
        "--scenario",
        nargs="+",
        default=["normal"],
        metavar="NAME",
        help="one or more: " + ", ".join(scenarios.built_in()) + ", all, or .toml files (normal)",
    )
    parser.add_argument("--seeds", type=_positive, default=5, help="museums that differ in devices and people (5)")
    parser.add_argument("--first-seed", type=_positive, default=1, help="published figures begin at 101 (1)")
    parser.add_argument("--days", type=_positive, default=2, help="scored days of each seed (2)")
    parser.add_argument("--learning-days", type=_count, default=4, help="days before them, to learn from (4)")
    parser.add_argument("--mismatched", action="store_true", help="a physics that no estimator assumes")
    parser.add_argument("--miss", type=_share, default=0.06, help="mean share of crossings not seen, 0..1 (0.06)")
    parser.add_argument("--beacons", type=_share, help="share of people with a beacon (as the scenario says, 0.15)")
    parser.add_argument(
        "--radio",
        choices=["truth", "full"],
        default="truth",
        help="where beacons are: placed by the truth with delay and errors, or heard by simulated receivers (slow)",
    )
    parser.add_argument("--tick", type=_positive, default=1, metavar="S", help="seconds between ticks (1, as live)")
    parser.add_argument("--processes", type=_positive, default=PROCESSES, help=f"at a time ({PROCESSES})")
    report.arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Simulate, watch, compare, write. Raises FlowmonError for what must be mended first."""
    begun = time.perf_counter()
    venue = venues.layout(args.layout)
    chosen = [_prepared(args, name, venue) for name in _names(args.scenario)]
    jobs = [_job(args, scenario, args.first_seed + n) for scenario in chosen for n in range(args.seeds)]
    days = args.learning_days + args.days
    with report.progress("simulated days", len(jobs) * days) as advance:
        outcomes = _all(jobs, min(args.processes, len(jobs)), lambda: advance(days))
    judged = {scenario.name: _judged(scenario, outcomes[scenario.name]) for scenario in chosen}
    first = judged[chosen[0].name]
    data = {
        "simulated": True,
        "layout": args.layout,
        "venue": venue.id,
        "zones": len(venue.zones),
        "scenarios": list(judged),
        "seeds": [args.first_seed, args.first_seed + args.seeds - 1],
        "days": args.days,
        "learning_days": args.learning_days,
        "mismatched": args.mismatched,
        "miss": args.miss,
        "beacons": first["beacons"],
        "radio": args.radio,
        "tick_s": args.tick,
        "engine": "core",
    }
    more = {
        "comparisons": first["comparisons"],
        "scenarios": judged,
        "seconds": round(time.perf_counter() - begun, 1),
    }
    return report.conclude(args, data, first["methods"], more, markdown(data, judged))


def _names(asked: list[str]) -> list[str]:
    """`all` means every scenario that comes with flowmon; one asked for twice is scored once."""
    return list(dict.fromkeys(name for word in asked for name in (scenarios.built_in() if word == "all" else [word])))


def _prepared(args: argparse.Namespace, name: str, venue: Venue) -> Scenario:
    scenario = configured(scenarios.load(name), miss=args.miss, beacons=args.beacons)
    if args.radio == "full" and not venue.receivers:
        raise FlowmonError(f"{venue.id} has no receivers: leave out --radio full")
    return scenarios.mismatched(scenario) if args.mismatched else scenario


def _job(args: argparse.Namespace, scenario: Scenario, seed: int) -> Job:
    return Job(args.layout, scenario, seed, args.learning_days, args.days, args.radio == "full", args.tick)


def _all(jobs: list[Job], processes: int, done: Callable[[], None]) -> dict[str, list[Outcome]]:
    """Outcomes by scenario, in the order of the seeds."""
    found: dict[tuple[str, int], Outcome] = {}
    for job, outcome in _each(jobs, processes):
        found[job.scenario.name, job.seed] = outcome
        done()
    names = dict.fromkeys(job.scenario.name for job in jobs)
    return {name: [found[key] for key in sorted(found) if key[0] == name] for name in names}


def _each(jobs: list[Job], processes: int) -> Iterator[tuple[Job, Outcome]]:
    if processes == 1:
        yield from ((job, watch(job)) for job in jobs)
        return
    context = multiprocessing.get_context("spawn")  # the progress bar has a thread, which does not survive a fork
    with ProcessPoolExecutor(processes, mp_context=context, initializer=os.nice, initargs=(5,)) as pool:
        waiting = {pool.submit(watch, job): job for job in jobs}
        for future in as_completed(waiting):
            yield waiting[future], future.result()


def watch(job: Job) -> Outcome:
    """Run one job."""
    venue = venues.layout(job.layout)
    seen = Watch(venue, job.scenario, job.seed).run(
        learning=job.learning, scored=job.scored, sightings=job.full_radio, tick_s=job.tick_s
    )
    methods, blocks = figures(seen, job.scenario.beacon_share)
    return Outcome(
        seed=job.seed,
        methods=methods,
        blocks=blocks.pairs,
        alerts=seen.alerts,
        said=seen.methods,
        cost=(job.learning + job.scored, seen.facts, seen.simulator_s, seen.core_s),
        mean_people=float(np.mean(seen.zones["truth"])),
    )


def _judged(scenario: Scenario, outcomes: list[Outcome]) -> dict[str, Any]:
    """Medians, worst seeds, and ratios to the baselines with their intervals."""
    median, worst = summary([outcome.methods for outcome in outcomes])
    methods = {
        method: values | {f"{key}_worst": value for key, value in worst[method].items()}
        for method, values in median.items()
    }
    days, facts, simulated_s, core_s = (sum(column) for column in zip(*(o.cost for o in outcomes), strict=True))
    return {
        "title": scenario.title,
        "beacons": scenario.beacon_share,
        "methods": methods,
        "comparisons": _compared([Blocks(outcome.blocks) for outcome in outcomes]),
        "said": _tally([outcome.said for outcome in outcomes]),
        "alerts": _tally([outcome.alerts for outcome in outcomes]),
        "mean_people": round(float(np.mean([outcome.mean_people for outcome in outcomes])), 2),
        "cost": {
            "days": days,
            "facts": facts,
            "simulator_s_per_day": round(simulated_s / days, 2),
            "core_s_per_day": round(core_s / days, 2),
            "facts_per_s": round(facts / max(1e-9, core_s)),
        },
    }


def _compared(seeds: list[Blocks]) -> list[dict[str, Any]]:
    """A row per baseline: ratio of the MAE with an interval from resampled days of all seeds."""
    rows = []
    for name in dict.fromkeys(key for seed in seeds for key in seed.pairs):
        pairs = [pair for seed in seeds for pair in seed.pairs.get(name, [])]
        model, baseline = np.array(pairs, dtype=float).reshape(-1, 2).T
        found = ratio(model, baseline, range(len(pairs)))
        measure, _, against = name.partition("_")
        rows.append(
            {
                "measure": measure,
                "baseline": against,
                "ratio": found.ratio,
                "lo": found.lo,
                "hi": found.hi,
                "days": found.days,
                "beats": found.beats,
                "loses": found.loses,
            }
        )
    return rows


def _tally(each: list[dict[str, int]]) -> dict[str, int]:
    names = sorted({name for one in each for name in one})
    return {name: sum(one.get(name, 0) for one in each) for name in names}


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("is 1 or more")
    return number


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("is 0 or more")
    return number


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share < 1:
        raise argparse.ArgumentTypeError("is a fraction, 0 to below 1")
    return share

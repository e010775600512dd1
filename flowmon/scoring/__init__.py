"""`flowmon score WHAT …`: how good the numbers are, on data with the truth in it, beside their baselines.

Every score is one shot and prequential: an estimate is written down before its truth is shown, a label is learned when
it would have been known, and nothing is tuned to the file.

What a score writes with `--json FILE` (fractions are of 1; a figure that cannot be told is null):
    {
      "command": "forecast",
      "data":    {"file": "…", "rows": 0, "used": 0, "dropped": {"reason": 0}, …},   what was scored
      "methods": {"model": {"wape_30min": 0.14, "mae_30min": 3.1, …}, "clim_dev": {…}, …},
      "report":  {…}                                   comparisons with intervals, notes, seconds it took
    }
Keys of methods are snake case with the horizon or unit last, the same ones for every method as far as they apply:
    wape_30min mae_30min bias_30min   Σ|e|/Σy, mean |e|, mean e = ŷ - y
    cov90_30min width_30min           share of truths inside the 90 % band (0..1), its mean width
    worst500_30min winkler_30min      lowest coverage of any 500 in a row; width + 20 × what is outside
    n_30min                           scored forecasts
    skill_30min                       1 - MAE ÷ MAE of clim_dev; of the model also with _lo and _hi
    events_found events_known runs_unlisted        at the first declared threshold; all of them in `points`
    crossings counted shadowed                     people over the line, as counted, share close to another
    occupancy_wape occupancy_cov90                 of the room behind the line, every second
    zone_mae zone_wape zone_cov90 venue_mae_pct_peak …     what screens showed; listed in `scoring.recording`
    recall precision false_per_day lead_min        of crowding foreseen, at the false warnings allowed
and in `report.comparisons` a row per baseline and horizon: ratio of the MAE with a 95 % interval from 1,000 resamples
of whole days, and `beats`, true only when that interval excludes 1.

A new score is a module with `arguments(parser)` and `run(args) -> exit code`, and a line in WHAT. What they share:
`table` (any CSV to rows, with a report of what was dropped), `measures` (coverage, WAPE …), `bootstrap` (intervals of
ratios), `report` (options --json and --markdown, progress bar, the layout above).
"""

import argparse
import importlib

#: name -> (module, one line of help). Modules of other folders are named, never imported here.
WHAT = {
    "beacons": ("flowmon.scoring.beacons", "in which zone a beacon is, from labelled sightings in a CSV file"),
    "events": ("flowmon.scoring.events", "unusual events in two-way counts, beside a list of known ones"),
    "forecast": ("flowmon.scoring.forecast", "the next hour of any counted series, from a CSV file"),
    "recording": ("flowmon.scoring.recording", "a museum's own recorded day, beside what people counted by hand"),
    "simulated": ("simulator.score", "the whole core on simulated days, beside what was true"),
    "waits": ("flowmon.scoring.waits", "the wait told to everyone who joins a line, from a CSV file"),
    "onset": ("flowmon.scoring.onset", "crowding foreseen in any counted series, from a CSV file"),
    "trajectories": ("flowmon.scoring.trajectories", "people's tracks walked through simulated counters"),
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """WHAT and its own arguments, which only its module knows."""
    names = "\n".join(f"  {name:<14}{line}" for name, (_, line) in WHAT.items())
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = (
        f"{parser.description or 'score the numbers'}\n\n{names}\n\n`flowmon score WHAT --help` says more."
    )
    parser.add_argument("what", choices=WHAT, metavar="WHAT", help="what to score: " + ", ".join(WHAT))
    parser.add_argument("rest", nargs=argparse.REMAINDER, metavar="…", help="arguments of that score")


def run(args: argparse.Namespace) -> int:
    """Run one score; its module is imported now."""
    name, line = WHAT[args.what]
    module = importlib.import_module(name)
    parser = argparse.ArgumentParser(prog=f"flowmon score {args.what}", description=line)
    module.arguments(parser)
    parser.set_defaults(command=args.what)
    return int(module.run(parser.parse_args(args.rest)))

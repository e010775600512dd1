"""`python -m tests.scenarios.accuracy [--quick] [--seeds 5]`: the whole protocol, and the published table.

Every run is a `flowmon score` command; its JSON is kept in build/accuracy/, and the table in README.md and
ARCHITECTURE.md is written anew after each. Real data sets are looked for in --datasets (../shared/data/datasets beside
the checkout); what is missing or did not finish is "not run" in the table. Ctrl-C keeps what is done.

`--only NAME …` makes some runs again and keeps the others of the same protocol; without a name it only publishes.

`--rebaseline` writes tests/scenarios/baseline.json, which `make test` compares with (see `gate`). That is a commit of
its own, and its message says why the numbers may be what they now are.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.scenarios import gate, hall, published
from tests.scenarios.rows import RUNS, Run, Score

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "build" / "accuracy"
PROTOCOL = OUT / "protocol.txt"
#: page -> whether it shows only what falls short
PAGES = {ROOT / "README.md": False, ROOT / "ARCHITECTURE.md": True}
QUICK_SEEDS = 2


def main() -> int:
    """Run and publish, or re-baseline. 1 when a run failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.scenarios.accuracy", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seeds", type=int, help=f"of every simulated run, from 101 (5; {QUICK_SEEDS} with --quick)")
    parser.add_argument("--quick", action="store_true", help="for a laptop: 1 scored day, a tick each 10 s")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop then; the rest is not run")
    parser.add_argument("--datasets", type=Path, default=ROOT.parent / "shared" / "data" / "datasets")
    parser.add_argument("--only", nargs="*", choices=[run.name for run in RUNS], metavar="NAME", help="see above")
    parser.add_argument("--rebaseline", action="store_true", help="write baseline.json of the gate and nothing else")
    args = parser.parse_args()
    if args.rebaseline:
        gate.write(gate.measure())
        print(gate.BASELINE.read_text(), end="")
        return 0
    args.seeds = args.seeds or (QUICK_SEEDS if args.quick else 5)
    with tempfile.TemporaryDirectory(prefix="flowmon-accuracy-") as made, contextlib.suppress(KeyboardInterrupt):
        return _measure(args, Path(made))
    return 1


def _measure(args: argparse.Namespace, made: Path) -> int:
    """Make the runs, and publish after each. Returns 1 when one failed."""
    OUT.mkdir(parents=True, exist_ok=True)
    protocol = _protocol(args)
    if args.only is None or not PROTOCOL.is_file() or PROTOCOL.read_text() != protocol:
        for old in OUT.glob("*.json"):
            old.unlink()  # a table is of one protocol
    PROTOCOL.write_text(protocol)
    until, failed = time.monotonic() + 60 * args.minutes, 0
    for run in RUNS:
        if args.only is not None and run.name not in args.only:
            continue
        begun = time.monotonic()
        says = _score(run, args, made, until - begun)
        print(f"{run.name}: {says}, {time.monotonic() - begun:.0f} s", flush=True)
        failed += says == "failed"
        _publish(protocol)
    _publish(protocol)
    return 1 if failed else 0


def _publish(protocol: str) -> None:
    """The table of what is in build/accuracy, with the day of its oldest run."""
    files = {run.name: OUT / f"{run.name}.json" for run in RUNS}
    there = {name: path for name, path in files.items() if path.is_file()}
    scores: dict[str, Score] = {name: json.loads(path.read_bytes()) for name, path in there.items()}
    days = [datetime.fromtimestamp(path.stat().st_mtime, UTC).date().isoformat() for path in there.values()]
    preface = f"Measured {min(days, default='never')} by {protocol}"
    for page, short in PAGES.items():
        published.rewrite(page, published.table(scores, preface, short=short))


def _score(run: Run, args: argparse.Namespace, made: Path, left_s: float) -> str:
    """`done`, `failed` (its own words are on standard error), `not finished`, or `not run`."""
    file = OUT / f"{run.name}.json"
    file.unlink(missing_ok=True)
    if (args.quick and run.quick is None) or (run.needs and not (args.datasets / run.needs).is_file()):
        return "not run"
    if left_s <= 0:
        return "not finished"
    if run.name == "hall":
        hall.write(args.datasets / run.needs, made / "hall.csv")
    words = [word.format(data=args.datasets, made=made) for word in (*run.args, *((args.quick and run.quick) or ()))]
    seeds = ["--seeds", str(args.seeds)] if run.simulated else []
    out = ["--json", str(file), "--markdown", str(file.with_suffix(".md"))]
    # A session of its own, so that its workers end with it.
    command = [sys.executable, "-m", "flowmon", "score", *words, *seeds, *out]
    child = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    try:
        return "failed" if child.wait(None if left_s == float("inf") else left_s) else "done"
    except subprocess.TimeoutExpired:
        return "not finished"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGTERM)
        child.wait()


def _protocol(args: argparse.Namespace) -> str:
    """What was asked for, as it stands above the table."""
    seeds = f"seeds 101 to {100 + args.seeds}"
    if not args.quick:
        return f"`make accuracy`, {seeds}. Worst: of seeds, scenarios or data sets."
    return (
        f"`make accuracy QUICK=1`, the quick protocol: {seeds}, 2 days to learn from\n(1 for L, radio and every "
        "scenario) and 1 scored, a tick each 10 s, every scenario on layout S.\n"
        "Worst: of seeds, scenarios or data sets."
    )


if __name__ == "__main__":
    raise SystemExit(main())

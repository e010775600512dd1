"""`python -m tests.fuzz [--seconds N] [--runs N] [--dialect D]… [--jobs N] [--json FILE]`: fuzz, one after the other.

What it learnt stays in build/fuzz/corpus, so that the next run goes on from there; inputs of findings are in
build/fuzz/inputs. Exit codes: 0 nothing found, 1 findings (or a dialect that could not be run), 2 usage.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sensors.dialects import DIALECTS

OUT = Path("build/fuzz")
_KILL_AFTER_S = 120


def main() -> int:
    """Fuzz the dialects that are named, all without a name; print a line each."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--seconds", type=float, default=60, metavar="N", help="for all dialects together (default: 60)"
    )
    parser.add_argument("--runs", type=int, default=0, metavar="N", help="stop a dialect after N inputs (0: by time)")
    parser.add_argument("--dialect", action="append", default=[], metavar="D", help="only this one; may be repeated")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="dialects at the same time (default: 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report as JSON, too")
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR", help=f"corpus and inputs (default: {OUT})")
    args = parser.parse_args()
    if unknown := [name for name in args.dialect if name not in DIALECTS]:
        parser.error(f"no dialect {', '.join(unknown)}; there are {', '.join(DIALECTS)}")
    names = args.dialect or _different()
    args.out.mkdir(parents=True, exist_ok=True)
    share = args.seconds * args.jobs / len(names)
    found = []
    for tally in _run(names, args.out, args.runs, share, args.jobs):
        found.append(tally)
        print(_line(tally), flush=True)
        for finding in tally["findings"]:
            print(f"    {finding['what']} at {finding['where']}, {finding['times']} times: {finding['input']}")
        if args.json:
            args.json.write_text(json.dumps(found, indent=1) + "\n")
    return 1 if any(tally["findings"] for tally in found) else 0


def _different() -> list[str]:
    """Every dialect once: two names of one module are one."""
    return list({id(module): name for name, module in reversed(DIALECTS.items())}.values())[::-1]


def _run(names: list[str], out: Path, runs: int, seconds: float, jobs: int) -> Iterator[dict[str, Any]]:
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(lambda name: _one(name, out, runs, seconds), names)


def _one(name: str, out: Path, runs: int, seconds: float) -> dict[str, Any]:
    report = out / f"{name}.json"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "tests.fuzz.target", name, str(out), str(runs), str(seconds)]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + _KILL_AFTER_S)
        said, code = ended.stderr.strip().splitlines(), ended.returncode
    except subprocess.TimeoutExpired:
        said, code = ["it did not end in time and was killed"], -1
    tally: dict[str, Any] = json.loads(report.read_text()) if report.exists() else _nothing(name)
    if code:
        why = next((line for line in said if "ERROR" in line), said[-1] if said else "no word")
        tally["findings"].append({"what": f"ended with {code}: {why}", "where": "", "times": 1, "input": str(out)})
    return tally


def _nothing(name: str) -> dict[str, Any]:
    counts = dict.fromkeys(("inputs", "read", "refused", "seconds", "slowest_s", "memory_mib"), 0)
    return {"dialect": name, **counts, "slowest_input": "", "findings": []}


def _line(tally: dict[str, Any]) -> str:
    per_second = tally["inputs"] / tally["seconds"] if tally["seconds"] else 0
    return (
        f"{tally['dialect']:<20} {tally['inputs']:>9} inputs in {tally['seconds']:>6.1f} s ({per_second:>6.0f}/s), "
        f"{tally['read']} read, {len(tally['findings'])} findings, slowest {tally['slowest_s'] * 1e3:.1f} ms, "
        f"{tally['memory_mib']:.0f} MiB"
    )


if __name__ == "__main__":
    sys.exit(main())

"""`python -m tests.bench [NAME…] [--json]`: measure, show, and write build/bench/bench.json and bench.md.

Exit codes: 0 measured (met or not), 1 a measure could not be made (the others are still written), 2 usage.
"""

import argparse
import asyncio
import contextlib
import importlib
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.services import ServiceError
from flowmon.errors import FlowmonError
from tests.bench import report
from tests.bench.bench import Bench
from tests.bench.child import ChildFailed
from tests.bench.figures import Row

NAMES = ("decode", "core", "worker", "quix", "gateway", "latency", "replay", "restart", "clients")
ROOT = Path(__file__).resolve().parents[2]
OUT = Path("build/bench")
MEASURE_S = 240.0


def main() -> int:
    """Run the measures that are named, all without a name, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)} (default: all)")
    parser.add_argument("--json", action="store_true", help="print the report as JSON instead of Markdown")
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="pairs of each ratio (default: 3)")
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR", help=f"where the report goes (default: {OUT})")
    args = parser.parse_args()
    unknown = [name for name in args.names if name not in NAMES]
    if unknown or args.repeats < 1:
        parser.error(
            f"no measure {', '.join(unknown)}; there are {', '.join(NAMES)}" if unknown else "--repeats: at least 1"
        )
    out, before = args.out.resolve(), report.load()
    out.mkdir(parents=True, exist_ok=True)
    found = report.Report({}, report.versions(), [])
    with tempfile.TemporaryDirectory(prefix="flowmon-bench-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL does not run as root and must reach its part
        # Workers leave a folder where they are started: all of it goes with ours.
        os.environ["PYTHONPATH"] = str(ROOT)
        with contextlib.chdir(folder):
            asyncio.run(_run(args.names or list(NAMES), Path(folder), args.repeats, found))
    found.machine = report.machine() | {"load_before": before}
    encoded = msgspec.json.format(msgspec.json.encode(found), indent=2)
    (out / "bench.json").write_bytes(encoded + b"\n")
    (out / "bench.md").write_text(report.markdown(found))
    print(encoded.decode() if args.json else report.markdown(found))
    return 1 if found.failed else 0


async def _run(names: list[str], folder: Path, repeats: int, found: report.Report) -> None:
    """Add what each measure comes to, or why it could not be made, to the report."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:60}"), BarColumn(20), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=len(names))
        bench = Bench(folder, lambda text: progress.update(task, description=text), repeats=repeats)
        for name in names:
            began = time.monotonic()
            measure: Callable[[Bench], Awaitable[list[Row]]] = importlib.import_module(f"tests.bench.{name}").measure
            try:
                found.rows += await asyncio.wait_for(measure(bench), MEASURE_S)
            except (ChildFailed, FlowmonError, ServiceError, OSError, TimeoutError) as error:
                found.failed[name] = str(error) or f"not done in {time.monotonic() - began:.0f} s"
                console.print(f"bench: {name}: {found.failed[name]}", markup=False)
            found.took_s[name] = round(time.monotonic() - began, 1)
            progress.advance(task)


if __name__ == "__main__":
    sys.exit(main())

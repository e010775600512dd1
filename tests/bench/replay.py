"""A nine-hour day of the museum through `flowmon replay --to null`: how long, and whether memory grows with the day."""

import contextlib
import io
import json
import re
import sys
import time
from pathlib import Path
from typing import Any

from flowmon.__main__ import main
from flowmon.journal.files import read_recording
from tests.bench import child, load
from tests.bench.bench import Bench
from tests.bench.figures import Row, judged, spread

WITHIN_S = 10.0
FLAT = 1.1  # the whole day may take a tenth more memory than its first quarter


async def measure(bench: Bench) -> list[Row]:
    """Seconds, and peak memory of the whole day ÷ that of its first quarter."""
    day = await bench.day()
    header, _ = read_recording(day)
    quarter = f"{(header.more['end'] - header.more['start']) / 4:.0f}s"
    took, used, whole, part = [], [], [], []
    said: dict[str, Any] = {}
    for turn in range(bench.repeats):
        bench.tell(f"replaying a day, {turn + 1} of {bench.repeats}")
        once, peak, said = await _replay(day)
        took.append(once)
        used.append(said["processor"])
        whole.append(peak)
        bench.tell("replaying a quarter of the day")
        part.append((await _replay(day, "--duration", quarter))[1])
    seconds, growth = spread(took), spread([w / p for w, p in zip(whole, part, strict=True)])
    return [
        judged(
            Row(
                measure="replay",
                what="replay of a 9-hour day of the 12-zone museum, the program's start included",
                value=seconds.median,
                unit="s",
                bound="at most",
                target=WITHIN_S,
                figures={"s": seconds, "s of processor time": spread(used)},
                note=f"{said['facts']} facts in {said['records']} records, {said['findings']} findings",
            )
        ),
        judged(
            Row(
                measure="replay",
                what="peak memory of the whole day ÷ of its first quarter",
                value=growth.median,
                bound="at most",
                target=FLAT,
                figures={"whole day MiB": spread(whole), "first quarter MiB": spread(part)},
            )
        ),
    ]


async def _replay(day: Path, *more: str) -> tuple[float, float, dict[str, Any]]:
    """Seconds with the program's start, peak memory in MiB, and the summary of one replay in a process of its own."""
    began = time.monotonic()
    said = await child.run("tests.bench.replay", str(day), "--venue", str(load.MUSEUM), "--to", "null", "--json", *more)
    return time.monotonic() - began, said["peak"], said


def replay(*arguments: str) -> dict[str, Any]:
    """`flowmon replay ARGUMENTS…` in this process: its summary, and this process' peak memory and processor time."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = main(["replay", *arguments])
    assert code == 0, f"flowmon replay ended with {code}"
    # Not ru_maxrss, which remembers the process that started this one.
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert peak, "Linux tells the peak of a process"
    said: dict[str, Any] = json.loads(out.getvalue().splitlines()[-1])
    return said | {"peak": int(peak[1]) / 1024, "processor": time.process_time()}


if __name__ == "__main__":
    child.say(**replay(*sys.argv[1:]))

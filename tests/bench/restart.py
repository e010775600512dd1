"""The one-process engine after a day of facts: from its making to the first right finding on its feed.

The journal holds the day; the checkpoint is one interval of checkpoints old, as a kill leaves it at worst. Right: every
zone says what a straight fold of the day says. Without the checkpoint the whole journal is read again.
"""

import asyncio
import json
import shutil
import sys
import time
from pathlib import Path

from flowmon.clock import Clock
from flowmon.facts import Tick
from flowmon.findings import ZoneState
from flowmon.journal.files import FileJournal, read_recording
from flowmon.monitor.core import Monitor
from flowmon.settings import Settings
from streams import snapshots
from streams.local import CHECKPOINT_S, LocalEngine
from streams.snapshots import Checkpoint
from tests.bench import child, load
from tests.bench.bench import Bench
from tests.bench.figures import Row, judged, spread

WITHIN_S = 5.0
AT_ONCE = 2_000
RIGHT_S = 100.0


async def measure(bench: Bench) -> list[Row]:
    """With its checkpoint (the target) and without."""
    day = await bench.day()
    bench.tell("a day into the engine's journal")
    kept = bench.folder / "engine"
    expected = await prepare(day, kept)
    took: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(bench.repeats):
        for checkpoint in (True, False) if turn == 0 else (True,):  # without takes long and varies little
            bench.tell(f"restart {'with' if checkpoint else 'without'} a checkpoint, {turn + 1} of {bench.repeats}")
            folder = bench.folder / "restarted"
            shutil.copytree(kept, folder)
            if not checkpoint:
                shutil.rmtree(folder / "checkpoints")
            took[checkpoint].append(float((await child.run("tests.bench.restart", str(folder), expected))["seconds"]))
            shutil.rmtree(folder)
    what = "one-process engine: restart after a day of facts → first right finding"
    note = "without the start of Python and the reading of the program"
    return [
        judged(
            Row(
                measure="restart",
                what=f"{what}{'' if checkpoint else ', its checkpoint lost'}",
                value=spread(values).median,
                unit="s",
                bound="at most" if checkpoint else "",
                target=WITHIN_S if checkpoint else None,
                figures={"s": spread(values)},
                note=note if checkpoint else "",
            )
        )
        for checkpoint, values in took.items()
    ]


async def prepare(day: Path, folder: Path) -> str:
    """Journal and checkpoint of the day; returns JSON: when it ended, and what each zone should say."""
    venue = load.museum()
    records = [record for _, record in read_recording(day)[1]]
    ends = max(fact.at for fact in records[-1])
    journal = FileJournal(folder / "journal", [venue], simulated=True)
    monitor, saved = Monitor(venue), False
    for start in range(0, len(records), AT_ONCE):
        await asyncio.gather(*(journal.append(venue.id, record) for record in records[start : start + AT_ONCE]))
    await journal.close()
    for offset, record in enumerate(records):
        monitor.apply_record(record)
        if not saved and isinstance(record[0], Tick) and record[0].at >= ends - CHECKPOINT_S:
            snapshots.save(folder / "checkpoints" / f"{venue.id}.bin", Checkpoint(offset, monitor.snapshot()))
            saved = True
    zones = {f.zone: f.raw for f in monitor.current() if isinstance(f, ZoneState)}
    return json.dumps({"ends": ends, "raw": zones})


async def restart(folder: Path, ends: float, raw: dict[str, int]) -> float:
    """Seconds until every zone is right. Raises ChildFailed when that does not happen."""
    venue = load.museum()
    began = time.perf_counter()
    engine = LocalEngine([venue], Settings(data=folder, simulated=True), Clock(ends), folder)
    async with engine.running():
        while not engine.feed.ready or _shown(engine, venue.id) != raw:
            if time.perf_counter() - began > RIGHT_S:
                raise child.ChildFailed(f"shown {_shown(engine, venue.id)}, right {raw}")
            await asyncio.sleep(0.01)
        return time.perf_counter() - began


def _shown(engine: LocalEngine, venue: str) -> dict[str, int]:
    return {zone: fields["raw"] for zone, fields in engine.feed.hubs[venue].snapshot("zones").items()}


if __name__ == "__main__":
    right = json.loads(sys.argv[2])
    child.say(seconds=asyncio.run(restart(Path(sys.argv[1]), right["ends"], right["raw"])))

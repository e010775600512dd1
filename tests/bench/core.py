"""The core with decoding against bytewax doing only `json.loads` and a keyed count, on one core, on the same facts.

Both get the same facts in memory; rates are facts a second of processor time, which a busy machine disturbs less.
In batches: flowmon the journal's records of 50 facts (it decodes, applies and concludes); bytewax facts one by one in
batches of 1,000 (the target), and, told beside it, the records of 50 flattened, which is the fastest found for it.
One by one: records of one fact each, and batches of one.
"""

import gc
import json
import time
from collections.abc import Callable, Iterable

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSource, run_main

from flowmon import wire
from flowmon.journal.files import read_recording
from flowmon.monitor.core import Monitor
from tests.bench import load
from tests.bench.bench import Bench
from tests.bench.figures import Row, ratio
from tests.bench.sink import Nowhere

FACTS = 60_000
ONE_BY_ONE = 10_000
TURNS = 5
VENUE = load.museum()
NAMES = ("flowmon facts/s", "bytewax facts/s")


async def measure(bench: Bench) -> list[Row]:
    """Ratio in batches (the target), one by one, and the core on a simulated day."""
    batches = [wire.encode(record) for record in load.records(VENUE, FACTS, 50)]
    singles = [wire.encode(fact) for record in load.records(VENUE, FACTS, 50) for fact in record]
    alone = [wire.encode(record) for record in load.records(VENUE, ONE_BY_ONE, 1)]
    few = [wire.encode(fact) for record in load.records(VENUE, ONE_BY_ONE, 1) for fact in record]
    in_batches, flattened, one_by_one = [], [], []
    for turn in range(TURNS):
        bench.tell(f"core against bytewax, {turn + 1} of {TURNS}")
        ours = FACTS / timed(lambda: concluded(batches))
        in_batches.append((ours, FACTS / timed(lambda: _run(counting(singles, 1_000)))))
        flattened.append((ours, FACTS / timed(lambda: _run(counting_records(batches)))))
        ours = ONE_BY_ONE / timed(lambda: concluded(alone))
        one_by_one.append((ours, ONE_BY_ONE / timed(lambda: _run(counting(few, 1)))))
    note = "a Tick every 1,000 facts is applied and not counted as a fact; bytewax gets it too"
    return [
        ratio("core", "core with decoding ÷ bytewax", in_batches, names=NAMES, target=0.25, aim=0.5, note=note),
        ratio("core", "core with decoding ÷ bytewax given the records of 50, flattened", flattened, names=NAMES),
        ratio("core", "core, one fact a record ÷ bytewax, one by one", one_by_one, names=NAMES),
        await _of_a_day(bench),
    ]


async def _of_a_day(bench: Bench) -> Row:
    day = [wire.encode(record) for _, record in read_recording(await bench.day())[1]]
    facts = sum(len(wire.decode_record(data)) for data in day)
    bench.tell("core on a simulated day")
    took = timed(lambda: concluded(day))
    return Row(
        measure="core",
        what="core with decoding on a simulated day",
        value=facts / took,
        unit="facts/s",
        note=f"{facts} facts in {len(day)} records, a tick a second among them: ticks dominate a quiet museum",
    )


def timed(work: Callable[[], object]) -> float:
    """Seconds of processor time, of all threads."""
    gc.collect()
    began = time.process_time()
    work()
    return time.process_time() - began


def concluded(records: Iterable[bytes]) -> int:
    """Decode and apply all; the number of findings."""
    monitor = Monitor(VENUE)
    return sum(len(monitor.apply_record(wire.decode_record(data))) for data in records)


def _run(flow: Dataflow) -> None:
    run_main(flow)  # type: ignore[no-untyped-call]


def counting(facts: list[bytes], batch: int) -> Dataflow:
    """json.loads and a count by source of single facts."""
    flow = Dataflow("count")
    stream = op.input("facts", flow, TestingSource(facts, batch_size=batch))
    decoded = op.map("decode", stream, json.loads)
    return _counted(flow, op.key_on("key", decoded, lambda fact: str(fact["source"])))


def counting_records(records: list[bytes]) -> Dataflow:
    """json.loads of whole records and a count by source of their facts."""
    flow = Dataflow("count")
    stream = op.input("records", flow, TestingSource(records, batch_size=20))
    return _counted(flow, op.flat_map("decode", stream, lambda data: [(f["source"], f) for f in json.loads(data)]))


def _counted(flow: Dataflow, keyed: op.KeyedStream[dict[str, object]]) -> Dataflow:
    counts = op.stateful_map("count", keyed, lambda count, _: ((count or 0) + 1,) * 2)
    op.output("out", counts, Nowhere())
    return flow

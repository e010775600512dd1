"""The Faust worker against quix-streams doing only a keyed count with state, from the same Kafka, on the same facts.

quix gets the facts as it would be sent them, one a message keyed by source, and also in records of 50, where it counts
all sources of a record in one state; the better of the two is its figure. Its state is RocksDB without a changelog
topic (with one it is slower). The worker does all that `worker` says: the core, findings published, checkpoints.
"""

import json
import sys
import tempfile
import time
from collections import Counter
from typing import Any

from quixstreams import Application, State

from tests.bench import child
from tests.bench.bench import Bench
from tests.bench.figures import Row, ratio
from tests.bench.prefilled import fill, fill_facts, fill_records
from tests.bench.worker import Rate, faust_rate

FACTS = 150_000
PER_RECORD = 50
SINGLE, RECORDS = "quix-facts", "quix-records"
NAMES = ("worker facts/s", "quix facts/s")


async def measure(bench: Bench) -> list[Row]:
    """The ratio, and what quix did with facts one by one."""
    async with bench.servers(kafka=True) as services:
        address = services.kafka_address
        bench.tell("filling topics for quix-streams")
        filled = await fill(address, FACTS, PER_RECORD)
        counts = {
            SINGLE: await fill_facts(address, SINGLE, FACTS, PER_RECORD),
            RECORDS: await fill_records(address, RECORDS, FACTS, PER_RECORD),
        }
        pairs, of_processor, single, single_of_processor = [], [], [], []
        for turn in range(bench.repeats):
            bench.tell(f"worker against quix-streams, {turn + 1} of {bench.repeats}")
            ours = await faust_rate(address, filled, f"bench-{turn}")
            rates = {topic: await _quix_rate(address, topic, count) for topic, count in counts.items()}
            best = max(rates.values(), key=lambda rate: rate.wall)
            pairs.append((ours.wall, best.wall))
            of_processor.append((ours.processor, best.processor))
            single.append((ours.wall, rates[SINGLE].wall))
            single_of_processor.append((ours.processor, rates[SINGLE].processor))
    what = "Faust worker ÷ quix-streams keyed count with state"
    note = (
        f"quix at its best, in records of {PER_RECORD} or one by one; the worker publishes {filled.findings} findings"
    )
    return [
        ratio("quix", f"{what}, its best", pairs, names=NAMES, target=0.5, aim=1.0, note=note),
        ratio("quix", f"{what}, its best, by processor time", of_processor, names=NAMES),
        ratio("quix", f"{what}, one fact a message", single, names=NAMES, target=0.5, aim=1.0),
        ratio("quix", f"{what}, one fact a message, by processor time", single_of_processor, names=NAMES),
    ]


async def _quix_rate(address: str, topic: str, count: int) -> Rate:
    said = await child.run("tests.bench.quix", address, topic, str(count))
    return Rate(FACTS / float(said["wall"]), FACTS / float(said["processor"]))


def count(address: str, name: str, messages: int, state_dir: str) -> tuple[float, float]:
    """Seconds, and seconds of processor time, from the first message to the last."""
    app = Application(
        broker_address=address,
        consumer_group=f"quix-{time.monotonic_ns()}",
        auto_offset_reset="earliest",
        state_dir=state_dir,
        loglevel="ERROR",
        use_changelog_topics=False,
        auto_create_topics=False,
    )
    topic = app.topic(name, value_deserializer="bytes", key_deserializer="str")
    began: list[tuple[float, float]] = []
    kind = _fact if name == SINGLE else _record

    def counted(value: bytes, state: State[str, Any]) -> None:
        if not began:
            began.append((time.perf_counter(), time.process_time()))
        kind(value, state)

    frame = app.dataframe(topic)
    frame.update(counted, stateful=True)
    app.run(frame, count=messages, timeout=60.0, collect=False)
    wall, used = began[0]
    return time.perf_counter() - wall, time.process_time() - used


def _fact(value: bytes, state: State[str, Any]) -> None:
    json.loads(value)
    state.set("count", state.get("count", 0) + 1)


def _record(value: bytes, state: State[str, Any]) -> None:
    counts: dict[str, Any] = state.get("counts", {})
    for source, more in Counter(fact["source"] for fact in json.loads(value)).items():
        counts[source] = counts.get(source, 0) + more
    state.set("counts", counts)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="flowmon-quix-") as folder:
        wall, used = count(sys.argv[1], sys.argv[2], int(sys.argv[3]), folder)
    child.say(wall=wall, processor=used)

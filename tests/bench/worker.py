"""The Faust worker when the journal is full, against a bare aiokafka loop: the same records, decoded, the same core.

The worker is `python -m streams` as it ships: it restores, skips, applies, publishes every finding, and checkpoints.
The bare loop keeps what it concludes to itself. Starting up is left out on both sides: the worker's time runs from
its first finding to its last one, read off the end of the findings topic. Beside the ratio of facts a second stands
that of facts a second of processor time, which says the same on a quiet machine and more on a busy one.
"""

import asyncio
import sys
import time

from aiokafka import AIOKafkaConsumer, TopicPartition
from msgspec import Struct

from flowmon import wire
from flowmon.monitor.core import Monitor
from flowmon.names import FACTS_TOPIC
from tests.bench import child, load, processor
from tests.bench.bench import Bench
from tests.bench.figures import Row, ratio
from tests.bench.prefilled import PARTITIONS, Filled, Findings, end_of_findings, fill

FACTS = {50: 150_000, 500: 200_000}
TARGET = {50: 0.6}
LOOK_S = 0.05  # seldom: asking takes time from the same Kafka
DONE_S = 90.0
NAMES = ("worker facts/s", "bare loop facts/s")


class Rate(Struct, frozen=True):
    """Facts a second, and facts a second of processor time."""

    wall: float
    processor: float


async def measure(bench: Bench) -> list[Row]:
    """At 50 facts a record (the target) and at 500."""
    return [row for size, facts in FACTS.items() for row in await _at(bench, size, facts)]


async def _at(bench: Bench, size: int, facts: int) -> list[Row]:
    async with bench.servers(kafka=True) as services:
        address = services.kafka_address
        bench.tell(f"filling the journal, {size} facts a record")
        filled = await fill(address, facts, size)
        pairs, of_processor = [], []
        for turn in range(bench.repeats):
            bench.tell(f"worker against a bare loop, {size} facts a record, {turn + 1} of {bench.repeats}")
            ours = await faust_rate(address, filled, f"bench-{turn}")
            peer = await bare_rate(address, filled)
            pairs.append((ours.wall, peer.wall))
            of_processor.append((ours.processor, peer.processor))
    what = f"Faust worker ÷ bare aiokafka loop, {size} facts a record"
    note = f"{filled.facts} facts in {filled.records} records; the worker published {filled.findings} findings"
    return [
        ratio("worker", what, pairs, names=NAMES, target=TARGET.get(size), note=note),
        ratio("worker", f"{what}, by processor time", of_processor, names=NAMES),
    ]


async def faust_rate(address: str, filled: Filled, app: str) -> Rate:
    """Of one worker of a new installation `app` that finds the journal full."""
    environment = {
        "FLOWMON_KAFKA": address,
        "FLOWMON_APP": app,
        "FLOWMON_VENUES": str(load.MUSEUM),
        "FLOWMON_PARTITIONS": str(PARTITIONS),
    }
    async with end_of_findings(address) as findings, child.started("streams", environment=environment) as worker:
        rate = await _watched(findings, filled, worker.pid)
        worker.terminate()
        await asyncio.wait_for(worker.communicate(), 20)
    return rate


async def _watched(findings: Findings, filled: Filled, process: int) -> Rate:
    deadline = time.monotonic() + DONE_S
    before = count = await findings.count()
    expected, started, first, spent = before + filled.findings, 0.0, 0, 0.0
    while count < expected:
        if time.monotonic() > deadline:
            raise child.ChildFailed(f"the worker published {count - before} of {filled.findings} findings")
        await asyncio.sleep(LOOK_S)
        count = await findings.count()
        if count > before and not started:
            started, first, spent = time.monotonic(), count, processor.seconds(process)
    facts = filled.facts * (expected - first) / filled.findings
    return Rate(facts / (time.monotonic() - started), facts / (processor.seconds(process) - spent))


async def bare_rate(address: str, filled: Filled) -> Rate:
    """Of the bare loop, in a process of its own."""
    said = await child.run("tests.bench.worker", address, str(filled.records))
    return Rate(filled.facts / float(said["wall"]), filled.facts / float(said["processor"]))


async def bare(address: str, records: int) -> tuple[float, float]:
    """Seconds, and seconds of processor time, to decode and apply that many records of the journal."""
    monitor = Monitor(load.museum())
    consumer = AIOKafkaConsumer(bootstrap_servers=address, max_partition_fetch_bytes=8 * 1024 * 1024)
    await consumer.start()
    try:
        place = TopicPartition(FACTS_TOPIC, 0)
        consumer.assign([place])
        await consumer.seek_to_beginning(place)
        began, spent, done = 0.0, 0.0, 0
        while done < records:
            batch = await consumer.getmany(place, timeout_ms=1_000, max_records=2_000)
            began, spent = began or time.perf_counter(), spent or time.process_time()
            for message in batch.get(place, ())[: records - done]:
                monitor.apply_record(wire.decode_record(message.value))
                done += 1
        return time.perf_counter() - began, time.process_time() - spent
    finally:
        await consumer.stop()


if __name__ == "__main__":
    wall, used = asyncio.run(bare(sys.argv[1], int(sys.argv[2])))
    child.say(wall=wall, processor=used)

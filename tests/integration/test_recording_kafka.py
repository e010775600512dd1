"""A recording into Kafka and out of it again, and findings from Kafka into PostgreSQL by the archive itself."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from deploy.services import Services, free_port
from flowmon.facts import Tick
from flowmon.findings import VenueState
from flowmon.journal.files import header_of, read_recording, write_recording
from flowmon.journal.kafka import FindingsWriter, KafkaJournal, create_topics, partition_of
from flowmon.settings import Settings
from flowmon.venue.parse import load
from streams.topics import table
from tests.unit.test_replay_cli import records

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]
MUSEUM = ROOT / "deploy" / "venues" / "museum.toml"


def flowmon(*words: object, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flowmon", *map(str, words)],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


async def test_a_recording_goes_into_kafka_and_comes_out(services: Services, tmp_path: Path) -> None:
    kafka = services.kafka_address
    await create_topics(kafka, table(Settings(kafka=kafka)))
    own = tmp_path / "museum.toml"  # a museum of its own: others have days of theirs in the same topics
    own.write_text(MUSEUM.read_text().replace('id = "museum"', f'id = "museum-{free_port()}"', 1))
    venue = load(own)
    made = records(minutes=2)
    write_recording(tmp_path / "in.jsonl", header_of(venue), made)
    variables = {"FLOWMON_KAFKA": kafka, "FLOWMON_VENUES": str(own)}
    refused = flowmon("replay", tmp_path / "in.jsonl", "--to", "kafka", "--rate", "max", **variables)
    assert refused.returncode == 4, refused.stderr
    sent = flowmon("replay", tmp_path / "in.jsonl", "--to", "kafka", "--rate", "max", "--yes", "--json", **variables)
    assert sent.returncode == 0, sent.stderr
    assert json.loads(sent.stdout) == {"to": "kafka", "records": len(made)}

    start = ["--start", "2026-05-02T12:01", "--until", "2026-05-02T12:02"]
    saved = flowmon("record", "--kafka", *start, "--out", tmp_path / "out.jsonl.gz", **variables)
    assert saved.returncode == 0, saved.stderr
    header, found = read_recording(tmp_path / "out.jsonl.gz")
    assert header.plan == venue
    ticks = [fact for _, record in found for fact in record if isinstance(fact, Tick)]
    assert [fact.at for fact in ticks] == [
        fact.at for record in made[-66:] for fact in record if isinstance(fact, Tick)
    ]
    assert all(fact.simulated for fact in ticks)

    zone = next(iter(venue.zones))
    explained = flowmon("explain", zone, "--kafka", "--at", "2026-05-02T12:01:30", "--json", **variables)
    assert explained.returncode == 0, explained.stderr
    told = json.loads(explained.stdout)
    assert (told["zone"], told["simulated"], told["adds_up"]) == (zone, True, True)
    journal = KafkaJournal(kafka)
    offsets = [entry.offset async for entry in journal.read(venue.id)]  # others may write to the same partition
    await journal.close()
    assert len(offsets) == len(made)
    assert offsets[0] < told["last_offset"] < offsets[-1]


async def test_the_archive_killed_at_any_moment_loses_and_doubles_nothing(services: Services) -> None:
    kafka = services.kafka_address
    await create_topics(kafka, table(Settings(kafka=kafka)))
    name = f"archive_{free_port()}"
    server = await asyncpg.connect(services.postgres_url)
    await server.execute(f"CREATE DATABASE {name}")
    await server.close()
    url = f"{services.postgres_url.rpartition('/')[0]}/{name}"
    variables = {**os.environ, "FLOWMON_KAFKA": kafka, "FLOWMON_POSTGRES": url}

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-m", "flowmon", "archive"], cwd=ROOT, env=variables)

    async def count() -> int:
        connection = await asyncpg.connect(url)
        try:
            return int(await connection.fetchval("SELECT count(*) FROM findings WHERE venue = $1", name))
        except asyncpg.UndefinedTableError:
            return 0
        finally:
            await connection.close()

    async def reached(rows: int) -> None:
        while True:
            if await count() >= rows:
                return
            await asyncio.sleep(0.05)

    writer = FindingsWriter(kafka)
    partition, total = partition_of(name, 4), 3000
    archive = start()
    try:
        async with asyncio.timeout(90):
            for offset in range(total):
                state = VenueState(at=float(offset), occupancy=1.0, lo=0.0, hi=2.0, capacity=9)
                await writer.write(name, partition, offset, [state])
                if offset % 500 == 250:
                    aim = offset - 100
                    await writer.delivered()
                    await reached(aim)
                    archive.kill()
                    archive.wait()
                    archive = start()
            await writer.delivered()
            await reached(total)
        archive.send_signal(signal.SIGTERM)
        assert archive.wait(15) == 0
        assert await count() == total
    finally:
        archive.kill()
        archive.wait()
        await writer.close()

"""`flowmon doctor` on real servers: nothing is wrong when nothing is, and what is gets named."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from deploy.services import Services
from flowmon.doctor import servers
from flowmon.facts import Tick
from flowmon.findings import Published, VenueState
from flowmon.history.postgres import PostgresHistory
from flowmon.journal.kafka import FindingsWriter, KafkaJournal, create_topics, partition_of
from flowmon.settings import Settings
from streams.topics import table

pytestmark = pytest.mark.integration


@pytest.fixture
def settings(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Iterator[Settings]:
    """Servers of their own: the doctor judges the newest of everything, and other tests write to the shared ones."""
    with Services(tmp_path_factory.mktemp("doctor")) as own:
        yield Settings(mqtt=own.mqtt_url, kafka=own.kafka_address, postgres=own.postgres_url, data=tmp_path)


async def test_brokers_and_database(settings: Settings) -> None:
    assert (await servers.mqtt(settings)).status == "ok"
    history = PostgresHistory(settings.postgres)
    now = time.time()  # noqa: TID251 -- what the doctor will be told
    state = VenueState(at=now, occupancy=1.0, lo=0.0, hi=2.0, capacity=9)
    await history.write([Published("museum", 1, 0, state)])
    await history.close()
    assert (await servers.postgres(settings, now + 1.0)).status == "ok"
    stopped = await servers.postgres(settings, now + 600.0)
    assert (stopped.status, stopped.do) == ("warn", "is flowmon archive running, and the worker? See their logs")
    stranger = msgspec.structs.replace(settings, postgres=settings.postgres.replace("flowmon@", "nobody@"))
    result = await servers.postgres(stranger, now)
    assert (result.status, result.away) == ("fail", False)


async def test_kafka_and_the_worker(settings: Settings) -> None:
    absent = await servers.worker(settings, 0.0)
    if absent.status == "fail":  # nobody has created the topics on this server yet
        assert (absent.seen, absent.do) == ("never started here: its topics are missing", "start: python -m streams")
    await create_topics(settings.kafka, table(settings))
    async with asyncio.timeout(20):  # new topics are not known at once
        while (result := await servers.kafka(settings)).status != "ok":
            assert "no topic" in result.seen or "cleanup" in result.seen, result
            await asyncio.sleep(0.2)
    other = msgspec.structs.replace(settings, partitions=7)
    assert "not 7" in (await servers.kafka(other)).seen

    now = time.time()  # noqa: TID251 -- what the doctor will be told
    journal, findings = KafkaJournal(settings.kafka), FindingsWriter(settings.kafka)
    offset = await journal.append("doctor", [Tick(at=now, source="ticker", seq=1)])
    behind = await servers.worker(settings, now)
    assert behind.status == "fail"
    assert "findings" in behind.seen or "no finding" in behind.seen
    state = VenueState(at=now, occupancy=1.0, lo=0.0, hi=2.0, capacity=9)
    await findings.write("doctor", partition_of("doctor", settings.partitions), offset, [state])
    await findings.delivered()
    assert (await servers.worker(settings, now + 1.0)).status == "ok"
    await journal.append("doctor", [Tick(at=now + 12.0, source="ticker", seq=2)])
    assert (await servers.worker(settings, now + 12.0)).status == "ok", "in a quiet museum little is found"
    stopped = await servers.worker(settings, now + 3600.0)
    assert "nobody writes" in stopped.seen
    await asyncio.gather(journal.close(), findings.close())

"""`flowmon feed` as a process on a real Kafka: what stood in the topic, what follows, a restart of the broker."""

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from deploy.services import Services, free_port
from flowmon.facts import Acknowledged
from flowmon.findings import Finding
from flowmon.journal.kafka import FindingsWriter, KafkaJournal, create_topics, partition_of
from flowmon.settings import Settings
from streams import topics
from tests.unit.feed_samples import T0, Screen, episode, zone

pytestmark = pytest.mark.integration

VENUE = "feed-test"
PARTITION = partition_of(VENUE, Settings().partitions)
ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0

TOML = f"""
id = "{VENUE}"
name = "Feed test"
timezone = "Europe/Paris"
[floors.ground]
outline = [[0, 0], [10, 0], [10, 10], [0, 10]]
[zones.foyer]
floor = "ground"
capacity = 100
outline = [[0, 0], [10, 0], [10, 10], [0, 10]]
[portals.door]
between = ["outside", "foyer"]
at = [0, 5]
[counters.ctr-01]
portal = "door"
towards = "foyer"
[rules.zone-full]
watches = "zone"
severity = "critical"
"""


@pytest.fixture
async def kafka(services: Services) -> str:
    await create_topics(services.kafka_address, topics.table(Settings()))
    return services.kafka_address


@pytest.fixture
def venue_file(tmp_path: Path) -> Path:
    path = tmp_path / "venue.toml"
    path.write_text(TOML)
    return path


@pytest.fixture
async def writer(kafka: str) -> AsyncIterator[FindingsWriter]:
    writer = FindingsWriter(kafka)
    yield writer
    await writer.close()


async def write(writer: FindingsWriter, offset: int, *findings: Finding) -> None:
    await writer.write(VENUE, PARTITION, offset, findings)
    await writer.delivered()


@contextmanager
def feed(venue_file: Path, kafka: str) -> Iterator[tuple[int, "subprocess.Popen[str]"]]:
    port = free_port()
    command = [sys.executable, "-m", "flowmon", "feed", str(venue_file), "--kafka", kafka, "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        yield port, process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


async def until(condition: Callable[[httpx.Response], bool], port: int, path: str) -> httpx.Response:
    async with asyncio.timeout(PATIENCE_S), httpx.AsyncClient(trust_env=False) as web:
        while True:
            with suppress(httpx.TransportError):
                response = await web.get(f"http://127.0.0.1:{port}{path}")
                if condition(response):
                    return response
            await asyncio.sleep(0.05)


async def ready(port: int) -> None:
    await until(lambda response: response.status_code == 200, port, "/healthz")


async def hear(connection: ClientConnection, screen: Screen, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            data = await connection.recv(decode=False)
            assert isinstance(data, bytes)
            said = screen.hear(data)
            if said["t"] == kind:
                return said


async def say(connection: ClientConnection, **message: Any) -> None:
    await connection.send(msgspec.json.encode(message).decode())


async def test_the_screens_of_a_cluster(
    services: Services, kafka: str, venue_file: Path, writer: FindingsWriter
) -> None:
    await write(writer, 1, zone(people=1.0), episode("a"), zone("cellar"))
    await write(writer, 2, zone(people=2.0))
    with feed(venue_file, kafka) as (port, process):
        await ready(port)
        state = (await until(lambda response: response.status_code == 200, port, "/api/state")).json()
        assert {name: fields["occ"] for name, fields in state["zones"].items()} == {"foyer": 2.0}
        assert [alert["id"] for alert in state["alerts"]] == ["a"]
        screen = Screen()
        protocols = [Subprotocol("flowmon.v1+json")]
        async with connect(f"ws://127.0.0.1:{port}/feed", subprotocols=protocols, proxy=None) as connection:
            await say(connection, t="hello", v=1)
            for channel in ("zones", "alerts"):
                await say(connection, t="sub", ch=channel)
            await hear(connection, screen, "snap")
            await hear(connection, screen, "snap")
            await write(writer, 2, zone(people=2.0))  # told twice, as a restarted worker does
            await write(writer, 3, zone(people=3.0))
            await hear(connection, screen, "delta")
            assert screen.state["zones"]["foyer"]["occ"] == 3.0

            await asyncio.to_thread(services.kafka.restart)
            await write(writer, 4, zone(people=4.0))
            while screen.state["zones"]["foyer"]["occ"] != 4.0:
                await hear(connection, screen, "delta")

            await say(connection, t="cmd", id=1, do="ack", alert="a", rev=1, idem="from-a-screen")
            fact = await acknowledged(kafka)
            assert (fact.episode, fact.by) == ("a", "desk")
            await write(writer, 5, episode("a", 2, "ACKED", T0 + 1, cause=fact.command))
            assert (await hear(connection, screen, "res"))["ok"] is True

            process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait, 20) == 0
            with pytest.raises(Exception, match="1001"):
                await hear(connection, screen, "never")


async def acknowledged(kafka: str) -> Acknowledged:
    """The command, as it stands in the journal."""
    journal = KafkaJournal(kafka, patience_s=30)
    try:
        async with asyncio.timeout(PATIENCE_S):
            async for entry in journal.read(VENUE, follow=True):
                for fact in entry.record:
                    if isinstance(fact, Acknowledged):
                        return fact
    finally:
        await journal.close()
    raise AssertionError("the journal ended")


async def test_without_kafka_it_says_so_and_waits(venue_file: Path) -> None:
    with feed(venue_file, f"127.0.0.1:{free_port()}") as (port, process):
        response = await until(lambda response: response.status_code == 503, port, "/healthz")
        assert response.json()["ready"] is False
        assert process.stderr is not None
        lines: list[str] = []
        while not any("does not answer: is it running" in line for line in lines):
            lines.append(await asyncio.wait_for(asyncio.to_thread(process.stderr.readline), PATIENCE_S))
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 20) == 0


def test_what_must_be_mended_first_is_said_at_once(venue_file: Path, tmp_path: Path) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "flowmon", "feed", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stderr

    code, said = run(str(tmp_path / "none.toml"))
    assert code == 1
    assert "cannot be read" in said
    code, said = run(str(venue_file), str(venue_file))
    assert code == 1
    assert "same id" in said
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, said = run(str(venue_file), "--port", str(taken.getsockname()[1]))
    assert code == 1
    assert "choose another with --port" in said
    assert "Traceback" not in said

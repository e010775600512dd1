"""`flowmon doctor` names what is wrong with an installation, part by part, and what to do about it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from deploy.services import free_port
from flowmon.__main__ import main
from flowmon.doctor import examine, machine, servers
from flowmon.doctor.result import Result
from flowmon.facts import Tick
from flowmon.history.sqlite import SqliteHistory
from flowmon.journal.files import FileJournal
from flowmon.settings import Settings
from flowmon.venue.parse import load
from tests.unit.test_history_sqlite import zone

MUSEUM = Path(__file__).parents[2] / "deploy" / "venues" / "museum.toml"
NOW = 1_795_000_000.0


@asynccontextmanager
async def listening(answer: bytes) -> AsyncIterator[int]:
    """A server that answers anything with the same bytes; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An installation of which nothing runs."""
    return Settings(
        venues=(MUSEUM,),
        mqtt=f"mqtt://127.0.0.1:{free_port()}",
        kafka=f"127.0.0.1:{free_port()}",
        postgres=f"postgresql://flowmon@127.0.0.1:{free_port()}/flowmon",
        feed_port=free_port(),
        data=tmp_path,
    )


@pytest.mark.parametrize(
    ("answer", "status", "seen"),
    [
        (b"\x20\x02\x00\x00", "ok", "takes our login"),
        (b"\x20\x02\x00\x05", "fail", "does not authorise us"),
        (b"\x20\x02\x00\x04", "fail", "user or password"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "fail", "no MQTT broker"),
        (b"", "fail", "out of reach"),
    ],
)
async def test_mqtt(settings: Settings, answer: bytes, status: str, seen: str) -> None:
    async with listening(answer) as port:
        there = msgspec.structs.replace(settings, mqtt=f"mqtt://127.0.0.1:{port}", mqtt_username="é")
        result = await servers.mqtt(there)
    assert result.status == status
    assert seen in result.seen


@pytest.mark.parametrize(
    ("status_line", "body", "status", "seen"),
    [
        ("200 OK", '{"ready":true,"mode":"live","clients":2,"lag_ms":{"museum":400}}', "ok", "live, 2 screens"),
        ("200 OK", '{"ready":true,"mode":"live","clients":2,"lag_ms":{"museum":90500}}', "warn", "2 min old"),
        ("503 Unavailable", '{"ready":false,"mode":"live","clients":0,"lag_ms":{"museum":null}}', "warn", "loading"),
        ("200 OK", "<html>", "fail", "no flowmon"),
        ("200 OK", "[]", "fail", "no flowmon"),
        ("404 Not Found", "", "fail", "out of reach"),
    ],
)
async def test_feed(settings: Settings, status_line: str, body: str, status: str, seen: str) -> None:
    answer = f"HTTP/1.1 {status_line}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
    async with listening(answer.encode()) as port:
        result, *_ = await servers.feed(msgspec.structs.replace(settings, feed_port=port))
    assert result.status == status
    assert seen in result.seen


@pytest.mark.parametrize(
    ("health", "status", "seen", "do"),
    [
        (["good", "good", "unknown"], "ok", "2 of 3 are heard", ""),
        (["good", "silent", "fault"], "warn", "2 of 3 are silent or at fault: d1, d2", "power"),
        (["silent", "silent", "silent"], "fail", "3 of 3 are silent", "is the gateway"),
    ],
)
async def test_devices(settings: Settings, health: list[str], status: str, seen: str, do: str) -> None:
    sensors = {f"d{number}": {"health": each} for number, each in enumerate(health)}
    body = json.dumps({"ready": True, "lag_ms": {"museum": 400}, "sensors": sensors})
    answer = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
    async with listening(answer.encode()) as port:
        running, devices = await servers.feed(msgspec.structs.replace(settings, feed_port=port, feed_host="0.0.0.0"))
    assert running.status == "ok"
    assert (devices.part, devices.status) == ("devices of museum", status)
    assert seen in devices.seen
    assert do in devices.do


async def test_what_was_set_must_answer_and_what_was_not_is_off(settings: Settings) -> None:
    began = time.monotonic()
    none = {result.part.split()[0]: result for result in await examine(settings, frozenset(), NOW)}
    some = {r.part.split()[0]: r for r in await examine(settings, frozenset({"mqtt", "kafka", "postgres"}), NOW)}
    assert time.monotonic() - began < 8.0
    for part in ("MQTT", "Kafka", "PostgreSQL", "worker"):
        assert none[part].status == "off", none[part]
        assert some[part].status == "fail", some[part]
        assert some[part].do


async def test_a_server_that_says_nothing_is_given_three_seconds(settings: Settings) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    there = msgspec.structs.replace(
        settings,
        mqtt=f"mqtt://127.0.0.1:{port}",
        kafka=f"127.0.0.1:{port}",
        postgres=f"postgresql://flowmon@127.0.0.1:{port}/flowmon",
        feed_port=port,
    )
    async with server:
        began = time.monotonic()
        results = await examine(there, frozenset({"mqtt", "kafka", "postgres"}), NOW)
        assert time.monotonic() - began < 8.0
    status = {result.part.split()[0]: result.status for result in results}
    assert {status[part] for part in ("MQTT", "Kafka", "PostgreSQL", "feed")} == {"fail"}


async def test_the_files_of_one_process(settings: Settings, tmp_path: Path) -> None:
    assert [r.status for r in machine.journal(settings, NOW)] == ["off"]
    assert [r.status for r in await machine.history(settings)] == ["off"]
    venue = load(MUSEUM)
    journal = FileJournal(tmp_path / "journal", [venue])
    assert [r.seen for r in machine.journal(settings, NOW)] == ["empty"]
    for second in range(100):
        await journal.append("museum", [Tick(at=NOW + second, source="ticker", seq=second)])
    history = SqliteHistory(tmp_path / "history.sqlite")
    await history.write([zone(5)])

    def judged(now: float) -> Result:
        (result,) = machine.journal(settings, now)
        return result

    assert judged(NOW + 101) == Result("journal of museum", "ok", "offset 99, last fact 2.0 s ago")
    assert judged(NOW + 1000).status == "warn"
    assert "in the future" in judged(NOW).seen
    (behind,) = await machine.history(settings)
    assert (behind.status, behind.seen) == ("warn", "94 records behind the journal")
    await history.close()
    await journal.close()


def test_this_machine(settings: Settings, tmp_path: Path) -> None:
    assert machine.clock(NOW).status == "ok"
    assert machine.clock(946_684_800.0).status == "fail"
    assert machine.clock(4_200_000_000.0).status == "fail"
    assert machine.folder(settings).status in {"ok", "warn"}
    (tmp_path / "file").write_text("")
    assert machine.folder(msgspec.structs.replace(settings, data=tmp_path / "file" / "data")).status == "fail"
    (tmp_path / "bad.toml").write_text("id = 3\n[zones.")
    checked = machine.venues(msgspec.structs.replace(settings, venues=(MUSEUM, tmp_path / "bad.toml", tmp_path / "no")))
    assert [result.status for result in checked] == ["ok", "fail", "fail"]
    assert "flowmon check" in checked[1].do
    assert (checked[2].seen, checked[2].do) == ("there is no such file", "set FLOWMON_VENUES to your venue files")
    assert machine.venues(msgspec.structs.replace(settings, venues=()))[0].status == "fail"


def test_the_verb(settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FLOWMON_DATA", str(settings.data))
    monkeypatch.setenv("FLOWMON_MQTT", settings.mqtt)
    monkeypatch.setenv("FLOWMON_KAFKA", settings.kafka)
    monkeypatch.setenv("FLOWMON_POSTGRES", settings.postgres)
    monkeypatch.setenv("FLOWMON_FEED_PORT", str(settings.feed_port))
    assert main(["doctor", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert {result["status"] for result in found} >= {"ok", "fail", "off"}
    assert main(["doctor"]) == 1
    printed = capsys.readouterr()
    assert "FAIL  MQTT" in printed.out
    assert "-> start" in printed.out
    assert "nothing listens there" in printed.out
    assert "Errno" not in printed.out
    assert "no FLOWMON_ variable" not in printed.out
    assert printed.err == ""

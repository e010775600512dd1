"""`flowmon run` and `flowmon demo` as somebody starts them: one process, a real broker, killed and started again.

What is counted: every message the broker confirmed is in the journal, once by identity; the numbers on the screen are
the numbers published; history is, byte for byte, a straight recomputation of the journal.
"""

import asyncio
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.services import Mosquitto, free_port
from flowmon import wire
from flowmon.facts import Count, identity
from flowmon.findings import subject
from flowmon.history.sqlite import SqliteHistory
from flowmon.journal.files import read_folder
from flowmon.monitor.core import Monitor
from flowmon.recording.fold import replay
from flowmon.venue.parse import load
from tests.integration.oneprocess import VENUE, Devices, Flowmon, until

pytestmark = pytest.mark.integration


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    part = Mosquitto(tmp_path / "mosquitto")
    yield part
    part.kill()


@pytest.fixture
def engine(broker: Mosquitto, tmp_path: Path) -> Iterator[Flowmon]:
    """`flowmon run venue.toml --mqtt … --data …`, not started yet."""
    (tmp_path / "one.toml").write_text(VENUE)
    made = Flowmon(
        tmp_path, "run", tmp_path / "one.toml", "--mqtt", broker.url, "--data", tmp_path / "data", "--port", "0"
    )
    yield made
    made.close()


def test_killed_under_load_and_restarted(broker: Mosquitto, engine: Flowmon, tmp_path: Path) -> None:
    broker.start()
    engine.started()
    until("it is connected", lambda: "connected to" in engine.said)
    devices = Devices(broker.url).flow()
    until("the first people are shown", lambda: engine.raw() > 20)
    epochs = {engine.state()["epoch"]}
    for _ in range(3):
        before = devices.published + 50
        until("events flow", lambda before=before: devices.published > before)  # type: ignore[misc]
        shown = engine.raw()
        engine.end(signal.SIGKILL)
        engine.started()
        assert engine.raw() >= shown, "what was shown is known again before the screens open"
        epochs.add(engine.state()["epoch"])
    assert len(epochs) == 4, "every start is an epoch of its own"
    broker.restart()
    target = devices.published + 50
    until("messages go through after the broker's restart", lambda: engine.raw() >= target)
    devices.stop()
    until("everybody is shown", lambda: engine.raw() == devices.published)
    assert engine.end() == 0
    assert "Traceback" not in engine.log.read_text()
    devices.close()
    asyncio.run(_verify(devices, tmp_path))
    _rebuilt_from_the_journal(engine, devices.published, tmp_path)


async def _verify(devices: Devices, folder: Path) -> None:
    entries = list(read_folder(folder / "data" / "journal", "one"))
    counts = [fact for entry in entries for fact in entry.record if isinstance(fact, Count)]
    assert {(fact.source, fact.seq) for fact in counts} == devices.confirmed, "every confirmed message is there"
    assert len({(fact.source, identity(fact)) for fact in counts}) == devices.published, "and none has two identities"
    print(f"published {devices.published}, written again {len(counts) - devices.published}")
    straight = {
        (p.offset, p.index): p
        for p in replay(Monitor(load(folder / "one.toml")), "one", [(e.offset, e.record) for e in entries])
    }
    history = SqliteHistory(folder / "data" / "history.sqlite")
    stored = {}
    for name in {subject(p.finding) for p in straight.values()}:
        for p in await history.query("one", name, start=0, end=9e9, limit=1_000_000):
            stored[p.offset, p.index] = wire.encode(p.finding)
    assert stored == {place: wire.encode(p.finding) for place, p in straight.items()}
    await history.close()


def _rebuilt_from_the_journal(engine: Flowmon, people: int, folder: Path) -> None:
    """Without a checkpoint, and with one of another venue file, the journal tells the same."""
    (checkpoint,) = (folder / "data" / "checkpoints").glob("one.bin")
    checkpoint.unlink()
    engine.started()
    assert engine.raw() == people
    before = {zone: (fields["raw"], fields["occ"]) for zone, fields in engine.state()["zones"].items()}
    second = Flowmon(folder / "mosquitto", *engine._command[3:]).start()
    assert second.ended() == 1
    assert f"is being written by another flowmon (process {engine.pid})" in second.said
    assert "choose another data folder" in second.said
    assert "Traceback" not in second.said
    assert engine.raw() == people, "and the first is not harmed"
    assert engine.end() == 0
    assert checkpoint.exists()
    (folder / "one.toml").write_text(VENUE.replace("capacity = 100000", "capacity = 90000", 1))
    engine.started()
    assert "belongs to another version or venue file" in engine.said
    after = {zone: (fields["raw"], fields["occ"]) for zone, fields in engine.state()["zones"].items()}
    assert after == before
    assert engine.state()["zones"]["hall"]["cap"] == 90_000
    assert engine.end() == 0


def test_the_broker_comes_later(broker: Mosquitto, engine: Flowmon) -> None:
    engine.started()
    until("the absent broker is named", lambda: "no MQTT broker listens at" in engine.said)
    assert f"127.0.0.1:{broker.port}: start it, or correct FLOWMON_MQTT" in engine.said
    assert engine.state()["zones"] is not None, "the screens are served meanwhile"
    broker.start()
    until("it is connected", lambda: "connected to" in engine.said)
    devices = Devices(broker.url)
    devices.enter(3)
    until("they are shown", lambda: engine.raw() == 3)
    devices.close()
    assert engine.said.count("no MQTT broker listens") == 1, "said once"
    assert engine.end() == 0
    assert "Traceback" not in engine.said


def test_stopped_while_the_broker_is_away(engine: Flowmon) -> None:
    engine.started()
    assert engine.interrupt() == 0
    assert "Traceback" not in engine.said


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Flowmon]:
    (tmp_path / "tmp").mkdir()
    made = Flowmon(tmp_path, "demo", "--port", str(free_port()), TMPDIR=str(tmp_path / "tmp"))
    yield made
    made.close()


def test_the_demo(demo: Flowmon, tmp_path: Path) -> None:
    demo.start()
    until("a museum is shown within 10 s", demo.ready, 10.0)
    until("there are people", lambda: demo.state()["kpi"]["venue"]["occ"] > 50, 5.0)
    state = demo.state()
    assert state["simulated"] is True
    assert sum(zone["occ"] > 1 for zone in state["zones"].values()) > 5
    before = state["at"]
    until("it lives", lambda: demo.state()["at"] > before + 2000, 10.0)
    children = demo.children()
    assert children, "the embedded broker is a process of its own"
    assert demo.interrupt() in {0, 130}
    assert [pid for pid in children if _alive(pid)] == []
    assert not re.search("Traceback|Exception", demo.said), demo.said
    assert list((tmp_path / "tmp").glob("flowmon-demo-*")) == [], "nothing is left behind"


def test_the_demo_is_ended_before_the_museum_is_there(demo: Flowmon, tmp_path: Path) -> None:
    demo.start()
    until("it has begun", lambda: list((tmp_path / "tmp").glob("flowmon-demo-*")))
    assert demo.end(signal.SIGTERM) in {0, 130}
    assert list((tmp_path / "tmp").glob("flowmon-demo-*")) == []
    assert "Traceback" not in demo.said


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True

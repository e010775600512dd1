"""The one-process engine without processes: what happens to it when its disk or its files are not as they should be."""

import asyncio
import errno
import json
import logging
from collections.abc import Sequence
from pathlib import Path

import pytest

from flowmon.calibration.heard import read
from flowmon.clock import Clock
from flowmon.errors import FlowmonError, JournalError
from flowmon.facts import Count, Presence, Sighting, Tick
from flowmon.findings import Published, Rejected, VenueState
from flowmon.history.sqlite import SqliteHistory
from flowmon.journal.files import FileJournal
from flowmon.journal.segments import Log
from flowmon.settings import Settings
from flowmon.venue.model import Venue
from streams import rejectfile, snapshots
from streams.backlog import Backlog
from streams.local import LocalEngine, serve
from streams.snapshots import Checkpoint
from tests.fakes import until
from tests.small import T0, venue

SMALL = venue()


class FailingHistory:
    """A store that can be told to fail."""

    def __init__(self) -> None:
        self.failing = False
        self.stored: list[Published] = []

    async def write(self, published: Sequence[Published]) -> int:
        if self.failing:
            raise FlowmonError("the history cannot be used: database or disk is full; free space")
        self.stored += published
        return len(published)

    async def query(
        self, venue: str, subject: str, *, start: float, end: float, limit: int = 10_000
    ) -> list[Published]:
        return []

    async def latest_offset(self, venue: str) -> int:
        return max((one.offset for one in self.stored), default=-1)

    async def close(self) -> None:
        """Nothing to let go of."""


class FullLog(Log):
    """A disk that is full while `full` is set."""

    full = False

    def write(self, lines: Sequence[bytes]) -> int:
        if type(self).full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(lines)


def finding(offset: int) -> Published:
    return Published("small", offset, 0, VenueState(at=T0 + offset, occupancy=1.0, lo=0.0, hi=2.0, capacity=9))


async def write_day(folder: Path, of: Venue, people: int, *, seconds: int = 0) -> None:
    """`people` enter, then `seconds` ticks pass, ending about now."""
    journal, now = FileJournal(folder / "journal", [of]), Clock().now() - seconds - 10
    count = [
        Count(at=now, seen=now, source="ctr-gate", seq=n, counter="ctr-gate", kind="event", forward=1)
        for n in range(people)
    ]
    await journal.append(of.id, list(count))
    ticks = [Tick(at=now + n, seen=now + n, source="ticker", seq=int(now + n)) for n in range(1, seconds + 10)]
    await asyncio.gather(*(journal.append(of.id, [tick]) for tick in ticks))
    await journal.close()


def hall(engine: LocalEngine, of: str = "small") -> float | None:
    """People in the hall as the feed has them."""
    return dict(engine.feed.hubs[of].snapshot("zones")).get("hall", {}).get("raw")


def engine_in(folder: Path, *venues: Venue, **more: object) -> LocalEngine:
    return LocalEngine(list(venues) or [SMALL], Settings(), Clock(), folder, **more)  # type: ignore[arg-type]


# -- findings on their way into history


async def test_findings_wait_while_history_fails(caplog: pytest.LogCaptureFixture) -> None:
    history = FailingHistory()
    backlog = Backlog(history)
    history.failing = True
    for offset in range(5):
        backlog.add([finding(offset)])
        assert await backlog.flush() is False
    assert [record.getMessage()[:27] for record in caplog.records] == ["history is not written, try"], "said once"
    history.failing = False
    assert await backlog.flush() is True
    assert [one.offset for one in history.stored] == [0, 1, 2, 3, 4]
    assert len(backlog) == 0
    assert "history is written again" in caplog.text


async def test_what_had_to_be_dropped_is_not_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    history = FailingHistory()
    backlog = Backlog(history, most=3)
    backlog.add([finding(offset) for offset in range(5)])
    history.failing = True
    await backlog.flush()
    backlog.add([finding(5)])
    assert (len(backlog), backlog.dropped) == (3, 3)
    history.failing = False
    assert await backlog.flush() is False, "history lacks some: no checkpoint may be saved"
    assert [one.offset for one in history.stored] == [3, 4, 5]
    assert "then restart, which writes them all" in caplog.text


async def test_no_checkpoint_is_ahead_of_history(tmp_path: Path) -> None:
    await write_day(tmp_path, SMALL, 7)
    history, saved = FailingHistory(), tmp_path / "checkpoints" / "small.bin"
    history.failing = True
    engine = engine_in(tmp_path, history=history)
    async with engine.running():
        await until(lambda: engine.feed.ready)
    assert not saved.exists()
    history.failing = False
    engine = engine_in(tmp_path, history=history)
    async with engine.running():
        await until(lambda: engine.feed.ready)
    kept = snapshots.load(saved)
    assert kept is not None
    offsets = {one.offset for one in history.stored}
    assert min(offsets) <= 1, "what the failing history lacked was told again from the journal"


# -- the journal


async def test_a_journal_that_refuses_ticks_for_a_while(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    FullLog.full = False
    clock = Clock(rate=20.0)
    engine = LocalEngine([SMALL], Settings(), clock, tmp_path, log=FullLog)
    async with engine.running():
        await until(lambda: engine.journal.last_offset("small") >= 2)
        FullLog.full = True
        await until(lambda: "time stands still" in caplog.text)
        stood, began = engine.journal.last_offset("small"), clock.now()
        await until(lambda: clock.now() > began + 10)
        assert engine.journal.last_offset("small") == stood
        assert engine.feed.ready, "what is known is still served"
        FullLog.full = False
        await until(lambda: engine.journal.last_offset("small") > stood + 3)
    said = [record.getMessage() for record in caplog.records]
    assert sum("time stands still" in line for line in said) == 1, "said once, not once a second"
    assert "No space left on device; free space" in caplog.text
    assert "time goes on" in caplog.text


async def test_the_feed_is_ready_only_when_every_journal_is_applied(tmp_path: Path) -> None:
    other = venue(id="other")
    await write_day(tmp_path, other, 5, seconds=5_000)
    engine = engine_in(tmp_path, SMALL, other)
    async with engine.running():
        assert not engine.feed.ready
        await until(lambda: engine.journal.last_offset("small") >= 0)
        await until(lambda: engine.feed.ready, within_s=60)
        latest = engine.feed.hubs["other"].latest
        assert latest is not None
        assert latest > Clock().now() - 60, "the whole journal is applied, not only the empty one of the first venue"
        assert hall(engine, "other") == 5


async def test_a_damaged_journal_ends_the_engine_with_a_sentence(tmp_path: Path) -> None:
    await write_day(tmp_path, SMALL, 3, seconds=20)
    (path,) = (tmp_path / "journal" / "small").glob("*.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:5], b"[rubbish]\n", *lines[6:]]))
    found = Settings(mqtt="mqtt://127.0.0.1:1", data=tmp_path, feed_port=0)
    with pytest.raises(JournalError, match=r"record with offset 4 cannot be read .* bring the file back from a copy"):
        await asyncio.wait_for(serve([SMALL], found, Clock()), 20)


# -- checkpoints


async def rebuilt(folder: Path, people: int) -> None:
    """The engine comes up with the right number, and leaves a checkpoint that it can use."""
    engine = engine_in(folder)
    async with engine.running():
        await until(lambda: engine.feed.ready)
        assert hall(engine) == people
    kept = snapshots.load(folder / "checkpoints" / "small.bin")
    assert kept is not None
    assert kept.offset <= engine.journal.last_offset("small")


async def test_a_checkpoint_of_another_journal_is_not_believed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await write_day(tmp_path / "long", SMALL, 9, seconds=200)
    await rebuilt(tmp_path / "long", 9)
    await write_day(tmp_path / "short", SMALL, 4)
    kept = (tmp_path / "long" / "checkpoints" / "small.bin").read_bytes()
    (tmp_path / "short" / "checkpoints").mkdir()
    (tmp_path / "short" / "checkpoints" / "small.bin").write_bytes(kept)
    await rebuilt(tmp_path / "short", 4)
    assert "the checkpoint is of another journal" in caplog.text


@pytest.mark.parametrize("damage", [b"", b"rubbish", b"\x82\xa6offset\x05\xa8snapshot\xc4\x03abc"])
async def test_a_damaged_checkpoint_is_not_believed(tmp_path: Path, damage: bytes) -> None:
    await write_day(tmp_path, SMALL, 6)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "small.bin").write_bytes(damage)
    await rebuilt(tmp_path, 6)


async def test_another_venue_file_means_the_whole_journal(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    await write_day(tmp_path, SMALL, 8)
    await rebuilt(tmp_path, 8)
    changed = venue(name="Renamed", capacity=500)
    engine = engine_in(tmp_path, changed)
    async with engine.running():
        await until(lambda: engine.feed.ready)
        assert hall(engine) == 8
    assert "belongs to another version or venue file" in caplog.text


async def test_where_a_beacon_is_survives_a_restart(tmp_path: Path) -> None:
    def sighting(second: float) -> Sighting:
        at = T0 + second
        return Sighting(at=at, seen=at, source="ble-hall", receiver="ble-hall", beacon="b1", rssi_dbm=-50.0)

    async def presences(engine: LocalEngine) -> list[Presence]:
        entries = [entry async for entry in engine.journal.read("small")]
        return [fact for entry in entries for fact in entry.record if isinstance(fact, Presence)]

    engine = engine_in(tmp_path)
    async with engine.running():
        await engine._hear("small", [sighting(float(second)) for second in range(10)])
        before = await presences(engine)
        assert before
    engine = engine_in(tmp_path)
    async with engine.running():
        await engine._hear("small", [sighting(10.0 + second) for second in range(5)])
        assert await presences(engine) == before, "it is known already where it is"


async def test_raw_sightings_are_kept_when_asked_for_and_read_by_calibrate(tmp_path: Path) -> None:
    heard = [
        Sighting(at=T0 + n, seen=T0 + n, source="ble-hall", receiver="ble-hall", beacon="b1", rssi_dbm=-50.0)
        for n in range(3)
    ]
    engine = LocalEngine([SMALL], Settings(keep_sightings=True), Clock(), tmp_path)
    async with engine.running():
        await engine._hear("small", heard)
        await engine._hear("small", heard[:1])
    kept, _ = read(tmp_path / "sightings" / "small.jsonl")
    assert kept == [heard[0], *heard]
    engine = engine_in(tmp_path / "other")
    async with engine.running():
        await engine._hear("small", heard)
    assert not (tmp_path / "other" / "sightings").exists()


# -- rejects


def test_rejects_are_bounded_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "rejects" / "small.jsonl"
    for number in range(40):
        rejectfile.append(path, [Rejected(at=float(number), source="gateway", reason="not JSON")], most=1000)
    old = path.with_suffix(".old.jsonl")
    assert old.stat().st_size + path.stat().st_size < 2500
    times = [json.loads(line)["at"] for line in old.read_text().splitlines() + path.read_text().splitlines()]
    assert times == [float(number) for number in range(40 - len(times), 40)]
    with pytest.raises(JournalError, match="it is tried again"):
        rejectfile.append(tmp_path / "rejects" / "small.jsonl" / "x.jsonl", [])


def test_a_checkpoint_that_cannot_be_saved_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="free space, nothing is lost yet"):
        snapshots.save(tmp_path / "file" / "x.bin", Checkpoint(1, b""))


async def test_history_of_the_engine_is_readable_afterwards(tmp_path: Path) -> None:
    await write_day(tmp_path, SMALL, 5)
    await rebuilt(tmp_path, 5)
    history = SqliteHistory(tmp_path / "history.sqlite")
    states = await history.query("small", "zone/hall", start=0.0, end=9e9)
    assert states
    assert states[-1].finding.raw == 5  # type: ignore[union-attr]
    await history.close()

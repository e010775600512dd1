"""The journal of files: what is confirmed is there, whatever happens to the process, the disk or the file."""

import asyncio
import errno
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import pytest

from flowmon.clock import Clock
from flowmon.errors import JournalError, Undecodable
from flowmon.facts import Count, Fact, Tick
from flowmon.journal.cursor import Cursor
from flowmon.journal.files import (
    FileJournal,
    header_of,
    read_folder,
    read_header,
    read_recording,
    write_recording,
)
from flowmon.journal.port import Entry, Journal
from flowmon.journal.segments import Log
from flowmon.venue.model import Venue, fingerprint
from flowmon.venue.parse import load

VENUE = Venue(id="museum", name="Museum", timezone="Europe/Paris", floors={}, zones={}, portals={})
ROOT = Path(__file__).parents[2]


def tick(second: int) -> list[Fact]:
    return [Tick(at=float(second), source="ticker", seq=second)]


def segment(folder: Path, first: int = 0) -> Path:
    return folder / "museum" / f"{first:020d}.jsonl"


async def everything(journal: Journal, after: int = -1) -> list[Entry]:
    return [entry async for entry in journal.read("museum", after=after)]


async def write(folder: Path, count: int) -> None:
    journal = FileJournal(folder, [VENUE])
    for second in range(count):
        await journal.append("museum", tick(second))
    await journal.close()


async def test_appended_records_are_read_back_in_order_from_any_offset(tmp_path: Path) -> None:
    await write(tmp_path, 5)
    journal = FileJournal(tmp_path, [VENUE])
    assert journal.last_offset("museum") == 4
    assert [(e.offset, e.record) for e in await everything(journal)] == [(i, tick(i)) for i in range(5)]
    assert [e.offset for e in await everything(journal, after=2)] == [3, 4]
    assert await everything(journal, after=99) == []
    await journal.close()
    assert [e.offset for e in read_folder(tmp_path, "museum", after=3)] == [4]
    header, records = read_recording(segment(tmp_path))
    assert (header.venue, header.fingerprint, header.plan) == ("museum", fingerprint(VENUE), VENUE)
    assert [offset for offset, _ in records] == [0, 1, 2, 3, 4]


def test_a_header_holds_the_whole_plan(tmp_path: Path) -> None:
    venue = load(ROOT / "deploy" / "venues" / "museum.toml")
    write_recording(tmp_path / "r.jsonl", header_of(venue), [tick(1)])
    plan = read_header(tmp_path / "r.jsonl").plan
    assert plan is not None
    assert plan == venue
    assert fingerprint(plan) == fingerprint(venue)


async def test_the_tail_torn_at_any_byte_is_cut_and_the_rest_kept(tmp_path: Path) -> None:
    await write(tmp_path / "whole", 3)
    whole = segment(tmp_path / "whole").read_bytes()
    last = whole.rindex(b"\n", 0, len(whole) - 1) + 1
    for length in range(last, len(whole) + 1):
        folder = tmp_path / str(length)
        segment(folder).parent.mkdir(parents=True)
        segment(folder).write_bytes(whole[:length])
        complete = length == len(whole)
        journal = FileJournal(folder, [VENUE])
        assert journal.last_offset("museum") == (2 if complete else 1)
        assert [repair.lost for repair in journal.repairs] == ([] if length in {last, len(whole)} else [length - last])
        assert await journal.append("museum", tick(9)) == (3 if complete else 2)
        assert len(await everything(journal)) == (4 if complete else 3)
        await journal.close()


@pytest.mark.parametrize("rubbish", [b"\0" * 5000, b"[]\n", b"[{\n[{\n", b'[{"type":"unknown"}]\n', b"\xff\n"])
async def test_rubbish_at_the_end_is_cut_and_reported(tmp_path: Path, rubbish: bytes) -> None:
    await write(tmp_path, 3)
    with segment(tmp_path).open("ab") as file:
        file.write(rubbish)
    journal = FileJournal(tmp_path, [VENUE])
    assert [repair.lost for repair in journal.repairs] == [len(rubbish)]
    assert [e.offset for e in await everything(journal)] == [0, 1, 2]
    await journal.close()


@pytest.mark.parametrize("torn", [b"", b'{"flowmon":"rec', b'{"flowmon":"recording","version":1'])
async def test_a_segment_torn_in_its_header_is_started_again(tmp_path: Path, torn: bytes) -> None:
    await write(tmp_path, 3)
    segment(tmp_path, 3).write_bytes(torn)
    journal = FileJournal(tmp_path, [VENUE])
    assert await journal.append("museum", tick(3)) == 3
    assert [e.offset for e in await everything(journal)] == [0, 1, 2, 3]
    await journal.close()


async def test_damage_in_the_middle_is_named_and_never_skipped(tmp_path: Path) -> None:
    await write(tmp_path, 5)
    data = segment(tmp_path).read_bytes().replace(b'"seq":2', b'"seq":x')
    segment(tmp_path).write_bytes(data)
    journal = FileJournal(tmp_path, [VENUE])
    with pytest.raises(JournalError, match=r"offset 2 cannot be read"):
        await everything(journal)
    assert [e.offset for e in await everything(journal, after=2)] == [3, 4]
    await journal.close()


class CountingLog(Log):
    """A log that remembers the size of every group it wrote."""

    groups: list[int]

    def write(self, lines: Sequence[bytes]) -> int:
        self.groups = [*getattr(self, "groups", []), len(lines)]
        return super().write(lines)


async def test_what_arrives_during_a_sync_shares_the_next_one(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path, [VENUE], log=CountingLog)
    offsets = await asyncio.gather(*(journal.append("museum", tick(second)) for second in range(1000)))
    assert offsets == list(range(1000))
    log = journal._writing["museum"].log
    assert isinstance(log, CountingLog)
    assert len(log.groups) <= 3
    assert [e.record for e in await everything(journal)] == [tick(second) for second in range(1000)]
    await journal.close()


class FullLog(Log):
    """A disk that is full while `full` is set; `half` of the bytes still arrive, as they do on a real one."""

    full = True

    def write(self, lines: Sequence[bytes]) -> int:
        if self.full:
            self._roll_when_due()
            half = b"".join(lines)[:-7]
            os.pwrite(self._file, half, self._size)
            self._torn = True
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(lines)


async def test_a_full_disk_is_said_and_survived(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path, [VENUE], log=FullLog)
    log = journal._writing["museum"].log
    assert isinstance(log, FullLog)
    for _ in range(3):
        with pytest.raises(JournalError, match=r"No space left on device; free space"):
            await journal.append("museum", tick(123_456_789))
    assert await everything(journal) == []
    log.full = False
    assert await journal.append("museum", tick(1)) == 0
    assert [e.record for e in await everything(journal)] == [tick(1)]
    await journal.close()
    assert FileJournal(tmp_path, [VENUE]).repairs == []


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_real_write_limit_leaves_no_half_line(tmp_path: Path) -> None:
    """The kernel refuses bytes past RLIMIT_FSIZE; when the limit goes, writing goes on."""
    done = run(
        """
        import asyncio, resource, sys
        from pathlib import Path
        from tests.unit.test_files_journal import *

        async def main():
            folder = Path(sys.argv[1])
            journal = FileJournal(folder, [VENUE])
            await journal.append("museum", tick(0))
            hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
            resource.setrlimit(resource.RLIMIT_FSIZE, (segment(folder).stat().st_size + 30, hard))
            before = segment(folder).read_bytes()
            try:
                await journal.append("museum", tick(1))
            except JournalError as error:
                print("refused:", error)
            assert segment(folder).read_bytes() == before
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
            assert await journal.append("museum", tick(2)) == 1
            assert [e.record for e in await everything(journal)] == [tick(0), tick(2)]
            await journal.close()

        asyncio.run(main())
        """,
        str(tmp_path),
    )
    assert done.returncode == 0, done.stderr
    assert "File too large; free space" in done.stdout


def test_a_second_writer_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    code = """
        import sys, time
        from pathlib import Path
        from tests.unit.test_files_journal import FileJournal, VENUE
        journal = FileJournal(Path(sys.argv[1]), [VENUE])
        print("open", flush=True)
        sys.stdin.read()
        """
    holder = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(JournalError, match=rf"another flowmon \(process {holder.pid}\)"):
            FileJournal(tmp_path, [VENUE])
        holder.send_signal(signal.SIGKILL)
        holder.wait(10)
        FileJournal(tmp_path, [VENUE])


def test_what_a_killed_process_had_confirmed_is_there(tmp_path: Path) -> None:
    code = """
        import asyncio, sys
        from pathlib import Path
        from tests.unit.test_files_journal import FileJournal, VENUE, tick

        async def main():
            journal = FileJournal(Path(sys.argv[1]), [VENUE])
            for second in range(10**9):
                print(await journal.append("museum", tick(second)), flush=True)

        asyncio.run(main())
        """
    writer = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with writer:
        assert writer.stdout is not None
        confirmed = [int(writer.stdout.readline()) for _ in range(200)]
        writer.kill()
        confirmed += [int(line) for line in writer.stdout if line.endswith("\n")]
    found = [entry.offset for entry in read_folder(tmp_path, "museum")]
    assert confirmed == list(range(len(confirmed)))
    assert found[: len(confirmed)] == confirmed
    assert len(found) <= len(confirmed) + 1


async def test_followers_are_woken_and_end_with_the_journal(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path, [VENUE], segment_bytes=1000)
    seen: list[list[int]] = [[], []]

    async def follow(which: int) -> None:
        async for entry in journal.read("museum", after=which - 1, follow=True):
            seen[which].append(entry.offset)

    async with asyncio.timeout(20):
        followers = [asyncio.create_task(follow(which)) for which in range(2)]
        for second in range(100):
            await journal.append("museum", tick(second))
        await journal.close()
        await asyncio.gather(*followers)
    assert seen == [list(range(100)), list(range(1, 100))]
    assert len(list((tmp_path / "museum").glob("*.jsonl"))) > 5


async def test_a_missing_segment_is_named(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path, [VENUE], segment_bytes=1)
    for second in range(4):
        await journal.append("museum", tick(second))
    segment(tmp_path, 2).unlink()
    with pytest.raises(JournalError, match="records 2 to 2 are missing"):
        await everything(journal)
    await journal.close()


class Today(Clock):
    """A clock that stands where it is put."""

    def __init__(self, at: float) -> None:
        super().__init__()
        self.at = at

    def now(self) -> float:
        return self.at


async def test_a_day_is_a_segment_and_old_days_go_only_when_asked(tmp_path: Path) -> None:
    for keep, left in ((None, [0, 1, 2, 3, 4]), (2.0, [1, 2, 3, 4])):
        folder, clock = tmp_path / str(keep), Today(0.0)
        journal = FileJournal(folder, [VENUE], clock=clock, keep_days=keep)
        for day in range(5):
            clock.at = day * 86_400.0
            await journal.append("museum", tick(day))
        assert [e.offset for e in await everything(journal)] == left
        await journal.close()


async def test_another_venue_file_begins_another_segment(tmp_path: Path) -> None:
    await write(tmp_path, 2)
    changed = Venue(id="museum", name="Larger", timezone="Europe/Paris", floors={}, zones={}, portals={})
    journal = FileJournal(tmp_path, [changed])
    assert await journal.append("museum", tick(2)) == 2
    assert read_header(segment(tmp_path, 2)).fingerprint == fingerprint(changed)
    assert [e.offset for e in await everything(journal)] == [0, 1, 2]
    await journal.close()


@pytest.mark.parametrize(
    "record",
    [
        [],
        [Tick(at=float("nan"), source="ticker")],
        [Tick(at=1.0, source="\ud800")],
        [Count(at=1.0, source="c", counter="c", kind="event", complete=float("inf"))],
        [Tick(at=1.0, source="x" * (17 << 20))],
    ],
)
async def test_what_could_not_be_read_back_is_never_written(tmp_path: Path, record: list[Fact]) -> None:
    journal = FileJournal(tmp_path, [VENUE])
    with pytest.raises(Undecodable):
        await journal.append("museum", record)
    assert await journal.append("museum", tick(1)) == 0
    await journal.close()


async def test_a_stranger_and_a_closed_journal_are_refused(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path, [VENUE])
    with pytest.raises(JournalError, match="no venue 'louvre'"):
        await journal.append("louvre", tick(1))
    await journal.close()
    await journal.close()
    with pytest.raises(JournalError, match="closed"):
        await journal.append("museum", tick(1))


async def test_an_append_that_is_given_up_hurts_nobody(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path, [VENUE])
    tasks = [asyncio.create_task(journal.append("museum", tick(second))) for second in range(50)]
    await asyncio.sleep(0)
    tasks[10].cancel()
    offsets = await asyncio.gather(*tasks, return_exceptions=True)
    written = [offset for offset in offsets if isinstance(offset, int)]
    assert written == sorted(written)
    assert len(written) == 49
    await journal.close()


def test_a_reader_without_lock_ignores_the_line_being_written(tmp_path: Path) -> None:
    asyncio.run(write(tmp_path, 2))
    path = segment(tmp_path)
    whole = path.read_bytes()
    cursor = Cursor(tmp_path / "museum", "museum")
    path.write_bytes(whole[:-5])
    assert [entry.offset for entry in cursor.take()] == [0]
    path.write_bytes(whole)
    assert [entry.offset for entry in cursor.take()] == [1]
    cursor.close()

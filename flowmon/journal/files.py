"""The journal as a folder of files: one log of JSON lines a venue, the same format as a recording.

Theory of operation. An append waits in a list; one task a venue takes the whole list, writes it and calls
fsync once, in a thread, and what arrives meanwhile forms the next group (group commit). So a burst costs one
fsync, a single record waits for nothing, and the event loop is never held. Readers see only what is durable
and are woken by the commit. A lock file keeps a second process out.

    journal = FileJournal(Path("data/journal"), [venue])
    offset = await journal.append("museum", [fact])
    async for entry in journal.read("museum", after=checkpoint, follow=True): ...
"""

import asyncio
import fcntl
import logging
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

from flowmon.clock import Clock
from flowmon.errors import JournalError
from flowmon.facts import Record
from flowmon.journal.cursor import Cursor
from flowmon.journal.lines import (
    Header,
    encode_line,
    header_of,
    new_file,
    read_header,
    read_recording,
    write_entries,
    write_recording,
)
from flowmon.journal.port import Entry
from flowmon.journal.segments import SEGMENT_BYTES, Log, Repair, lines_of, segments
from flowmon.venue.model import Venue

__all__ = [
    "FileJournal",
    "Header",
    "Repair",
    "header_of",
    "last_entry",
    "new_file",
    "read_folder",
    "read_header",
    "read_recording",
    "write_entries",
    "write_recording",
]

logger = logging.getLogger(__name__)


class _Writing:
    """A venue's log with those who wait for it."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.waiting: list[tuple[bytes, asyncio.Future[int]]] = []
        self.task: asyncio.Task[None] | None = None
        self.grown = asyncio.Condition()

    async def wake(self) -> None:
        async with self.grown:
            self.grown.notify_all()


class FileJournal:
    """The journal of one process. Opens (and repairs) at once; `repairs` says what was cut off where.

    folder: made when absent. venues: those that can be written. simulated: marks the headers.
    keep_days: segments that ended longer ago are removed when a new one begins; None keeps everything.
    log: what writes the bytes; tests give one whose disk is full.
    Raises JournalError when another process writes here, or the folder cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        venues: Sequence[Venue],
        *,
        clock: Clock | None = None,
        simulated: bool = False,
        segment_bytes: int = SEGMENT_BYTES,
        keep_days: float | None = None,
        log: type[Log] = Log,
    ) -> None:
        clock = clock or Clock()
        self._closed = False
        self._lock = _lock(folder)
        try:
            self._writing = {
                venue.id: _Writing(
                    log(
                        folder / venue.id,
                        venue,
                        clock=clock,
                        simulated=simulated,
                        segment_bytes=segment_bytes,
                        keep_days=keep_days,
                    )
                )
                for venue in venues
            }
        except OSError as error:
            os.close(self._lock)
            raise JournalError(f"cannot open the journal in {folder}: {error}") from error
        except JournalError:
            os.close(self._lock)
            raise
        self.repairs: list[Repair] = [repair for writing in self._writing.values() for repair in writing.log.repairs]
        for repair in self.repairs:
            logger.warning("%s: %d bytes cut off the end (%s)", repair.path, repair.lost, repair.reason)

    def last_offset(self, venue: str) -> int:
        """The offset of the last durable record of a venue, -1 when there is none."""
        return self._of(venue).log.next_offset - 1

    async def append(self, venue: str, record: Record) -> int:
        """Write one record; returns its offset once it is on the disk.

        Raises JournalError when it is not (disk full, closed): keep it and try again.
        Raises Undecodable when it can never be written: do not try again.
        """
        writing = self._of(venue)
        if self._closed:
            raise JournalError("the journal is closed")
        waiter: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        writing.waiting.append((encode_line(record), waiter))
        if writing.task is None or writing.task.done():
            writing.task = asyncio.create_task(self._commit(writing))
        return await waiter

    async def _commit(self, writing: _Writing) -> None:
        while writing.waiting:
            # Whoever gave up before the write began has not written.
            group = [(line, waiter) for line, waiter in writing.waiting if not waiter.done()]
            writing.waiting = []
            if group:
                await self._commit_group(writing, group)

    async def _commit_group(self, writing: _Writing, group: list[tuple[bytes, asyncio.Future[int]]]) -> None:
        try:
            first = await asyncio.to_thread(writing.log.write, [line for line, _ in group])
            for place, (_, waiter) in enumerate(group):
                if not waiter.done():
                    waiter.set_result(first + place)
        except OSError as error:
            message = (
                f"the journal in {writing.log.folder} cannot be written: {error.strerror or error}; "
                "free space or mend the disk, nothing confirmed so far is lost"
            )
            for _, waiter in group:
                if not waiter.done():
                    waiter.set_exception(JournalError(message))
        finally:
            for _, waiter in group:  # a defect or a cancelled loop: nobody may wait for ever
                waiter.cancel()
        await writing.wake()

    async def read(self, venue: str, *, after: int = -1, follow: bool = False) -> AsyncIterator[Entry]:
        """Durable entries past offset `after`, in order; with `follow`, until the journal is closed."""
        writing = self._of(venue)
        cursor = Cursor(writing.log.folder, venue, after=after)
        try:
            while True:
                until = writing.log.next_offset
                while cursor.next_offset < until and (taken := await asyncio.to_thread(cursor.take, until)):
                    for entry in taken:
                        yield entry
                if not follow or not await self._grown(writing, until):
                    return
        except OSError as error:
            raise JournalError(f"the journal in {writing.log.folder} cannot be read: {error}") from error
        finally:
            cursor.close()

    async def _grown(self, writing: _Writing, until: int) -> bool:
        """Wait for a record at or past offset `until`; False when the journal is closed without one."""
        async with writing.grown:
            await writing.grown.wait_for(lambda: writing.log.next_offset > until or self._closed)
        return writing.log.next_offset > until

    async def close(self) -> None:
        """Write what waits, let followers end, let go of files and lock. Idempotent."""
        if self._closed:
            return
        self._closed = True
        for writing in self._writing.values():
            if writing.task is not None:
                await writing.task
            writing.log.close()
            await writing.wake()
        os.close(self._lock)

    def _of(self, venue: str) -> _Writing:
        try:
            return self._writing[venue]
        except KeyError:
            known = ", ".join(sorted(self._writing)) or "none"
            raise JournalError(f"no venue {venue!r} in this journal (it has: {known})") from None


def read_folder(folder: Path, venue: str, *, after: int = -1) -> Iterator[Entry]:
    """What stands in a journal folder, while it may be written by another process. Raises JournalError."""
    cursor = Cursor(folder / venue, venue, after=after)
    try:
        while taken := cursor.take():
            yield from taken
    except OSError as error:
        raise JournalError(f"cannot read the journal in {folder}: {error}") from error
    finally:
        cursor.close()


def last_entry(folder: Path, venue: str) -> Entry | None:
    """The last entry in a journal folder, None when there is none. Raises JournalError."""
    for first, path in reversed(segments(folder / venue)):
        found = list(read_folder(folder, venue, after=first + lines_of(path) - 2))
        if found:
            return found[-1]
    return None


def _lock(folder: Path) -> int:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise JournalError(f"cannot use {folder} for the journal: {error}; choose another data folder") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(lock, 32, 0).decode("ascii", "replace").strip()
        os.close(lock)
        raise JournalError(
            f"{folder} is being written by another flowmon (process {holder or 'unknown'}): "
            "stop it, or choose another data folder"
        ) from error
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)
    return lock

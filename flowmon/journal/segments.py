"""The writing end of one venue's log on disk: segment files, written at the end, recovered when torn.

    DIR/<venue>/00000000000000000000.jsonl      the name is the offset of its first record
    DIR/<venue>/00000000000000081233.jsonl      a new one after 64 MiB, a day, or a change of the venue file

Plain blocking code without locks: `files.FileJournal` calls `Log.write` from one thread at a time.
Failure mode: a crash while writing leaves part of the last group of lines. Nobody was told that they are
durable, so the part that cannot be read is cut off when the log is opened, and reported.
"""

import contextlib
import itertools
import os
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from flowmon import wire
from flowmon.clock import Clock
from flowmon.errors import JournalError, Undecodable
from flowmon.journal.lines import LINE_MAX, Header, decode_header, encode_header, header_of
from flowmon.venue.model import Venue, fingerprint

SEGMENT_BYTES = 64 << 20
DAY_S = 86_400.0
_CHUNK = 1 << 20


class Repair(Struct, frozen=True):
    """What was cut off a segment when it was opened: `lost` bytes that nobody had been promised, and why."""

    path: Path
    lost: int
    reason: str


def segments(folder: Path) -> list[tuple[int, Path]]:
    """(first offset, path) of a venue's segments, oldest first; an absent folder has none."""
    found = folder.glob("*.jsonl") if folder.is_dir() else iter(())
    return sorted((int(path.stem), path) for path in found if path.stem.isdigit())


class Log:
    """The writing end of a venue's log.

    next_offset: the offset the next record will get; everything below it is durable.
    """

    def __init__(
        self,
        folder: Path,
        venue: Venue,
        *,
        clock: Clock,
        simulated: bool = False,
        segment_bytes: int = SEGMENT_BYTES,
        keep_days: float | None = None,
    ) -> None:
        self.folder = folder
        self.next_offset = 0
        self.repairs: list[Repair] = []
        self._venue = venue
        self._clock = clock
        self._simulated = simulated
        self._segment_bytes = segment_bytes
        self._keep_days = keep_days
        self._file = -1
        self._path = folder
        self._size = 0  # durable bytes of the open segment
        self._torn = False  # bytes past _size may be there
        self._opened = 0.0
        folder.mkdir(parents=True, exist_ok=True)
        self._resume()

    def write(self, lines: Sequence[bytes]) -> int:
        """Append lines (each with its newline), make them durable, return the offset of the first.

        Raises OSError when they are not durable; the log then stands as before and can be written again.
        """
        first = self.next_offset
        self._roll_when_due()
        data = b"".join(lines)
        try:
            if self._torn:
                os.ftruncate(self._file, self._size)
                self._torn = False
            self._torn = True
            _write_all(self._file, data, self._size)
            os.fsync(self._file)
        except OSError:
            with contextlib.suppress(OSError):  # tried again before the next write
                os.ftruncate(self._file, self._size)
                self._torn = False
            raise
        self._torn = False
        self._size += len(data)
        self.next_offset += len(lines)
        return first

    def close(self) -> None:
        """Let go of the file. Idempotent."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _resume(self) -> None:
        for first, path in reversed(segments(self.folder)):
            size = self._recover(path)
            if not size:
                path.unlink()
                continue
            self.next_offset = first + lines_of(path)
            try:
                header = _header(path)
            except Undecodable as error:
                raise JournalError(f"{path}: {error.reason}; bring the file back, or move it away") from error
            if header.venue != self._venue.id:
                raise JournalError(f"{path} belongs to venue {header.venue!r}, not {self._venue.id!r}: move it away")
            if header.fingerprint == fingerprint(self._venue):
                self._open(path, size, float(header.more.get("opened", 0.0)))
            return

    def _recover(self, path: Path) -> int:
        """Cut what cannot be read off the end; returns the size that remains, 0 without a header."""
        size = before = path.stat().st_size
        reason = ""
        with path.open("r+b") as file:
            while size:
                start, line = _last_line(file.fileno(), size)
                reason_now = _unreadable(line, is_header=start == 0)
                if not reason_now:
                    break
                reason, size = reason or reason_now, start
            if size < before:
                file.truncate(size)
                os.fsync(file.fileno())
                self.repairs.append(Repair(path, before - size, reason))
        return size

    def _open(self, path: Path, size: int, opened: float) -> None:
        self.close()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        self._path, self._size, self._opened = path, size, opened

    def _roll_when_due(self) -> None:
        now = self._clock.now()
        day_over = int(now // DAY_S) != int(self._opened // DAY_S)
        if self._file >= 0 and self._size < self._segment_bytes and not day_over:
            return
        path = self.folder / f"{self.next_offset:020d}.jsonl"
        if self._file >= 0 and path == self._path:
            return  # nothing but a header in it yet
        header = header_of(self._venue, first_offset=self.next_offset, simulated=self._simulated, opened=now)
        line = encode_header(header)
        self._create(path, line)
        self._open(path, len(line), now)
        self._forget_old(now)

    def _create(self, path: Path, header_line: bytes) -> None:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            _write_all(file, header_line, 0)
            os.fsync(file)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        finally:
            os.close(file)
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)  # the name itself must survive a power cut
        finally:
            os.close(folder)

    def _forget_old(self, now: float) -> None:
        if self._keep_days is None:
            return
        known = segments(self.folder)
        for (_, path), (_, after) in itertools.pairwise(known):
            # A segment ends when the next one opens.
            if _opened(after) >= now - self._keep_days * DAY_S:
                return
            path.unlink()


def _write_all(file: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(file, view, at)
        view, at = view[written:], at + written


def _last_line(file: int, size: int) -> tuple[int, bytes]:
    """(start, bytes) of the last line of the first `size` bytes, its newline included where it has one."""
    window = _CHUNK
    while True:
        start = max(0, size - window)
        data = os.pread(file, size - start, start)
        before = data.rfind(b"\n", 0, len(data) - 1)
        if before >= 0 or start == 0:
            return start + before + 1, data[before + 1 :]
        window *= 4


def _unreadable(line: bytes, *, is_header: bool) -> str:
    if not line.endswith(b"\n"):
        return "the last line is not finished"
    try:
        if is_header:
            decode_header(line[:-1])
        else:
            wire.decode_record(line[:-1])
    except Undecodable as error:
        return error.reason
    return ""


def lines_of(path: Path) -> int:
    """Number of complete record lines in a segment."""
    lines = -1  # the header
    with path.open("rb") as file:
        while data := file.read(_CHUNK):
            lines += data.count(b"\n")
    return max(lines, 0)


def _header(path: Path) -> Header:
    with path.open("rb") as file:
        return decode_header(file.readline(LINE_MAX))


def _opened(path: Path) -> float:
    return float(_header(path).more.get("opened", 0.0))

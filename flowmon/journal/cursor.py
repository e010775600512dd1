"""The reading end of one venue's log on disk: forward through its segments, complete lines only.

Needs no lock, so another process may read while one writes. Reads with positions of its own, never through a
buffer: bytes that a failed write left behind and that were overwritten later must not be remembered.
"""

import os
from pathlib import Path

from flowmon import wire
from flowmon.errors import JournalError, Undecodable
from flowmon.facts import Record
from flowmon.journal.lines import LINE_MAX
from flowmon.journal.port import Entry
from flowmon.journal.segments import segments

_CHUNK = 1 << 20


class Cursor:
    """Reads a venue's log from the first entry past offset `after`.

    next_offset: the least offset that the next entry can have.
    """

    def __init__(self, folder: Path, venue: str, *, after: int = -1) -> None:
        self.next_offset = max(after + 1, 0)
        self._folder = folder
        self._venue = venue
        self._entered = False
        self._file = -1
        self._path = folder
        self._at = 0  # byte position in the segment
        self._offset = 0  # offset of the line there; the header counts as the one before the first

    def take(self, until: int | None = None) -> list[Entry]:
        """The next entries below offset `until` (None: all that are there), about 1 MiB; empty when none are.

        Raises JournalError naming file and offset for a line that cannot be read or a segment that is
        missing, OSError when the disk fails.
        """
        while until is None or self.next_offset < until:
            if self._file < 0 and not self._enter():
                return []
            taken = self._read(until)
            if taken:
                return taken
            later = [(first, path) for first, path in segments(self._folder) if path > self._path]
            if not later:
                return []
            taken = self._read(until)  # what was written between the look at the file and the one at the folder
            if taken:
                return taken
            if self._offset != later[0][0]:
                raise JournalError(
                    f"{self._folder}: records {self._offset} to {later[0][0] - 1} are missing; "
                    "bring their segment back, or read from a later offset"
                )
            self.close()
        return []

    def close(self) -> None:
        """Let go of the file. Idempotent."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _enter(self) -> bool:
        """Open the segment that holds the next entry, else the first there is; False when there is none."""
        known = segments(self._folder)
        holding = [segment for segment in known if segment[0] <= self.next_offset][-1:] or known[:1]
        if not holding:
            return False
        first, self._path = holding[0]
        self._file = os.open(self._path, os.O_RDONLY)
        self._at, self._offset = 0, first - 1
        if not self._entered:  # what retention has taken is simply not there any more
            self.next_offset = max(self.next_offset, first)
            self._entered = True
        return True

    def _read(self, until: int | None) -> list[Entry]:
        taken: list[Entry] = []
        while not taken and (chunk := self._chunk()):
            for line in chunk.split(b"\n")[:-1]:
                if until is not None and self._offset >= until:
                    return taken
                if self._offset >= self.next_offset:
                    taken.append(Entry(self._venue, self._offset, self._decode(line)))
                    self.next_offset = self._offset + 1
                self._at += len(line) + 1
                self._offset += 1
        return taken

    def _chunk(self) -> bytes:
        """Complete lines from the present position on; empty when there is none."""
        data = os.pread(self._file, _CHUNK, self._at)
        end = data.rfind(b"\n") + 1
        if not end and len(data) == _CHUNK:
            data = os.pread(self._file, LINE_MAX, self._at)
            end = data.find(b"\n") + 1
            if not end and len(data) == LINE_MAX:
                raise JournalError(f"{self._path}: offset {self._offset} is longer than a record can be")
        return data[:end]

    def _decode(self, line: bytes) -> Record:
        try:
            return wire.decode_record(line)
        except Undecodable as error:
            raise JournalError(
                f"{self._path}: the record with offset {self._offset} cannot be read ({error.reason}); "
                "bring the file back from a copy"
            ) from error

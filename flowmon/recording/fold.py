"""The one loop of replay: a monitor folded over the records of a journal. Pure; every engine and test uses it."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Protocol

from flowmon import wire
from flowmon.facts import Fact, Record
from flowmon.findings import Finding, Published


class Applies(Protocol):
    """What is folded: `flowmon.monitor.core.Monitor`, or a stand-in for it."""

    def apply_record(self, record: list[Fact]) -> list[Finding]:
        """Apply a record whole; the findings in the order they were concluded."""
        ...


def replay(monitor: Applies, venue: str, records: Iterable[tuple[int, Record]]) -> Iterator[Published]:
    """The findings of `(offset, record)` pairs, each under its name `(venue, offset, index)`.

    Records are applied as they are asked for, so memory is that of the monitor alone.
    """
    for offset, record in records:
        for index, finding in enumerate(monitor.apply_record(record)):
            yield Published(venue, offset, index, finding)


class Digest:
    """SHA-256 over findings with their names: two replays agree when their digests do."""

    def __init__(self) -> None:
        self._sum = hashlib.sha256()

    def add(self, published: list[Published]) -> bytes:
        """Take findings in; returns their lines, each with its newline (what `--out` writes)."""
        lines = wire.encode_lines(published)
        self._sum.update(lines)
        return lines

    def hex(self) -> str:
        """The digest so far, 64 hex digits."""
        return self._sum.hexdigest()

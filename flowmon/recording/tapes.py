"""Recordings put in line: files and folders to one stream of entries, merged by time, filtered."""

import heapq
import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from flowmon.errors import FlowmonError, JournalError
from flowmon.facts import Fact, Record
from flowmon.journal.files import Header, read_header, read_recording
from flowmon.journal.port import Entry

#: The names of the fact types, as they stand on the wire.
FACT_TYPES: tuple[str, ...] = tuple(str(kind.__struct_config__.tag) for kind in Fact.__args__)


class Tape(Struct, frozen=True):
    """One venue's recordings, in the order of their offsets; `header` is the first one's."""

    venue: str
    header: Header
    paths: list[Path]

    def entries(self, progress: Callable[[Path, int], None] | None = None) -> Iterator[Entry]:
        """All records, in order. Raises JournalError naming the line that cannot be read, or an overlap."""
        due = 0
        for path in self.paths:
            told = None if progress is None else _told(progress, path)
            for offset, record in read_recording(path, progress=told)[1]:
                if offset < due:
                    raise JournalError(
                        f"{path} begins at offset {offset}, which another recording of {self.venue} has already: "
                        "leave one of them out"
                    )
                due = offset + 1
                yield Entry(self.venue, offset, record)


def _told(progress: Callable[[Path, int], None], path: Path) -> Callable[[int], None]:
    return lambda size: progress(path, size)


def open_tapes(paths: Sequence[Path]) -> list[Tape]:
    """One tape a venue, from files and folders of them. Raises JournalError for what is no recording."""
    by_venue: dict[str, list[tuple[int, Path, Header]]] = {}
    for path in itertools.chain.from_iterable(map(_files, paths)):
        header = read_header(path)
        by_venue.setdefault(header.venue, []).append((header.first_offset, path, header))
    tapes = []
    for venue, parts in by_venue.items():
        parts.sort(key=lambda part: part[:2])
        tapes.append(Tape(venue, parts[0][2], [path for _, path, _ in parts]))
    return tapes


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(part for part in path.rglob("*.jsonl*") if part.suffix in {".jsonl", ".gz"})
    if not found:
        raise JournalError(f"no recording (*.jsonl, *.jsonl.gz) in the folder {path}")
    return found


def moment(record: Record) -> float:
    """When a record happened: when its last fact was seen, else the time that fact gives itself.

    The gateway's clock comes first because a device's may be wrong by years.
    """
    last = record[-1]
    return last.seen or last.at


def merged(streams: Sequence[Iterable[Entry]]) -> Iterator[Entry]:
    """Entries of several venues by time; each venue keeps its own order."""
    if len(streams) == 1:
        return iter(streams[0])
    return heapq.merge(*streams, key=lambda entry: moment(entry.record))


def of_types(entries: Iterable[Entry], only: Collection[str], exclude: Collection[str]) -> Iterator[Entry]:
    """Entries with the wanted types of facts; a record of which nothing is left is left out."""
    if not only and not exclude:
        yield from entries
        return
    for entry in entries:
        kept = [fact for fact in entry.record if _wanted(fact_type(fact), only, exclude)]
        if kept:
            yield Entry(entry.venue, entry.offset, kept)


def fact_type(fact: Fact) -> str:
    """The name of a fact's type: `count`, `tick` …"""
    return str(fact.__struct_config__.tag)


def _wanted(kind: str, only: Collection[str], exclude: Collection[str]) -> bool:
    return (not only or kind in only) and kind not in exclude


def span(tape: Tape) -> tuple[float, float]:
    """(first, last) moment of a tape; reads it all. Raises FlowmonError when it holds no record."""
    first = last = None
    for entry in tape.entries():
        last = moment(entry.record)
        first = last if first is None else first
    if first is None or last is None:
        raise FlowmonError(f"{tape.paths[0]} holds no record")
    return first, last


def begin(tape: Tape) -> float:
    """The first moment of a tape. Raises FlowmonError when it holds no record."""
    for entry in tape.entries():
        return moment(entry.record)
    raise FlowmonError(f"{tape.paths[0]} holds no record")

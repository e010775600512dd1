"""The journal of one venue, as those read it who come later: the folder of a `flowmon run`, or Kafka."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

from flowmon.errors import FlowmonError
from flowmon.journal.files import Header, header_of, last_entry, read_folder, read_header
from flowmon.journal.port import Entry
from flowmon.journal.segments import segments
from flowmon.recording.tapes import moment
from flowmon.venue.model import Venue
from flowmon.venue.parse import load

KAFKA_WITHIN_S = 10.0


class Unclear(FlowmonError):
    """It is not clear which journal or venue is meant."""


class Folder:
    """The journal of a `flowmon run`, which may be running. Raises Unclear when it is not clear whose."""

    def __init__(self, folder: Path, venue: str | None) -> None:
        there = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
        chosen = [venue] if venue else there
        if len(chosen) != 1 or not segments(folder / chosen[0]):
            names = ", ".join(there) or "nothing"
            raise Unclear(f"{folder} has the journal of {names}: choose with --venue, or another --data")
        self._folder, self._venue = folder, chosen[0]
        self.header = read_header(segments(folder / chosen[0])[-1][1])

    def begin(self) -> float:
        """When its first record happened. Raises Unclear when there is none."""
        for entry in read_folder(self._folder, self._venue):
            return moment(entry.record)
        raise Unclear(f"{self._folder / self._venue} holds no record yet")

    def last(self) -> Entry | None:
        """The record it ends with now."""
        return last_entry(self._folder, self._venue)

    def entries(self, after: int = -1) -> Iterator[Entry]:
        """Its records past offset `after`, up to its end now."""
        return read_folder(self._folder, self._venue, after=after)


class Topic:
    """The facts topic, one venue of it, up to what stands there now."""

    def __init__(self, bootstrap: str, venue: Venue) -> None:
        self._bootstrap = bootstrap
        self.header: Header = header_of(venue)

    def begin(self) -> float:
        """When its first record happened. Raises Unclear when there is none."""
        for entry in self.entries():
            return moment(entry.record)
        raise Unclear(f"Kafka at {self._bootstrap} holds no record of {self.header.venue}")

    def entries(self) -> Iterator[Entry]:
        """Its records."""
        # The one who writes the file pulls, so that no more than one batch is in memory.
        from flowmon.journal.kafka import KafkaJournal  # noqa: PLC0415 -- not needed to read files

        with asyncio.Runner() as runner:
            journal = KafkaJournal(self._bootstrap, patience_s=KAFKA_WITHIN_S)
            stream = aiter(journal.read(self.header.venue))
            try:
                while True:
                    entry = runner.run(_next(stream))
                    if entry is None:
                        return
                    yield entry
            finally:
                runner.run(journal.close())


async def _next(stream: object) -> Entry | None:
    return await anext(stream, None)  # type: ignore[call-overload,no-any-return]


def chosen(paths: tuple[Path, ...], wanted: str | None) -> Venue:
    """The venue of that id, or the only one, among venue files. Raises Unclear."""
    venues = [load(path) for path in paths]
    found = [venue for venue in venues if wanted in {None, venue.id}]
    if len(found) != 1:
        names = ", ".join(venue.id for venue in venues)
        raise Unclear(f"FLOWMON_VENUES names {names}: choose one with --venue")
    return found[0]

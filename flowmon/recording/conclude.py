"""`--to null`: run the monitor over the records, sum up what it concluded, write or compare the findings."""

import gzip
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

from flowmon.errors import FlowmonError
from flowmon.findings import EpisodeChanged, Finding
from flowmon.journal.port import Entry
from flowmon.recording.fold import Applies, Digest, replay
from flowmon.recording.tapes import moment
from flowmon.venue.model import Venue

#: Makes the monitor of a venue; `flowmon.monitor.core.Monitor` is one.
Makes = Callable[[Venue], Applies]


class Differs(FlowmonError):
    """The findings are not the expected ones; says which is the first that differs."""


class Conclusions:
    """A target that keeps nothing but counts and a digest.

    begin: findings of earlier records are not counted; those records are applied for the state they leave.
    out: a sink for findings, one JSON line each. expected: lines to compare with, in order.
    """

    def __init__(
        self,
        venues: dict[str, Venue],
        makes: Makes,
        *,
        begin: float,
        out: IO[bytes] | None = None,
        expected: Iterator[bytes] | None = None,
    ) -> None:
        self._venues = venues
        self._makes = makes
        self._begin = begin
        self._out = out
        self._expected = expected
        self._monitors: dict[str, Applies] = {}
        self._digest = Digest()
        self.digests: list[str] = []
        self.records = self.facts = self.findings = 0
        self.first = self.last = 0.0
        self._kinds: Counter[type[Finding]] = Counter()
        self._compared = 0
        self.episodes: Counter[str] = Counter()
        self.restart()

    def restart(self) -> None:
        """Begin a pass with monitors that know nothing. Findings are written and compared in the first only."""
        self._monitors = {name: self._makes(venue) for name, venue in self._venues.items()}
        self._digest = Digest()

    async def send(self, entry: Entry) -> None:
        """Apply one record. Raises Differs at the first finding that is not the expected one."""
        at = moment(entry.record)
        self.records += 1
        self.facts += len(entry.record)
        found = list(replay(self._monitors[entry.venue], entry.venue, [(entry.offset, entry.record)]))
        if at < self._begin:
            return
        self.first, self.last = self.first or at, at
        if found:
            lines = self._digest.add(found)
            if not self.digests:
                self._tell(lines)
            for published in found:
                self._count(published.finding)

    async def close(self) -> None:
        """End a pass. Raises Differs when findings that were expected are missing."""
        if self._expected is not None and not self.digests:
            missing = next(self._expected, None)
            if missing is not None:
                raise Differs(_difference(self._compared + 1, missing, b"(no more findings)"))
        self.digests.append(self._digest.hex())

    def _count(self, finding: Finding) -> None:
        self.findings += 1
        self._kinds[type(finding)] += 1
        if isinstance(finding, EpisodeChanged):
            self.episodes[f"{finding.rule} {finding.state}"] += 1

    def _tell(self, lines: bytes) -> None:
        if self._out is not None:
            self._out.write(lines)
        if self._expected is None:
            return
        for line in lines.splitlines():
            self._compared += 1
            expected = next(self._expected, b"(no more findings)\n").rstrip(b"\n")
            if expected != line:
                raise Differs(_difference(self._compared, expected, line))

    def summary(self, elapsed_s: float) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "venues": list(self._venues),
            "passes": len(self.digests),
            "records": self.records,
            "facts": self.facts,
            "findings": self.findings,
            "types": {str(kind.__struct_config__.tag): count for kind, count in self._kinds.most_common()},
            "episodes": dict(self.episodes.most_common(100)),
            "start": self.first,
            "until": self.last,
            "elapsed_s": round(elapsed_s, 3),
            "facts_per_s": round(self.facts / elapsed_s) if elapsed_s else 0,
            "sha256": self.digests[0] if self.digests else "",
            "same": len(set(self.digests)) <= 1,
        }


def _difference(number: int, expected: bytes, found: bytes) -> str:
    return "\n".join(
        (
            f"finding {number} is not the expected one",
            f"  expected {expected.decode('utf-8', 'replace').strip()}",
            f"  found    {found.decode('utf-8', 'replace').strip()}",
        )
    )


def expected_lines(path: Path) -> Iterator[bytes]:
    """Lines of a findings file that `--out` wrote (gzip too). Raises FlowmonError when it cannot be read."""
    try:
        with cast("IO[bytes]", gzip.open(path)) if path.suffix == ".gz" else path.open("rb") as file:
            yield from file
    except (OSError, EOFError, zlib.error) as error:
        raise FlowmonError(f"{path} cannot be read: {error}") from error

"""What one input may do to a dialect, and the tally of a run. No atheris here, so that it is tested like anything else.

May: facts, Undecodable, Unwanted. Findings: any other exception, facts too large for a record or that cannot be
encoded, text in them that is long or unprintable, an input slower than SLOW_S.
"""

import hashlib
import json
import resource
import time
import traceback
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from flowmon.errors import Undecodable
from flowmon.facts import Fact
from flowmon.wire import encode
from sensors.dialects.bodies import fits
from sensors.dialects.port import Dialect
from tests.fuzz.inputs import unpacked

#: Seconds of processor time one message may take; with the fuzzer's tracing decoding is several times slower.
SLOW_S = 1.0
#: 500 facts of this many bytes are a record below Kafka's limit.
FACT_BYTES = 2_000
#: Different findings kept; a dialect with more has one cause, or is not worth more.
FINDINGS_MAX = 50


class Finding(Struct):
    """Something that must not happen: what, where in the code, how often, and the first input that did it."""

    what: str
    where: str
    times: int
    input: str


class Tally(Struct):
    """A run over one dialect. slowest_s: processor time; slowest_input: its file, once over a millisecond.

    memory_mib: the most this process ever held.
    """

    dialect: str
    inputs: int = 0
    read: int = 0
    refused: int = 0
    seconds: float = 0.0
    slowest_s: float = 0.0
    slowest_input: str = ""
    memory_mib: float = 0.0
    findings: list[Finding] = msgspec.field(default_factory=list)


class Judge:
    """Tries inputs on one dialect; `tally` says what came of it. Inputs of findings are kept in `folder`."""

    def __init__(self, name: str, dialect: Dialect, folder: Path) -> None:
        self.tally = Tally(name)
        self._dialect = dialect
        self._folder = folder
        self._began = time.monotonic()

    def try_one(self, data: bytes) -> None:
        """Decode one input. Raises nothing: what must not happen becomes a finding."""
        message, device = unpacked(data)
        began = time.process_time()
        try:
            facts = self._dialect.decode(message, device)
            self.tally.read += 1
            if field := next((name for fact in facts for name in _unfit(fact)), ""):
                self._found(f"a {field} that is long or unprintable", "", data)
            if len(encode(facts)) > FACT_BYTES * len(facts) + 2:
                self._found("facts larger than a record allows", "", data)
        except Undecodable:
            self.tally.refused += 1
        except Exception as error:  # noqa: BLE001 -- that is what is looked for
            self._found(f"{type(error).__name__}: {error}"[:200], _place(error), data)
        took = time.process_time() - began
        self.tally.inputs += 1
        if took > self.tally.slowest_s:
            self.tally.slowest_s = took
            if took > 0.001:
                self.tally.slowest_input = self._keep("slowest", data)
        if took > SLOW_S:
            self._found(f"slower than {SLOW_S} s", "", data)

    def _found(self, what: str, where: str, data: bytes) -> None:
        kind = what.partition(":")[0]
        for known in self.tally.findings:
            if (known.what.partition(":")[0], known.where) == (kind, where):
                known.times += 1
                return
        if len(self.tally.findings) < FINDINGS_MAX:
            name = hashlib.sha256(f"{kind} {where}".encode()).hexdigest()[:8]
            self.tally.findings.append(Finding(what, where, 1, self._keep(name, data)))

    def _keep(self, name: str, data: bytes) -> str:
        path = self._folder / f"{self.tally.dialect}-{name}"
        self._folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return str(path)

    def report(self) -> dict[str, Any]:
        """The tally so far, as JSON values."""
        self.tally.seconds = round(time.monotonic() - self._began, 2)
        self.tally.memory_mib = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
        found: dict[str, Any] = json.loads(encode(self.tally))
        return found


def _unfit(fact: Fact) -> list[str]:
    return [name for name in fact.__struct_fields__ if isinstance(text := getattr(fact, name), str) and not fits(text)]


def _place(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/sensors/" in frame.filename or "/flowmon/" in frame.filename]
    last = (ours or list(frames))[-1]
    return f"{Path(last.filename).name}:{last.lineno} {last.name}"

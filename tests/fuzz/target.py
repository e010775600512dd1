"""`python -m tests.fuzz.target DIALECT FOLDER RUNS SECONDS`: one dialect under atheris, in a process of its own.

Ends after RUNS inputs or SECONDS, whichever is first (0: no such bound), with FOLDER/DIALECT.json written. libFuzzer
ends it with a code of its own when one input takes longer than HANG_S or memory passes MEMORY_MIB.
"""

import json
import os
import sys
import time
from pathlib import Path

import atheris  # type: ignore[import-untyped,import-not-found,unused-ignore]

with atheris.instrument_imports(include=["sensors"]):
    from sensors.dialects import DIALECTS

from tests.fuzz.inputs import LONGEST, dictionary, packed, words
from tests.fuzz.judge import Judge
from tests.fuzz.mutation import mutated
from tests.typical import DEVICE, TYPICAL

HANG_S = 20
MEMORY_MIB = 1024
_TELL_EVERY = 1024


def main(name: str, folder: Path, runs: int, seconds: float) -> None:
    """Fuzz until a bound is met; does not return."""
    judge = Judge(name, DIALECTS[name], folder / "inputs")
    report = folder / f"{name}.json"
    deadline = time.monotonic() + seconds if seconds else float("inf")

    def one(data: bytes) -> None:
        judge.try_one(data)
        tried = judge.tally.inputs
        if tried % _TELL_EVERY and tried != runs:
            return
        report.write_text(json.dumps(judge.report()))
        if tried == runs or time.monotonic() > deadline:
            os._exit(0)  # libFuzzer has no end of its own that lets Python write a report

    corpus = folder / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, message in enumerate(TYPICAL.get(name, [])):
        for device in ("", DEVICE):
            (corpus / f"typical-{number}{device}").write_bytes(packed(message, device))
    known = folder / "words.dict"
    sources = Path(sys.modules["sensors.dialects"].__path__[0])
    vocabulary = words(sources)
    known.write_text(dictionary(vocabulary))

    def mutate(data: bytes, longest: int, seed: int) -> bytes:
        """Half of the time inside the JSON, else anywhere."""
        *head, payload = data.split(b"\n", 3)
        if seed % 2 and len(head) == 3:
            inner = mutated(payload, seed, vocabulary, lambda part: atheris.Mutate(part, len(part) + 8))
            if inner is not None:
                return b"\n".join([*head, inner])[:longest]
        changed: bytes = atheris.Mutate(data, longest)
        return changed

    options = [
        f"-max_len={LONGEST}",
        f"-dict={known}",
        f"-timeout={HANG_S}",
        f"-rss_limit_mb={MEMORY_MIB}",
        f"-artifact_prefix={folder / 'inputs' / name}-",
        "-len_control=20",
        "-print_final_stats=0",
        "-verbosity=0",
        str(corpus),
    ]
    (folder / "inputs").mkdir(parents=True, exist_ok=True)
    atheris.Setup([sys.argv[0], *options], one, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))

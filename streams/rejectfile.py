"""What a one-process engine could not use, as JSON lines beside its journal; bounded, for people to look into."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from flowmon import wire
from flowmon.errors import JournalError, Undecodable
from flowmon.facts import Sighting
from flowmon.findings import Rejected

MOST_BYTES = 16 << 20
#: Longer than any reject: 4 KB of raw bytes in base64 and some short texts.
LINE_MAX = 64 << 10


def append(path: Path, rejects: Sequence[Rejected | Sighting], *, most: int = MOST_BYTES) -> None:
    """Add lines to a file. Past `most` bytes it becomes `NAME.old.jsonl`, in place of the one before.

    Sightings go the same way, where they are kept for `flowmon calibrate`.

    Raises JournalError when the disk refuses; the file then stands as before.
    """
    lines = b"".join(msgspec.json.encode(reject) + b"\n" for reject in rejects)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > most:
            path.replace(path.with_suffix(".old.jsonl"))
        _append(path, lines)
    except OSError as error:
        raise JournalError(f"cannot write {path}: {error.strerror or error}; free space, it is tried again") from error


def _append(path: Path, lines: bytes) -> None:
    with path.open("ab", buffering=0) as file:
        size = file.seek(0, 2)
        try:
            while lines:
                lines = lines[file.write(lines) :]
        except OSError:
            file.truncate(size)  # half a line could not be read, and the whole is written again
            raise


def read(path: Path) -> Iterator[Rejected]:
    """The rejects of a file and of the one before it, oldest first. What is no reject (a line cut off) is left out.

    Raises JournalError when a file cannot be read.
    """
    for part in (path.with_suffix(".old.jsonl"), path):
        try:
            with part.open("rb") as file:
                while line := file.readline(LINE_MAX):
                    with contextlib.suppress(Undecodable):
                        found = wire.decode_finding(line)
                        if isinstance(found, Rejected):
                            yield found
        except FileNotFoundError:
            continue
        except OSError as error:
            raise JournalError(f"cannot read {part}: {error.strerror or error}") from error

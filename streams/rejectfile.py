"""What a one-process engine could not use, as JSON lines beside its journal; bounded, for people to look into."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from flowmon.errors import JournalError
from flowmon.findings import Rejected

MOST_BYTES = 16 << 20


def append(path: Path, rejects: Sequence[Rejected], *, most: int = MOST_BYTES) -> None:
    """Add lines to a file. Past `most` bytes it becomes `NAME.old.jsonl`, in place of the one before.

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

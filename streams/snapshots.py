"""Checkpoints of the one-process engine: one file a venue, replaced whole, so that a kill leaves the old or the new."""

import logging
import os
from pathlib import Path

import msgspec
from msgspec import Struct

from flowmon.errors import JournalError

_log = logging.getLogger(__name__)


class Checkpoint(Struct):
    """A monitor's or presence tracker's snapshot, and the journal offset it includes (-1: none)."""

    offset: int
    snapshot: bytes


def load(path: Path) -> Checkpoint | None:
    """The checkpoint in a file; None when there is none that can be read (the journal then tells everything)."""
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=Checkpoint)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        _log.warning("%s cannot be read (%s): starting from the journal", path, error)
        return None


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Replace a checkpoint durably. Raises JournalError when the disk refuses."""
    fresh = path.with_suffix(".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with fresh.open("wb") as file:
            file.write(msgspec.msgpack.encode(checkpoint))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        raise JournalError(
            f"cannot write {path}: {error.strerror or error}; free space, nothing is lost yet"
        ) from error

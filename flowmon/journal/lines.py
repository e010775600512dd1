"""The recording format, which is also what a segment of the file journal looks like: JSON lines, UTF-8.

    {"flowmon":"recording","version":1,"venue":"museum","fingerprint":"…","simulated":true,"first_offset":0}
    [{"type":"tick","at":1.0,"source":"ticker","seq":1}]
    [{"type":"count",…},{"type":"count",…}]

The n-th record line has offset `first_offset + n`, counted from 0. A line `{"offset":N}` says that the next
record has offset N > the one before: a venue that shares a Kafka partition has such gaps, and keeping them
keeps the names of its findings. Further header fields are free; `plan` holds the whole venue where known, so
that a recording can be replayed without its venue file. Files whose bytes are gzip are read as such.
"""

import contextlib
import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, cast

import msgspec
from msgspec import Struct

from flowmon import wire
from flowmon.errors import JournalError, Undecodable
from flowmon.facts import Record
from flowmon.venue.model import Venue, fingerprint

VERSION = 1
#: The longest line that is read or written, bytes. A full record of 500 facts has about 100 KB.
LINE_MAX = 16 << 20
_PROGRESS_EVERY = 256

_KNOWN = ("flowmon", "version", "venue", "fingerprint", "simulated", "first_offset", "plan")


class Header(Struct, frozen=True, kw_only=True):
    """The first line: what was recorded. `more` is free metadata (scenario, seed …), JSON values."""

    venue: str
    fingerprint: str = ""
    simulated: bool = False
    first_offset: int = 0
    plan: Venue | None = None
    more: dict[str, Any] = {}


class _Gap(Struct, frozen=True):
    offset: int


_gap_decoder = msgspec.json.Decoder(_Gap)


def header_of(venue: Venue, *, first_offset: int = 0, simulated: bool = False, **more: Any) -> Header:
    """The header of a recording of `venue`, with the whole plan inside."""
    return Header(
        venue=venue.id,
        fingerprint=fingerprint(venue),
        simulated=simulated or venue.simulated,
        first_offset=first_offset,
        plan=venue,
        more=more,
    )


def encode_header(header: Header) -> bytes:
    """One line, newline included. Raises ValueError when `more` uses a name of the format."""
    if taken := set(header.more) & set(_KNOWN):
        raise ValueError(f"header metadata may not use the names {sorted(taken)}")
    fields: dict[str, Any] = {
        "flowmon": "recording",
        "version": VERSION,
        "venue": header.venue,
        "fingerprint": header.fingerprint,
        "simulated": header.simulated,
        "first_offset": header.first_offset,
        **header.more,
    }
    if header.plan is not None:
        fields["plan"] = header.plan
    return wire.encode(fields) + b"\n"


def decode_header(line: bytes) -> Header:
    """The first line of a recording. Raises Undecodable when it is none, or of a later version."""
    try:
        fields = msgspec.json.decode(line, type=dict[str, Any])
        if fields.get("flowmon") != "recording":
            raise Undecodable('not a flowmon recording: its first line has no "flowmon":"recording"')
        if fields.get("version") != VERSION:
            raise Undecodable(f"version {fields.get('version')!r}; this flowmon reads version {VERSION}")
        more = {name: value for name, value in fields.items() if name not in _KNOWN}
        return msgspec.convert({**fields, "more": more}, Header)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Undecodable(f"no header of a recording: {error}") from error


def encode_line(record: Record) -> bytes:
    """One record as a line, newline included.

    Raises Undecodable when what was written could not be read back (a time that is no number, a text that is
    no Unicode, more than 16 MiB): such a record must never enter a journal, and trying again does not help.
    """
    try:
        data = wire.encode(record)
    except (ValueError, OverflowError, TypeError) as error:
        raise Undecodable(f"a record cannot be written as JSON: {error}") from error
    wire.decode_record(data)
    if len(data) >= LINE_MAX:
        raise Undecodable(f"a record has {len(data)} bytes, more than {LINE_MAX}; write it in parts")
    return data + b"\n"


def read_header(path: Path) -> Header:
    """The header of a recording. Raises JournalError."""
    for line in _lines(path):
        try:
            return decode_header(line)
        except Undecodable as error:
            raise JournalError(f"{path}, line 1: {error.reason}") from error
    raise JournalError(f"{path} is empty: not a flowmon recording")


def read_recording(
    path: Path, *, progress: Callable[[int], None] | None = None
) -> tuple[Header, Iterator[tuple[int, Record]]]:
    """Open a recording: its header, and its records with their offsets, in order, in bounded memory.

    progress: told now and then how many bytes of the file have been read.
    Raises JournalError naming the line, at once for the header and while iterating for a record.
    """
    header = read_header(path)
    return header, _records(path, header.first_offset, progress)


def _records(path: Path, offset: int, progress: Callable[[int], None] | None) -> Iterator[tuple[int, Record]]:
    for number, line in enumerate(_lines(path, progress), start=1):
        if number == 1:
            continue
        try:
            if line.startswith(b"{"):
                offset = _gap(line, offset)
                continue
            record = wire.decode_record(line)
        except Undecodable as error:
            raise JournalError(f"{path}, line {number}: {error.reason}") from error
        yield offset, record
        offset += 1


def _gap(line: bytes, expected: int) -> int:
    try:
        offset = _gap_decoder.decode(line).offset
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Undecodable(f"neither a record nor an offset: {error}") from error
    if offset < expected:
        raise Undecodable(f"offset {offset} runs backwards, at least {expected} was due")
    return offset


def _lines(path: Path, progress: Callable[[int], None] | None = None) -> Iterator[bytes]:
    """Lines without their newline. A last line that is not finished is an error: something is missing."""
    number = 0
    try:
        with path.open("rb") as file, _unzipped(file) as stream:
            while line := stream.readline(LINE_MAX):
                number += 1
                if progress is not None and number % _PROGRESS_EVERY == 0:
                    progress(file.tell())
                if not line.endswith(b"\n"):
                    raise JournalError(_unfinished(path, number, len(line)))
                yield line[:-1]
    except (OSError, EOFError, zlib.error) as error:
        raise JournalError(f"{path}, after line {number}: {error}") from error


def _unfinished(path: Path, number: int, size: int) -> str:
    if size >= LINE_MAX:
        return f"{path}, line {number} is longer than {LINE_MAX} bytes: not a flowmon recording"
    return f"{path}, line {number} is not finished (the file was cut off): copy it again or remove that line"


def _unzipped(file: IO[bytes]) -> IO[bytes]:
    zipped = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    return cast("IO[bytes]", gzip.open(file)) if zipped else file


def write_recording(path: Path, header: Header, records: Iterable[Record]) -> int:
    """Write a whole recording (gzip when the name ends in `.gz`); returns the number of records.

    The file appears under its name only when it is complete. Equal input gives equal bytes.
    Raises JournalError when it cannot be written, Undecodable for a record that cannot be read back.
    """
    return write_entries(path, header, enumerate(records, start=header.first_offset))


def write_entries(path: Path, header: Header, entries: Iterable[tuple[int, Record]]) -> int:
    """Like write_recording, for records that keep the offsets they have (rising, gaps allowed)."""
    count, due = 0, header.first_offset
    with new_file(path) as stream:
        stream.write(encode_header(header))
        for offset, record in entries:
            if offset < due:
                raise ValueError(f"offset {offset} after {due - 1}: offsets must rise")
            if offset > due:
                stream.write(wire.encode(_Gap(offset)) + b"\n")
            stream.write(encode_line(record))
            count, due = count + 1, offset + 1
    return count


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[IO[bytes]]:
    """A file to write, gzip when its name ends in `.gz`, that appears under its name when all went well.

    Raises JournalError when it cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file, _zipped(file, path) as stream:
            yield stream
        part.replace(path)
    except OSError as error:
        raise JournalError(
            f"cannot write {path}: {error.strerror or error}; free space, or name another place"
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _zipped(file: IO[bytes], path: Path) -> IO[bytes]:
    # No name and no time inside: the same records give the same bytes.
    return cast("IO[bytes]", gzip.GzipFile("", "wb", 6, file, mtime=0)) if path.suffix == ".gz" else file

"""The bytes of a data file, packed by gzip or not, of a size that memory can hold."""

import gzip
import zlib
from pathlib import Path

from flowmon.errors import FlowmonError


def contents(path: Path, most: int, invalid: type[FlowmonError]) -> bytes:
    """At most `most` bytes, unpacked. Raises `invalid`, saying what to do about it."""
    try:
        with path.open("rb") as file:
            magic = file.read(2)
            file.seek(0)
            data = (gzip.GzipFile(fileobj=file) if magic == b"\x1f\x8b" else file).read(most + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise invalid(f"{path}: broken gzip ({error}): unpack it or fetch it again") from error
    except OSError as error:
        raise invalid(f"{path}: {error.strerror or error}") from error
    if len(data) > most:
        raise invalid(f"{path}: more than {most >> 20} MiB: cut the file")
    return data

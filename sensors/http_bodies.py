"""Bodies of HTTP requests: unpacked within a bound. Pure.

Source: RFC 9110 §8.4.1 (`deflate` is zlib's format, though some devices send it bare; `x-gzip` is `gzip`).
"""

import zlib

_AUTO = 32 + zlib.MAX_WBITS  # gzip or zlib, told apart by their first bytes
_PARTS_MAX = 16
ENCODINGS = frozenset({"gzip", "x-gzip", "deflate"})


class TooLarge(Exception):
    """A body is longer than allowed, or unpacks to more."""


class Broken(Exception):
    """A body is not what its content-encoding says."""


def unpack(body: bytes, encoding: str, most: int) -> bytes:
    """A body as it was before `encoding` (one of ENCODINGS). Never holds more than `most` + 1 bytes of it.

    Raises TooLarge beyond `most` bytes, Broken for anything but whole, correct data.
    """
    try:
        return _unpack(body, _AUTO, most)
    except Broken:
        if encoding != "deflate":
            raise
        return _unpack(body, -zlib.MAX_WBITS, most)


def _unpack(body: bytes, window: int, most: int) -> bytes:
    parts: list[bytes] = []
    room = most + 1
    for _ in range(_PARTS_MAX):  # gzip files may stand one after the other
        engine = zlib.decompressobj(window)
        try:
            parts.append(engine.decompress(body, room))
        except zlib.error as error:
            raise Broken(str(error)) from None
        room -= len(parts[-1])
        if room <= 0:
            raise TooLarge
        if not engine.eof:
            raise Broken("it ends early")
        body = engine.unused_data
        if not body:
            return b"".join(parts)
    raise Broken(f"more than {_PARTS_MAX} packed parts")

"""Payload bytes to JSON values, and the few readings every JSON dialect needs. No input is trusted here.

Reasons begin with fixed words; what comes from the payload stands after a colon, so that they can be counted.
"""

import json
import math
import re
from datetime import datetime
from typing import Never

import msgspec

from flowmon.errors import Undecodable

_BOM = b"\xef\xbb\xbf"
#: The longest name, and the longest sentence, a device may send. They bound a record of 500 facts below 1 MB.
NAME_MAX = 100
TEXT_MAX = 200
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_BETWEEN = re.compile(r"[^a-z0-9]+")
_MAC = re.compile(r"[0-9a-fA-F]{12}")
#: JSON numbers are exact up to here in every language that may read them again.
INTEGER_MAX = 2**53


def document(payload: bytes) -> object:
    """The one JSON value of a payload. Raises Undecodable."""
    try:
        return msgspec.json.decode(payload.removeprefix(_BOM))
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Undecodable(f"not JSON: {error}") from None
    except RecursionError:
        raise Undecodable("not JSON: nested too deeply") from None


def documents(payload: bytes) -> list[object]:
    """The JSON values of a payload that may hold several without a delimiter between. Raises Undecodable."""
    try:
        return [document(payload)]
    except Undecodable as error:
        if "trailing" not in error.reason:
            raise
    text = _text(payload)
    found: list[object] = []
    position = 0
    try:
        while position < len(text):
            value, position = _decoder.raw_decode(text, position)
            found.append(value)
            while position < len(text) and text[position].isspace():
                position += 1
    except ValueError as error:
        raise Undecodable(f"not JSON: {error}") from None
    except RecursionError:
        raise Undecodable("not JSON: nested too deeply") from None
    return found


def _text(payload: bytes) -> str:
    try:
        return payload.removeprefix(_BOM).decode().strip()
    except UnicodeDecodeError:
        raise Undecodable("not JSON: not UTF-8 text") from None


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is no JSON number")


_decoder = json.JSONDecoder(parse_constant=_no_constant)


def table(value: object, what: str) -> dict[str, object]:
    """`value` as a JSON object. Raises Undecodable naming `what`."""
    if not isinstance(value, dict):
        raise Undecodable(f"{what} is not a JSON object")
    return value


def rows(value: object, what: str) -> list[object]:
    """`value` as a JSON array. Raises Undecodable naming `what`."""
    if not isinstance(value, list):
        raise Undecodable(f"{what} is not a JSON array")
    return value


def name(value: object, what: str) -> str:
    """`value` as a name: text, or a whole number written out. Raises Undecodable."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= INTEGER_MAX:
        return str(value)
    if not isinstance(value, str) or not value or not fits(value, NAME_MAX):
        raise Undecodable(f"{what} is not a name of 1 to {NAME_MAX} printable characters")
    return value


def mac(text: str) -> str:
    """A hardware address in one spelling, 12 capitals ("b8:a4:4f:a8:9c:85" -> "B8A44FA89C85"); else as it stands."""
    bare = re.sub(r"[:.\-]", "", text)
    return bare.upper() if _MAC.fullmatch(bare) else text


def slug(text: str) -> str:
    """A name spelt as an id of a venue file ("Salle 711" -> "salle-711"); "" when no letter or digit is left."""
    return _BETWEEN.sub("-", text[:NAME_MAX].lower()).strip("-")


def fits(text: str, most: int = TEXT_MAX) -> bool:
    """Whether text is at most `most` characters long and has no control characters or half surrogates."""
    return len(text) <= most and _UNPRINTABLE.search(text) is None


def people(value: object, what: str) -> int:
    """`value` as a number of people or crossings: whole, not negative. Raises Undecodable."""
    count = number(value, what)
    if count != int(count) or not 0 <= count <= INTEGER_MAX:
        raise Undecodable(f"{what} is not a whole number from 0 on: {value!r}")
    return int(count)


def digits(value: object, what: str) -> int:
    """`value` as `people`, where a format writes its numbers as text of ASCII digits. Raises Undecodable."""
    if not isinstance(value, str):
        return people(value, what)
    text = value.strip()
    if not (text.isascii() and text.isdecimal() and len(text) <= 16):
        raise Undecodable(f"{what} is not a whole number from 0 on: {value[:40]!r}")
    return people(int(text), what)


def number(value: object, what: str) -> float:
    """`value` as a finite number; numbers in quotes are refused. Raises Undecodable."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Undecodable(f"{what} is not a number")
    if isinstance(value, int) and abs(value) > INTEGER_MAX:
        raise Undecodable(f"{what} is beyond 2^53 and cannot be exact")
    if not math.isfinite(value):
        raise Undecodable(f"{what} is not finite")
    return value


def instant(value: object, what: str) -> float:
    """A time as seconds UTC: RFC 3339 text with an offset, or a number as for `seconds`. Raises Undecodable."""
    return _rfc3339(value, what) if isinstance(value, str) else seconds(value, what)


def seconds(value: object, what: str) -> float:
    """A time as seconds UTC, from a number of s, ms or µs told apart by magnitude: years 1970 to 5138.

    A wrong clock (2000, 2099) is a valid time: judging it is the intake's work. Raises Undecodable.
    """
    time = number(value, what)
    for scale in (1.0, 1e3, 1e6):
        if 0 <= time < 1e11 * scale:
            return time / scale
    raise Undecodable(f"{what} is not a time in s, ms or µs since 1970: {value!r}")


def lasts(start: float, end: float, people: int, what: str) -> bool:
    """Whether a window says anything: not when it is no time and nobody passed in it.

    Raises Undecodable, beginning with `what`, for a window that ends before it begins, or has people in no time.
    """
    if start < end:
        return True
    if start == end and not people:
        return False
    raise Undecodable(f"{what} must begin before it ends: {people} people in {end - start:g} s are not counted")


def _rfc3339(text: str, what: str) -> float:
    try:
        moment = datetime.fromisoformat(text) if len(text) <= NAME_MAX else None
        if moment is not None and moment.tzinfo is not None:
            time = moment.timestamp()
            if time >= 0:
                return time
    except (ValueError, OverflowError):
        pass
    raise Undecodable(f"{what} is not a time with an offset like RFC 3339 has: {text[:40]!r}")

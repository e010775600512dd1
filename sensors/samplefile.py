"""A file somebody kept of what a device sent, as the bytes of one message; and what is wrong with its JSON, in words.

Hex digits are bytes written down: always in a `.hex` file, elsewhere when there is nothing else in the file. A whole
number of at most PLAIN_MAX digits is left as it is (a bare count is a payload of some devices). Base64 is never
guessed: too much text is base64 by accident.
"""

import json
import re
import sys
from pathlib import Path

from flowmon.errors import FlowmonError

#: Largest message the gateway takes, bytes; twice as many digits, some line breaks.
PAYLOAD_MAX = 1_000_000
_FILE_MAX = 3 * PAYLOAD_MAX
PLAIN_MAX = 15
_HEX = re.compile(rb"[0-9A-Fa-f\s]+")
_NEAR = 24


def read(path: str) -> tuple[bytes, bool]:
    """(payload, whether it was written in hex) of a file, or of standard input for `-`.

    Raises FlowmonError when it cannot be opened, is larger than a message may be, or a `.hex` file is no hex.
    """
    try:
        if path == "-":
            data = sys.stdin.buffer.read(_FILE_MAX + 1)
        else:
            with Path(path).open("rb") as file:
                data = file.read(_FILE_MAX + 1)
    except OSError as error:
        raise FlowmonError(f"{path} cannot be read: {error.strerror or error}") from error
    payload, written = unhexed(data, named=path.endswith(".hex"), path=path)
    if len(payload) > PAYLOAD_MAX:
        raise FlowmonError(f"{path} is larger than 1 MB, the most the gateway takes: keep one message in a file")
    return payload, written


def unhexed(data: bytes, *, named: bool = False, path: str = "the file") -> tuple[bytes, bool]:
    """(bytes, whether they were written in hex). named: the file's name says so. Raises FlowmonError.

    >>> unhexed(b"03D2 48000000"), unhexed(b"12"), unhexed(b"12", named=True)
    ((b'\\x03\\xd2H\\x00\\x00\\x00', True), (b'12', False), (b'\\x12', True))
    """
    digits = b"".join(data.split())
    if not named and (len(digits) <= PLAIN_MAX and digits.isdigit()):
        return data, False
    if digits and len(digits) % 2 == 0 and _HEX.fullmatch(data):
        return bytes.fromhex(digits.decode("ascii")), True
    if named:
        raise FlowmonError(f"{path} is named .hex and is not pairs of hex digits: mend it, or name it otherwise")
    return data, False


def json_trouble(payload: bytes) -> str:
    """What is wrong with bytes that look like JSON, in a sentence that says where; "" when nothing is, or no JSON."""
    if payload.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "the text is UTF-16: save it as UTF-8"
    start = payload.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start.startswith((b"{", b"[")):
        return ""
    try:
        json.loads(start)
    except UnicodeDecodeError as error:
        return f"the text is not UTF-8 from byte {error.start} on: save it as UTF-8"
    except json.JSONDecodeError as error:
        return _sentence(error)
    except RecursionError:
        return "the JSON is nested too deeply"
    except ValueError as error:
        return f"not JSON: {error}"
    return ""


def _sentence(error: json.JSONDecodeError) -> str:
    place = f"line {error.lineno}, column {error.colno}"
    near = error.doc[error.pos : error.pos + _NEAR].split("\n")[0].strip()
    before = error.doc[: error.pos].rstrip()[-1:]
    match error.msg:
        case "Extra data":
            return (
                f"several JSON values follow one another ({place}): one message is one value, so keep one in a file "
                "(xovis, xovis-live and xovis-legacy read such a stream)"
            )
        case _ if not near:
            return f"the JSON ends too early, at {place}: it was cut off, or a bracket is missing"
        case "Expecting ',' delimiter":
            return f"the JSON breaks at {place}, before {near!r}: a comma is missing there"
        case _ if before == "," and near[:1] in {"}", "]"}:
            return f"the JSON breaks at {place}, before {near!r}: there is a comma too many"
        case message if message.startswith("Illegal trailing comma"):
            return f"the JSON breaks at {place}: there is a comma too many"
        case "Expecting property name enclosed in double quotes":
            return f"the JSON breaks at {place}, at {near!r}: names stand in double quotes (comments are not allowed)"
        case message:
            return f"the JSON breaks at {place}, at {near!r}: {message[:1].lower() + message[1:]}"

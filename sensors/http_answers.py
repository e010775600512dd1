"""What devices that post are answered. Pure.

A 2xx says "it is on the disk, forget it"; anything else says "it is yours still". Bodies are JSON, for the people who
look into a device's log; devices read the status.

What devices want, as far as it is written down:
* Hikvision: 200 with any body (dumacp/go-hikvision answers `{"status": "OK"}` to cameras in service).
* Irisys Vector: 200 with an empty body, as the vendor's example server gives (IrisysUK/vectorhttppost).
* Xovis, Axis, Milesight: nothing found but that they want a 2xx.
"""

import json
from collections.abc import Mapping

from msgspec import Struct

#: Dialect -> the body of its 200, where the usual one is not known to do.
_BODIES: Mapping[str, bytes] = {"irisys": b""}
_OK = b'{"status": "OK"}'
#: Dialect -> the digest algorithms its devices know, best first.
_ALGORITHMS: Mapping[str, tuple[str, ...]] = {"hikvision": ("MD5",)}
#: Bytes of a body, packed or not; the gateway refuses more, whoever brings it.
BODY_MAX = 1_000_000
_BOTH = ("SHA-256", "MD5")


class Refusal(Exception):
    """An answer that is no 2xx. reason: what is wrong and what to do. headers: beside those that all answers have.

    close: end the connection with it, because more of the body may come.
    """

    def __init__(self, status: int, reason: str, *headers: tuple[str, str], close: bool = False) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = headers
        self.close = close

    @property
    def body(self) -> bytes:
        """`{"error": …}`."""
        return json.dumps({"error": self.reason}, ensure_ascii=False).encode(errors="replace")


class Limits(Struct, frozen=True):
    """What one listener bears. Bytes and seconds.

    held_max, bytes_max: messages, and bytes of bodies, under way at once.
    answer_s: until the journal must have confirmed. body_s, grace_s, rate: a body must be here after body_s seconds,
    and after grace_s seconds with `rate` bytes a second. connections: most at once. first_s: until a new connection
    has sent a request. idle_s: between requests.
    """

    held_max: int = 500
    bytes_max: int = 64 << 20
    answer_s: float = 10.0
    body_s: float = 30.0
    grace_s: float = 8.0
    rate: float = 200.0
    connections: int = 512
    first_s: float = 15.0
    idle_s: float = 75.0


def accepted(dialect: str) -> bytes:
    """The body of a 200 to a device of a dialect."""
    return _BODIES.get(dialect, _OK)


def algorithms(dialect: str) -> tuple[str, ...]:
    """The digest algorithms to offer to a device of a dialect, best first: many read the first challenge only."""
    return _ALGORITHMS.get(dialect, _BOTH)


def busy(reason: str, after_s: int = 5) -> Refusal:
    """A 503: nothing is wrong with the message, send it again."""
    return Refusal(503, reason, ("Retry-After", str(after_s)))

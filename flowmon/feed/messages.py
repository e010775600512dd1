"""What travels on a feed socket (`flowmon.v1`): what clients may say, how it is read, and the codes that close.

Text frames, one JSON object each, `t` says which. Unknown fields are ignored on both sides.
"""

from typing import Any

import msgspec
from msgspec import Struct

from flowmon.errors import Undecodable

SUBPROTOCOL = "flowmon.v1+json"
VERSION = 1
#: The oldest app that understands this feed; an older one is told to reload (4426).
OLDEST_APP = "0.1.0"

MESSAGE_MAX = 16 * 1024
MESSAGES_PER_S = 20
SUBSCRIPTIONS_MAX = 32
HELLO_S = 10.0
HEARTBEAT_S = 2.0

BAD_MESSAGE = 4400
BAD_TOKEN = 4401
FORBIDDEN = 4403
NO_SUBPROTOCOL = 4406
NO_HELLO = 4408
TOO_SLOW = 4410
TOO_OLD = 4426
TOO_MANY = 4429

KEYED_CHANNELS = ("zones", "queues", "sensors", "forecast", "kpi", "why")
LOG_CHANNELS = ("alerts", "audit")

Fields = dict[str, Any]


class Close(Struct, frozen=True):
    """Why a connection ends: a code of the list above and a sentence (at most 123 bytes, RFC 6455)."""

    code: int
    reason: str


class App(Struct, frozen=True):
    """Which page speaks, for the log and for the version check."""

    name: str = ""
    ver: str = ""


class Hello(Struct, frozen=True, tag_field="t", tag="hello"):
    """The first message, within HELLO_S seconds."""

    v: int
    token: str = ""
    app: App = App()
    lang: str = ""


class Where(Struct, frozen=True):
    """Which keys of a channel: on one of the floors and among the ids. Empty means all."""

    floor: tuple[str, ...] = ()
    id: tuple[str, ...] = ()


#: Asks for everything.
EVERYTHING = Where()


class Since(Struct, frozen=True):
    """What the client already has of a channel."""

    epoch: str
    seq: int


class Sub(Struct, frozen=True, tag_field="t", tag="sub"):
    """Subscribe to a channel, or again with another `where` or after a gap. `max_hz` bounds state deltas.

    last: of a log, tell so many of its latest events first, as far as they are still here.
    """

    ch: str
    id: int = 0
    where: Where = EVERYTHING
    max_hz: float | None = None
    since: Since | None = None
    venue: str = ""
    last: int = 0


class Unsub(Struct, frozen=True, tag_field="t", tag="unsub"):
    """No more of a channel."""

    ch: str
    id: int = 0
    venue: str = ""


class Ok(Struct, frozen=True, tag_field="t", tag="ok"):
    """Credit: everything up to these sequence numbers has been painted, `seen_ms` after it arrived."""

    seq: dict[str, int]
    seen_ms: float | None = None


class Other(Struct, frozen=True):
    """A message by its head only: a command (`wire.decode_command` reads the rest) or a type not known here."""

    t: str
    id: int = 0
    venue: str = ""


Said = Hello | Sub | Unsub | Ok

_other = msgspec.json.Decoder(Other)
_said = msgspec.json.Decoder(Said)
encode = msgspec.json.Encoder().encode


def read(data: str) -> Said | Other:
    """A message from a client. Raises Undecodable when it is no such message."""
    try:
        other = _other.decode(data)
        return _said.decode(data) if other.t in {"hello", "sub", "unsub", "ok"} else other
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Undecodable(str(error)) from error


def is_older(app: str, oldest: str = OLDEST_APP) -> bool:
    """Whether version `app` is before `oldest`. A version that cannot be read is taken as current.

    >>> is_older("0.0.9"), is_older("0.1.0"), is_older("1.0"), is_older("nightly")
    (True, False, False, False)
    """
    try:
        return bool(app) and [int(part) for part in app.split(".")] < [int(part) for part in oldest.split(".")]
    except ValueError:
        return False

"""Beacon tokens: what flowmon keeps instead of a beacon's id, and of which beacons. Pure, given the key.

A token is a keyed hash: nobody without the key can try ids against it, and it means nothing once the key is gone.
How long a key lives is the venue's privacy mode:

    count-only   no tokens: neither sightings nor presences are written
    anon-5min    five minutes: a carrier becomes another one on the way, so no stay of over five minutes is seen, and
                 around each change one carrier is two for as long as the old token takes to expire (90 s)
    pseudo-24h   one day of the museum, from 04:00 local, so that no opening hours are split
    consent      as long as the process, or as the secret; only of beacons the venue file lists as handed out

The strictest that serves: a venue without receivers is count-only whatever its file says, as nobody could be placed.
With receivers the default is pseudo-24h, as dwell and people in a room by beacons need one token a visit.
"""

import hashlib
import hmac
import math
import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from flowmon.venue.model import Venue

Mode = Literal["count-only", "anon-5min", "pseudo-24h", "consent"]

_TOKEN = re.compile(r"tok-[0-9a-f]{20}")
#: The museum's day starts here, local time: late enough for any night opening.
_DAY_STARTS = timedelta(hours=4)


def mode(venue: Venue) -> Mode:
    """How a venue treats beacons: its file's mode, or count-only where no receiver could place one."""
    return venue.privacy.mode if venue.receivers else "count-only"


def keeps(venue: Venue, beacon: str) -> bool:
    """Whether a venue keeps anything of this beacon: where it lists beacons, of those alone."""
    listed = venue.privacy.beacons
    match mode(venue):
        case "count-only":
            return False
        case "consent":
            return _is_listed(beacon, listed)
        case _:
            return not listed or _is_listed(beacon, listed)


def _is_listed(beacon: str, listed: list[str]) -> bool:
    """Whether a beacon is one of those listed, or of a family of them: the name as far as a `-`, `:` or its end."""
    name = beacon.lower()
    return any(
        name == start or (name.startswith(start) and (start[-1:] in "-:" or name[len(start)] in "-:"))
        for start in (entry.lower() for entry in listed)
        if start
    )


def token(key: bytes, beacon: str) -> str:
    """The token of a beacon under a key: `tok-` and 20 hex digits. Any spelling of the letters gives the same.

    >>> token(b"k" * 32, "iBeacon:e2c5-1-7") == token(b"k" * 32, "ibeacon:E2C5-1-7")
    True
    """
    digest = hmac.new(key, beacon.lower().encode(), hashlib.sha256)
    return f"tok-{digest.hexdigest()[:20]}"


def is_token(beacon: str) -> bool:
    """Whether this is a token already (a recording played again, a receiver that does it itself)."""
    return _TOKEN.fullmatch(beacon) is not None


def period(venue: Venue, at: float) -> str:
    """The name of the time during which one key is used at `at` (seconds UTC, gateway clock)."""
    match mode(venue):
        case "anon-5min":
            return f"{int(at // 300)}"
        case "consent":
            return "consent"
        case _:
            return _day(venue, at).isoformat()


def ends(venue: Venue, at: float) -> float:
    """When the period of `at` is over and its key must be gone, seconds UTC; infinity for consent."""
    match mode(venue):
        case "anon-5min":
            return (at // 300 + 1) * 300
        case "consent":
            return math.inf
        case _:
            morning = datetime.combine(_day(venue, at) + timedelta(days=1), time(), ZoneInfo(venue.timezone))
            return (morning + _DAY_STARTS).timestamp()


def _day(venue: Venue, at: float) -> date:
    local = datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(venue.timezone))
    return (local - _DAY_STARTS).date()


def key(secret: bytes, venue: str, named: str) -> bytes:
    """The key of a venue in a period: 32 bytes, derived from a secret of any length."""
    return hmac.new(secret, f"{venue}|{named}".encode(), hashlib.sha256).digest()

"""Beacon tokens: what flowmon keeps instead of a beacon's id. Pure, given the key.

A token is a keyed hash: nobody without the key can try ids against it, and it means nothing once the key is gone.
How long a key lives is the venue's privacy mode: `anon-5min` five minutes, `pseudo-24h` one day of the museum (from
04:00 local, so that no opening hours are split), `consent` as long as the secret; `count-only` has no tokens.
"""

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from flowmon.venue.model import Venue

_TOKEN = re.compile(r"tok-[0-9a-f]{20}")
#: The museum's day starts here, local time: late enough for any night opening.
_DAY_STARTS = timedelta(hours=4)


def token(key: bytes, beacon: str) -> str:
    """The token of a beacon under a key: `tok-` and 20 hex digits. A token stays what it is.

    >>> token(b"k" * 32, "iBeacon:e2c5-1-7") == token(b"k" * 32, "ibeacon:E2C5-1-7")
    True
    """
    if is_token(beacon):
        return beacon
    digest = hmac.new(key, beacon.lower().encode(), hashlib.sha256)
    return f"tok-{digest.hexdigest()[:20]}"


def is_token(beacon: str) -> bool:
    """Whether this is a token already (a recording played again, a receiver that does it itself)."""
    return _TOKEN.fullmatch(beacon) is not None


def period(venue: Venue, at: float) -> str:
    """The name of the time during which one key is used at `at` (seconds UTC, gateway clock)."""
    match venue.privacy.mode:
        case "anon-5min":
            return f"{int(at // 300)}"
        case "consent":
            return "consent"
        case _:
            local = datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(venue.timezone))
            return (local - _DAY_STARTS).date().isoformat()


def key(secret: bytes, venue: str, named: str) -> bytes:
    """The key of a venue in a period: 32 bytes, derived from a secret of any length."""
    return hmac.new(secret, f"{venue}|{named}".encode(), hashlib.sha256).digest()

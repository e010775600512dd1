"""The keys beacon tokens are made with: in memory alone, one a venue and period, each gone when its period is over.

Without a secret a key is drawn at random: once it is gone, nobody can link its tokens to a beacon or to those of
another period, whoever runs this included. A restart draws a new one, so carriers begin anew.
With a secret (`FLOWMON_BEACON_SECRET`) keys are HMAC(secret, venue and period): several gateways agree and a restart
changes nothing, but whoever has the secret can make the key of any period again. The tokens of two periods cannot be
linked without it; they are destroyed for good only when the secret is changed and forgotten.
Keys are dropped, not overwritten: until the interpreter uses the memory again, a dump of it may show them.
"""

import secrets

from msgspec import Struct

from flowmon.venue.model import Venue
from sensors import tokens

#: A clock set back by no more than this is the same period still: a new key would split every visit.
SET_BACK_S = 60.0


class _Held(Struct, frozen=True):
    key: bytes
    begins: float
    ends: float


class Keys:
    """secret: `FLOWMON_BEACON_SECRET`, "" for none."""

    def __init__(self, secret: str = "") -> None:
        self._secret = secret.encode()
        self._now: dict[str, _Held] = {}

    def at(self, venue: Venue, seen: float) -> bytes:
        """The key of a venue at `seen` (seconds UTC, gateway clock): 32 bytes."""
        known = self._now.get(venue.id)
        if known is not None and known.begins - SET_BACK_S <= seen < known.ends:
            return known.key
        period = tokens.period(venue, seen)
        key = tokens.key(self._secret, venue.id, period) if self._secret else secrets.token_bytes(32)
        self._now[venue.id] = _Held(key, seen, tokens.ends(venue, seen))
        return key

    def forget(self, now: float) -> None:
        """Drop the keys whose period is over at `now` (seconds UTC, gateway clock), heard of since or not."""
        if any(held.ends <= now for held in self._now.values()):
            self._now = {name: held for name, held in self._now.items() if held.ends > now}

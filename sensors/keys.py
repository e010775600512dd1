"""The keys beacon tokens are made with: kept in memory, one a venue and period, the old one forgotten."""

import secrets

from flowmon.venue.model import Venue
from sensors import tokens


class Keys:
    """Without a secret each period's key is drawn at random and gone afterwards, even from whoever runs this.

    With a secret (`FLOWMON_BEACON_SECRET`) several gateways make the same tokens, and a restart changes none.
    """

    def __init__(self, secret: str = "") -> None:
        self._secret = secret.encode()
        self._now: dict[str, tuple[str, bytes]] = {}

    def at(self, venue: Venue, seen: float) -> bytes:
        """The key of a venue at `seen` (seconds UTC, gateway clock): 32 bytes."""
        period = tokens.period(venue, seen)
        known = self._now.get(venue.id)
        if known is not None and known[0] == period:
            return known[1]
        key = tokens.key(self._secret, venue.id, period) if self._secret else secrets.token_bytes(32)
        self._now[venue.id] = (period, key)
        return key

"""Slows down whoever guesses secrets: a leaky bucket of failures. Pure: it is told the time."""

from collections import OrderedDict

FAILURES_MAX = 10
FORGIVEN_EVERY_S = 6.0
GUESSERS_MAX = 4_096


class Throttle:
    """After FAILURES_MAX failures somebody waits, and then may fail once every FORGIVEN_EVERY_S seconds.

    Keeps the GUESSERS_MAX who failed last. A key is (peer, secret), so that a device with an old password does not
    shut out the others behind the same address.
    """

    def __init__(self) -> None:
        self._failures: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()  # level, when

    def waits(self, peer: str, secret: str, now: float) -> int:
        """Whole seconds until this peer may try this secret; 0: now."""
        level = self._level((peer, secret), now)
        return 0 if level <= FAILURES_MAX - 1 else int((level - FAILURES_MAX + 1) * FORGIVEN_EVERY_S) + 1

    def failed(self, peer: str, secret: str, now: float) -> bool:
        """It was wrong. True when this very failure was one too many."""
        key = peer, secret
        level = self._level(key, now) + 1
        self._failures.pop(key, None)
        self._failures[key] = level, now
        if len(self._failures) > GUESSERS_MAX:
            self._failures.popitem(last=False)
        return level > FAILURES_MAX - 1

    def _level(self, key: tuple[str, str], now: float) -> float:
        level, when = self._failures.get(key, (0.0, now))
        return max(0.0, level - (now - when) / FORGIVEN_EVERY_S)

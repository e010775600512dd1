"""Which messages may be acknowledged: those whose every part is safe, and only in the order they came in.

The order is MQTT's demand (5.0 §4.6), and it closes a gap: a sighting thinned away as a repeat is acknowledged only
after the one it repeats is safe. Pure.
"""

from collections import deque
from collections.abc import Sequence

from sensors.dialects.port import Message


class Receipt:
    """One message on its way. parts: how many pieces of it are not safe yet, plus one while it is being read."""

    __slots__ = ("message", "parts")

    def __init__(self, message: Message) -> None:
        self.message = message
        self.parts = 1


class Receipts:
    """All messages taken and not yet acknowledged, in order of arrival."""

    def __init__(self) -> None:
        self._open: deque[Receipt] = deque()

    def __len__(self) -> int:
        return len(self._open)

    def open(self, message: Message) -> Receipt:
        """A message was taken; its receipt has one part, for whoever reads it."""
        receipt = Receipt(message)
        self._open.append(receipt)
        return receipt

    def settle(self, receipts: Sequence[Receipt]) -> list[Message]:
        """One part of each of these is safe. Returns what may be acknowledged now, oldest first."""
        for receipt in receipts:
            receipt.parts -= 1
        ready: list[Message] = []
        while self._open and self._open[0].parts <= 0:
            ready.append(self._open.popleft().message)
        return ready

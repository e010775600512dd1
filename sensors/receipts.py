"""Which messages may be acknowledged: those whose every part is safe; those of MQTT in the order they came in.

The order is MQTT's demand (5.0 §4.6). What is posted by HTTP waits for nobody else: each has its own answer. Pure.
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
    """All messages taken and not yet acknowledged."""

    def __init__(self) -> None:
        self._open: deque[Receipt] = deque()  # of MQTT, in order of arrival
        self._posted = 0

    def __len__(self) -> int:
        return len(self._open) + self._posted

    def open(self, message: Message) -> Receipt:
        """A message was taken; its receipt has one part, for whoever reads it."""
        receipt = Receipt(message)
        if message.pushed:
            self._posted += 1
        else:
            self._open.append(receipt)
        return receipt

    def settle(self, receipts: Sequence[Receipt]) -> list[Message]:
        """One part of each of these is safe. Returns what may be acknowledged now, oldest first."""
        ready: list[Message] = []
        for receipt in receipts:
            receipt.parts -= 1
            if receipt.message.pushed and receipt.parts == 0:
                self._posted -= 1
                ready.append(receipt.message)
        while self._open and self._open[0].parts <= 0:
            ready.append(self._open.popleft().message)
        return ready

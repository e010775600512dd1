"""How far behind a client is. Kernel buffers hide slowness, so clients say what they have painted (`ok`). Pure."""

from collections import deque
from collections.abc import Mapping

UNACKNOWLEDGED_MAX = 64 * 1024
LAGGING_S = 5.0
CUT_S = 30.0

_Sent = tuple[int, int, float]  # number reached, bytes, when


class Credit:
    """What was sent and not acknowledged, by channel."""

    def __init__(self) -> None:
        self.size = 0
        #: When the oldest unacknowledged message left.
        self.oldest: float | None = None
        self._sent: dict[str, deque[_Sent]] = {}

    def sent(self, label: str, seq: int, size: int, now: float) -> None:
        """A message of `size` bytes left that takes the client to `seq` of a channel."""
        self._sent.setdefault(label, deque()).append((seq, size, now))
        self.size += size
        if self.oldest is None:
            self.oldest = now

    def acknowledged(self, seqs: Mapping[str, int]) -> None:
        """The client has everything up to these numbers; channels that are not ours are ignored."""
        for label, seq in seqs.items():
            waiting = self._sent.get(label)
            while waiting and waiting[0][0] <= seq:
                self.size -= waiting.popleft()[1]
        self._look()

    def drop(self, label: str) -> None:
        """The channel is no longer subscribed, or starts anew."""
        self.size -= sum(size for _, size, _ in self._sent.pop(label, ()))
        self._look()

    def is_left(self) -> bool:
        """Whether more may be sent. One message of any size may always be under way."""
        return self.size <= UNACKNOWLEDGED_MAX

    def is_lagging(self, now: float) -> bool:
        """Whether half the rate is enough for this client."""
        return not self.is_left() or self._older_than(LAGGING_S, now)

    def is_over(self, now: float) -> bool:
        """Whether the client is to be cut."""
        return self._older_than(CUT_S, now)

    def _older_than(self, limit: float, now: float) -> bool:
        return self.oldest is not None and now - self.oldest > limit

    def _look(self) -> None:
        self.oldest = min((waiting[0][2] for waiting in self._sent.values() if waiting), default=None)

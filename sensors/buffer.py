"""Messages between paho's thread, which puts them, and the event loop, which takes them. Bounded, and thread-safe."""

import threading
from collections import deque

from sensors.dialects.port import Message

MOST_BYTES = 64 << 20


class Buffer:
    """Holds `most` messages and MOST_BYTES of payload.

    shed: a message of QoS 1 found no room; unacknowledged, it stays with the broker, which sends it to the next
    connection. lost: messages of QoS 0 that found none and have no second chance.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._messages: deque[Message] = deque()
        self._bytes = 0
        self._told = False
        self.shed = False
        self.lost = 0

    def put(self, message: Message) -> bool:
        """Keep a message if there is room. True when whoever takes has to be woken: once for many messages."""
        with self._lock:
            if len(self._messages) >= self._most or self._bytes > MOST_BYTES:
                if message.qos:
                    self.shed = True
                else:
                    self.lost += 1
                return False
            self._messages.append(message)
            self._bytes += len(message.payload)
            wake, self._told = not self._told, True
            return wake

    def take(self, most: int) -> list[Message]:
        """The oldest messages, in order; none when it is empty."""
        with self._lock:
            self._told = False
            taken = [self._messages.popleft() for _ in range(min(most, len(self._messages)))]
            self._bytes -= sum(len(message.payload) for message in taken)
            return taken

    def forget_acknowledgeable(self) -> None:
        """The broker sends its unacknowledged messages again: those still here would be there twice."""
        with self._lock:
            self._messages = deque(message for message in self._messages if not message.qos)
            self._bytes = sum(len(message.payload) for message in self._messages)

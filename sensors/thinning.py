"""One sighting per beacon, receiver and second: more say nothing new and cost every later stage. Pure.

The second is the receiver's (`at`), so that what is delivered twice, across a reconnect say, is kept once. A receiver
whose clock stands would so be heard no more: the same second is another one when it comes over 10 s later (`seen`).
What holds across what: a receiver that tells no time has other seconds when its message comes again. A restart of the
gateway forgets; what the broker then delivers again is written again, and told once by identity downstream if the
tokens are the same (with a secret).
"""

import itertools

from flowmon.facts import Sighting

FORGET_S = 60
STANDS_S = 10.0


class Thinning:
    """Remembers a minute of sightings, at most `memory` (oldest forgotten first)."""

    def __init__(self, memory: int = 100_000) -> None:
        self._memory = memory
        self._heard: dict[tuple[str, str, int], float] = {}  # when it was kept, by the gateway's clock

    def keeps(self, sighting: Sighting) -> bool:
        """Whether this is the first sighting of its beacon at its receiver in its second (by `at`)."""
        place = (sighting.beacon, sighting.receiver, int(sighting.at))
        kept = self._heard.get(place)
        if kept is not None and sighting.seen - kept <= STANDS_S:
            return False
        self._heard[place] = sighting.seen
        for oldest in list(itertools.islice(self._heard, 2)):
            if len(self._heard) > self._memory or oldest[2] < place[2] - FORGET_S:
                del self._heard[oldest]
        return True

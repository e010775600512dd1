"""One sighting per beacon, receiver and second: more say nothing new and cost every later stage. Pure."""

import itertools

from flowmon.facts import Sighting

FORGET_S = 60


class Thinning:
    """Remembers a minute of sightings, at most `memory` (oldest forgotten first)."""

    def __init__(self, memory: int = 100_000) -> None:
        self._memory = memory
        self._heard: dict[tuple[str, str, int], None] = {}

    def keeps(self, sighting: Sighting) -> bool:
        """Whether this is the first sighting of its beacon at its receiver in its second (by `at`)."""
        place = (sighting.beacon, sighting.receiver, int(sighting.at))
        if place in self._heard:
            return False
        self._heard[place] = None
        for oldest in list(itertools.islice(self._heard, 2)):
            if len(self._heard) > self._memory or oldest[2] < place[2] - FORGET_S:
                del self._heard[oldest]
        return True

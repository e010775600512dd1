"""One sighting per beacon, receiver and second: more say nothing new and cost every later stage. Pure."""

from flowmon.facts import Sighting


class Thinning:
    """Remembers at most `memory` sightings (oldest forgotten first): 100,000 are a minute of 1,600 a second."""

    def __init__(self, memory: int = 100_000) -> None:
        self._memory = memory
        self._heard: dict[tuple[str, str, int], None] = {}

    def keeps(self, sighting: Sighting) -> bool:
        """Whether this is the first sighting of its beacon at its receiver in its second (by `at`)."""
        place = (sighting.beacon, sighting.receiver, int(sighting.at))
        if place in self._heard:
            return False
        if len(self._heard) >= self._memory:
            del self._heard[next(iter(self._heard))]
        self._heard[place] = None
        return True

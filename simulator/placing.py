"""Where beacons are believed, made of the truth: for long runs in which radio itself is not on trial.

    believed = true zone, DELAY_S after the beacon came in (exponential, at least 1 s); told again every REPEAT_S;
    wrong with probability WRONG at each telling: in a neighbouring zone, until the next telling

A zone without a working receiver is told as the nearest one that has one, or not at all. Figures: what a room-level
locator reaches with a receiver a room (97 % settled, a switch seen after some seconds); they are the simulator's own.
"""

import heapq
from collections.abc import Sequence

import numpy as np

from flowmon.facts import Presence
from flowmon.names import OUTSIDE
from simulator.devices import Voice
from simulator.layout import Layout
from simulator.network import Network

DELAY_S = 5.0
REPEAT_S = 30.0
EXPIRY_S = 90.0
WRONG = 0.03
UNHEARD = 0.3  # of the tellings from a zone whose own receiver is down
SURE, UNSURE = 0.9, 0.6


class Placing:
    """Tells presences. receivers: in the order of the venue."""

    def __init__(self, layout: Layout, receivers: Sequence[Voice], rng: np.random.Generator, network: Network) -> None:
        venue = layout.venue
        self._rng = rng
        self._network = network
        self._voices: dict[str, list[Voice]] = {}
        for voice, receiver in zip(receivers, venue.receivers.values(), strict=True):
            self._voices.setdefault(receiver.zone, []).append(voice)
        heard = list(self._voices)
        self._nearest = {zone: sorted(heard, key=lambda there: layout.hops(zone, there)) for zone in venue.zones}
        self._beside = {
            zone: [there for _, there in steps if there in self._voices]
            for zone, steps in layout.steps.items()
            if zone != OUTSIDE
        }
        self._where: dict[str, tuple[str, int]] = {}
        self._moves = 0
        self._due: list[tuple[float, int, str]] = []

    def moved(self, beacon: str, zone: str, now: float) -> None:
        """A beacon came into a zone; `outside` when it left."""
        if zone == OUTSIDE:
            self._where.pop(beacon, None)
            return
        self._moves += 1
        self._where[beacon] = zone, self._moves
        heapq.heappush(self._due, (now + max(1.0, float(self._rng.exponential(DELAY_S))), self._moves, beacon))

    def second(self, now: float) -> None:
        """Tell what is due."""
        while self._due and self._due[0][0] <= now:
            _, move, beacon = heapq.heappop(self._due)
            zone, current = self._where.get(beacon, ("", -1))
            if move != current:  # it went on before anybody noticed
                continue
            self._tell(beacon, zone, now)
            heapq.heappush(self._due, (now + REPEAT_S, move, beacon))

    def _tell(self, beacon: str, zone: str, now: float) -> None:
        wrong, lost, which = self._rng.random(3)
        believed = next((there for there in self._nearest[zone] if self._hears(there)), "")
        if not believed or (believed != self._nearest[zone][0] and lost < UNHEARD):
            return
        sure = SURE
        if wrong < WRONG and (beside := [there for there in self._beside[zone] if self._hears(there)]):
            believed, sure = beside[int(which * len(beside))], UNSURE
        self._network.arrive(
            now,
            Presence(
                at=now,
                source=f"beacon:{beacon}",
                simulated=True,
                beacon=beacon,
                zone=believed,
                probability=sure,
                expires=now + EXPIRY_S,
            ),
        )

    def _hears(self, zone: str) -> bool:
        return any(voice.alive() for voice in self._voices[zone])

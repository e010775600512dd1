"""What is usual at each door at this time of day, and how busy today is against it.

Theory of operation
    What a counter k should have counted now, per direction, is its usual share of what all others count:
        μ_k = U_k(t) · L_k,   L_k = Σ_others c / Σ_others U, both faded over four bins
    U: usual people per bin at this time of day (half hours, interpolated), faded over ten days. Weather, holidays and
    coaches move all doors, so they cancel; a quiet hour does not alarm; and a door that loses a share of its people is
    seen although the venue's forecast would follow it. A counter alone is compared with its own day so far.

    No single door decides: of three others or more, one further off their middle than chance is not followed.

Failure modes: the day the museum changes its hours looks unusual; a counter alone that loses slowly is followed.
"""

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

DAY_S = 86_400.0
HALF_HOURS = 48
FADE_DAYS = 10.0
NEAR_BINS = 4.0  # of the level: what others counted lately
OTHERS_MIN, ODD, ODD_NOISE = 3, 0.15, 1.5  # a counter further off the others than this is not followed


class Usual:
    """People per bin that each of C counters sees. bin_s: seconds of a bin.

    people: (C, 2, 48) in and out per half hour of the day, days: (C, 48) on how many days it was seen, both fading.
    near: (C, 2) counted and usual lately.
    """

    def __init__(self, counters: int, bin_s: float) -> None:
        self._bin_s = bin_s
        # Each half hour holds several bins of a day; `days` counts days, not bins.
        self._per_slot = max(1.0, DAY_S / HALF_HOURS / bin_s)
        self.people: Array = np.zeros((counters, 2, HALF_HOURS))
        self.days: Array = np.zeros((counters, HALF_HOURS))
        self.near: Array = np.zeros((counters, 2))

    def place(self, local: float) -> float:
        """The middle of the bin that begins at a local time in seconds, in half hours of the day."""
        return (local + 0.5 * self._bin_s) % DAY_S / DAY_S * HALF_HOURS

    def at(self, place: float) -> tuple[Array, Array]:
        """People per bin (C, 2) at a place of the day in half hours, and on how many days that was seen (C,)."""
        before = math.floor(place - 0.5)
        part = place - 0.5 - before
        one, other = before % HALF_HOURS, (before + 1) % HALF_HOURS
        days = (1.0 - part) * self.days[:, one] + part * self.days[:, other]
        people = (1.0 - part) * self.people[:, :, one] + part * self.people[:, :, other]
        seen = np.minimum(self.days[:, one], self.days[:, other])
        return people / np.maximum(days, 1e-9)[:, None], np.where(seen > 0.0, seen, 0.0)

    def least(self, place: float) -> Array:
        """People per bin (C,) in the quietest of this half hour and its neighbours: doors open a little late."""
        slots = [(int(place) + step) % HALF_HOURS for step in (-1, 0, 1)]
        people = self.people[:, :, slots].sum(axis=1) / np.maximum(self.days[:, slots], 1e-9)
        least: Array = np.where(self.days[:, slots] > 0.0, people, 0.0).min(axis=1)
        return least

    def learn(self, number: int, place: float, counts: Array) -> None:
        """One bin more of the usual; a day's weight fades by the day."""
        slot = int(place) % HALF_HOURS
        weight = 1.0 / self._per_slot
        keep = math.exp(-weight / FADE_DAYS)
        self.people[number, :, slot] = keep * self.people[number, :, slot] + weight * counts
        self.days[number, slot] = keep * self.days[number, slot] + weight

    def look_around(self, counts: Array, usual: Array, trusted: NDArray[np.bool_]) -> None:
        """What each trusted counter saw lately, and what is usual."""
        self.near *= math.exp(-1.0 / NEAR_BINS)
        self.near[trusted, 0] += counts[trusted].sum(axis=1)
        self.near[trusted, 1] += usual[trusted].sum(axis=1)

    def level(self, number: int, trusted: NDArray[np.bool_]) -> float | None:
        """How busy it is against the usual, by all others; None when nobody can say. No single one decides."""
        others = trusted.copy()
        others[number] = False
        if len(others) == 1:
            counted, usual = self.near[number]
            return float((counted + 50.0) / (usual + 50.0))
        others &= self.near[:, 1] > 0.0
        if not others.any():
            return None
        counted, usual = self.near[others].T
        if len(counted) >= OTHERS_MIN:
            ratios = counted / usual
            middle = float(np.median(ratios))
            odd = ODD + ODD_NOISE / np.sqrt(np.maximum(usual * middle, 1.0))
            counted = usual * middle * np.clip(ratios / max(middle, 1e-9), 1.0 - np.minimum(odd, 1.0), 1.0 + odd)
        total = float(usual.sum())
        return float(counted.sum()) / total if total >= 1.0 and counted.sum() > 0.0 else None

    def scale(self, number: int, stream: int, share: float) -> None:
        """A counter counts another share than before, in (0), out (1) or both (2), and that is usual from now on."""
        streams = (0, 1) if stream == 2 else (stream,)
        for each in streams:
            self.people[number, each] *= share

    def exchange(self, number: int) -> None:
        """The directions of a counter are exchanged from now on."""
        self.people[number] = self.people[number, ::-1].copy()

    def forget(self, number: int) -> None:
        """Start a counter anew."""
        self.people[number], self.days[number] = 0.0, 0.0

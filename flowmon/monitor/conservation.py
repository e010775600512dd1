"""Counters that cannot be right, found from what people must do: who came in goes out again.

Theory of operation
    Balance of a zone since it was empty: R = Σ in - Σ out over its counters (those of one portal averaged). Nobody can
    leave who did not come in, so R >= 0 but for the counters' errors, whose size is that of `estimators.counts`:
        sd² = 0.04 · ΣF + (0.02)² · ΣF²     F crossings of a door-direction since then
    A counter whose two directions are swapped makes R go down by what it should go up. It is suspected when for ten
    minutes without a break
        R < -(5 + 5 sd) in one zone at its sides,   and with that counter turned round R >= -(5 + 5 sd) in both,
    and it is the only one of which this is true. Where the venue has no hours, nobody knows who was inside at the
    start: the capacity is allowed for.

    Two counters of one portal see the same people. Over their last 200 people or more, and at least an hour, one is
    suspected when a direction differs by more than 5 + 5 sd: turned round when crossing the two directions over
    would make them agree, else the one that saw less.

Bound on false alarms: five standard deviations are passed by chance in less than 1 zone-day in a million if errors are
as above (Gauss, reflection principle: 2 · 2.9e-7); the constant 5 covers small numbers, the ten minutes what slow
counters tell a period later. An exit or entrance without a counter is the same to it as a counter turned round: hence
"reversed?" is a question. Failure mode: a zone in which two counters are turned round; a door hardly used.
"""

import math

from msgspec import Struct, field

from flowmon.monitor.intake import Crossing
from flowmon.names import OUTSIDE
from flowmon.venue.graph import other_side
from flowmon.venue.model import Venue

LOOK_EVERY_S = 60.0
SUSTAINED_S = 600.0
MISS_AND_DOUBLE = 0.04
GAIN_SPREAD = 0.02
SIGMAS = 5.0
SMALL = 5.0
PAIR_PEOPLE = 200
PAIR_S = 3_600.0


class ConservationState(Struct):
    """counts: counter -> [forward, backward] since the venue was empty; pairs: the same since a pair was compared.

    since: counter -> when it began to look reversed; told: (device, code) that are under suspicion.
    """

    counts: dict[str, list[int]] = field(default_factory=dict)
    pairs: dict[str, list[int]] = field(default_factory=dict)
    pairs_since: float | None = None
    since: dict[str, float] = field(default_factory=dict)
    told: list[tuple[str, str]] = field(default_factory=list)
    empty_at: float | None = None
    emptied: bool = False


class Conservation:
    """All counters of a venue against each other."""

    def __init__(self, venue: Venue, state: ConservationState | None = None) -> None:
        self.state = state or ConservationState()
        self._device = {name: counter.device or name for name, counter in venue.counters.items()}
        self._capacity = {name: float(zone.capacity) for name, zone in venue.zones.items()}
        self._sides: dict[str, list[tuple[str, int]]] = {}  # counter -> (zone, +1 where forward enters it)
        self._of: dict[str, list[tuple[str, int]]] = {zone: [] for zone in venue.zones}
        by_portal: dict[str, list[str]] = {}
        for name, counter in venue.counters.items():
            by_portal.setdefault(counter.portal, []).append(name)
            other = other_side(venue.portals[counter.portal], counter.towards)
            self._sides[name] = [(zone, sign) for zone, sign in ((counter.towards, 1), (other, -1)) if zone != OUTSIDE]
            for zone, sign in self._sides[name]:
                self._of[zone].append((name, sign))
        self._share = {name: 1.0 / len(by_portal[counter.portal]) for name, counter in venue.counters.items()}
        self._pairs = [
            (a, b, venue.counters[a].towards == venue.counters[b].towards)
            for names in by_portal.values()
            for n, a in enumerate(names)
            for b in names[n + 1 :]
        ]
        self._paired = {name for a, b, _ in self._pairs for name in (a, b)}

    def close(self, ripe: list[Crossing], at: float, now: float) -> list[tuple[str, str, str]]:
        """Take in closed crossings. Once a minute, returns (device, code, reason) of what changed; "" ends it."""
        state = self.state
        for crossing in ripe:
            _add(state.counts, crossing)
            if crossing.counter in self._paired:
                _add(state.pairs, crossing)
        if now // LOOK_EVERY_S == (now - 1.0) // LOOK_EVERY_S:
            return []
        found = self._reversed(at)
        told = {(device, code) for device, code, _ in found}
        ended = [(device, code, "") for device, code in state.told if code == "reversed" and (device, code) not in told]
        pairs = self._disagreeing(at)
        kept = [(device, code) for device, code in state.told if code == "pair"] if pairs is None else []
        ended += [] if pairs is None else [(d, c, "") for d, c in state.told if c == "pair" and not _in(pairs, d)]
        state.told = sorted({*told, *kept, *((d, c) for d, c, _ in pairs or ())})
        return [*ended, *found, *(pairs or ())]

    def empty(self, until: float | None) -> None:
        """The venue was empty (or its hours were looked up); `until`: when it is empty next."""
        self.state.emptied = self.state.empty_at is not None
        self.state.empty_at = until
        self.state.counts.clear()
        self.state.since.clear()

    def leap(self) -> None:
        """The clock was set: nothing known of who is inside."""
        self.state.emptied = False
        self.state.counts.clear()
        self.state.since.clear()
        self.state.pairs.clear()
        self.state.pairs_since = None

    def _reversed(self, at: float) -> list[tuple[str, str, str]]:
        balance = {zone: self._balance(zone) for zone in self._of}
        negative = [zone for zone, (people, error) in balance.items() if people < -error]
        suspects = {name for zone in negative for name, _ in self._of[zone] if self._would_mend(name, balance)}
        alone = {name for name in suspects if not suspects & self._neighbours(name)}
        self.state.since = {name: self.state.since.get(name, at) for name in sorted(alone)}
        found = []
        for name, since in self.state.since.items():
            if at - since >= SUSTAINED_S:
                reason = (
                    f"reversed? {name} counts more people out of {self._worst(name, balance)} than came in: "
                    "turn `towards` round or set invert, if no entrance is without a counter"
                )
                found.append((self._device[name], "reversed", reason))
        return found

    def _neighbours(self, name: str) -> set[str]:
        """The other counters of the zones at a counter's sides."""
        return {other for zone, _ in self._sides[name] for other, _ in self._of[zone]} - {name}

    def _worst(self, name: str, balance: dict[str, tuple[float, float]]) -> str:
        return min((balance[zone][0], zone) for zone, _ in self._sides[name])[1]

    def _balance(self, zone: str) -> tuple[float, float]:
        """People in a zone since it was empty, and how far below zero the errors of its counters may bring it."""
        people = total = squares = 0.0
        for name, sign in self._of[zone]:
            forward, backward = self.state.counts.get(name, (0, 0))
            share = self._share[name]
            people += share * sign * (forward - backward)
            total += share * (forward + backward)
            squares += (share * forward) ** 2 + (share * backward) ** 2
        error = SMALL + SIGMAS * math.sqrt(MISS_AND_DOUBLE * total + GAIN_SPREAD**2 * squares)
        return people, error + (0.0 if self.state.emptied else self._capacity[zone])

    def _would_mend(self, name: str, balance: dict[str, tuple[float, float]]) -> bool:
        """Whether turning a counter round leaves no side of it below zero."""
        forward, backward = self.state.counts.get(name, (0, 0))
        turned = 2.0 * self._share[name] * (backward - forward)
        return all(balance[zone][0] + sign * turned >= -balance[zone][1] for zone, sign in self._sides[name])

    def _disagreeing(self, at: float) -> list[tuple[str, str, str]] | None:
        """Counters of one portal that do not agree; None when it is too early to say."""
        state = self.state
        if not self._pairs:
            return []
        if state.pairs_since is None:
            state.pairs_since = at
        people = max((sum(n) for n in state.pairs.values()), default=0)
        if at - state.pairs_since < PAIR_S or people < PAIR_PEOPLE:
            return None
        found = []
        for one, other, same in self._pairs:
            (f1, b1), (f2, b2) = (state.pairs.get(name, [0, 0]) for name in (one, other))
            if not same:
                f2, b2 = b2, f2
            if _agree(f1, f2) and _agree(b1, b2):
                continue
            if _agree(f1, b2) and _agree(b1, f2):
                reason = f"reversed? {one} and {other} watch one portal and count its directions the other way round"
            else:
                reason = f"disagrees: {one} saw {f1} and {b1} people, {other} {f2} and {b2} at the same portal"
            less = one if f1 + b1 < f2 + b2 else other
            found.append((self._device[less], "pair", reason))
        state.pairs.clear()
        state.pairs_since = at
        return found


def _in(found: list[tuple[str, str, str]], device: str) -> bool:
    return any(name == device for name, _, _ in found)


def _add(counts: dict[str, list[int]], crossing: Crossing) -> None:
    known = counts.setdefault(crossing.counter, [0, 0])
    known[0] += crossing.forward
    known[1] += crossing.backward


def _agree(one: int, other: int) -> bool:
    """Whether two counts of the same people differ by no more than their errors.

    >>> _agree(100, 110), _agree(100, 170)
    (True, False)
    """
    sd = math.sqrt(MISS_AND_DOUBLE * (one + other) + GAIN_SPREAD**2 * (one**2 + other**2))
    return abs(one - other) <= SMALL + SIGMAS * sd

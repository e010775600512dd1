"""In which place is each radio tag: a hidden Markov model on the graph of places, all tags at once.

Theory of operation
    α_t(r) ∝ [Σ_s α_{t-1}(s) exp(G Δt)_{sr}] · p(z_t | r)^τ          forward filter, one step a second
    γ_{t-L}(r) ∝ α_{t-L}(r) · β(r),  β over the next L steps            fixed lag: where it was, L steps ago

    G: rate 1/dwell to adjacent places only (a share of 10⁻⁵ a step may go anywhere: plans forget doors).
    p: fingerprints (`flowmon.estimators.fingerprints`). τ < 1 because neighbouring packets and receivers say the
    same thing twice; untempered, tags flip. A step's evidence against a place is at most e⁻²⁷, so that no single
    step decides. A tag nobody heard in a step is only predicted.

    Place. A tag is in r once α(r) > 0.95. (0.6 twice on end, and γ, were tried: they flip half as often again for a
    delay that is no shorter.) It is lost (place -1) when nobody heard it for the timeout of its place, a third of the
    dwell there, 20 to 90 s.
    Still. A level smoothed over a minute that never moves by 3.5 dB at any receiver for an hour is a tag nobody
    carries: a charging rack, a drawer, a bin. It moves again as soon as its level or place does.
    Drift. Levels of tags that are surely in a place (α > 0.95) pull its medians, by 1 dB a day at most. When a
    receiver is off by more than 6 dB in the same direction in every place that has evidence (two at least), it was
    moved or is blocked: `shifted` says so.

Assumptions: one pace for all tags; a tag is in one place. Failure mode: places with equal fingerprints are told by the
graph alone. Not learned: a receiver that was never calibrated in a place.

Source: forward filtering and fixed-lag smoothing, Rabiner 1989; topology as transition prior, Onofri & Corbetta 2022.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct, structs
from numpy.typing import NDArray

from flowmon.estimators.fingerprints import Fingerprints, Likelihood
from flowmon.estimators.strongest import StrongestReceiver, TagState

__all__ = ["PlaceFilter", "PlaceFilterState", "StrongestReceiver", "TagState"]

Array = NDArray[np.float64]
Places = NDArray[np.int64]

TEMPER = 0.4
LAG = 3
SURE = 0.95
ANYWHERE = 1e-5
EVIDENCE_MOST = 27.0
LOST_SHARE, LOST_LEAST_S, LOST_MOST_S = 1 / 3, 20.0, 90.0
STILL_S, STILL_DB, SMOOTH_S = 3600.0, 3.5, 60.0
DRIFT_SURE, DRIFT_PACKETS, DRIFT_DB_PER_DAY = 0.95, 300.0, 1.0
SHIFT_DB, SHIFT_PACKETS = 6.0, 150.0
LEVEL_LEAST, LEVEL_MOST = -127.0, 20.0  # dBm
GAP_STEPS = 3600  # a longer silence of everybody is this long
RELEARN_STEPS = 600
FORGET_S = 600.0


class PlaceFilterState(Struct, frozen=True):
    """All a `PlaceFilter` remembers; arrays are bytes of float64 or int64, row per tag.

    alpha, past (tags, places): now and LAG steps ago; ring (LAG, tags, places): evidence in between.
    place, heard, moved (tags,): believed place; when it was last heard, and since when it has not moved.
    level, rest (tags, receivers): smoothed dBm, and where it stood when it last moved; NaN when never heard.
    drift, used, residual, packets (places, receivers): dB off the table now and as believed, dB off that, evidence.
    """

    step: int = -1
    tags: list[str] = []
    alpha: bytes = b""
    past: bytes = b""
    ring: bytes = b""
    place: bytes = b""
    heard: bytes = b""
    moved: bytes = b""
    level: bytes = b""
    rest: bytes = b""
    drift: bytes = b""
    used: bytes = b""
    residual: bytes = b""
    packets: bytes = b""


class PlaceFilter:
    """Tags in R places, heard by G receivers.

    fingerprints: (R, G). adjacent: (R, R), non-zero where one can walk. dwell_s: (R,) or one for all, mean stay.
    step_s: seconds a step lasts. calibrated: whether the table was measured, so that a shift of it means something.
    tags_max: beyond it, who was heard the longest ago is forgotten.
    Raises ValueError when they do not fit.

    >>> table = Fingerprints(np.array([[-60.0, -80.0], [-80.0, -60.0]]), np.full((2, 2), 4.0), np.full((2, 2), 0.2))
    >>> places = PlaceFilter(table, np.ones((2, 2)))
    >>> [places.learn({"tag": {0: -62.0, 1: -79.0}}, at=float(second)) for second in range(4)]
    [['tag'], [], [], []]
    >>> places.estimate()["tag"]
    (0, 1.0)
    """

    def __init__(
        self,
        fingerprints: Fingerprints,
        adjacent: NDArray[np.generic],
        dwell_s: Array | float = 60.0,
        *,
        step_s: float = 1.0,
        lag: int = LAG,
        calibrated: bool = False,
        tags_max: int = 20_000,
        state: PlaceFilterState | None = None,
    ) -> None:
        self.places, self.receivers = fingerprints.median.shape
        dwell = np.broadcast_to(np.asarray(dwell_s, dtype=np.float64), (self.places,))
        if np.shape(adjacent) != (self.places, self.places) or not (dwell > 0).all() or not step_s > 0 or lag < 0:
            raise ValueError("adjacent must be (places, places); dwell_s, step_s above 0; lag not below 0")
        self.step_s, self.lag, self._calibrated, self._tags_max = step_s, lag, calibrated, tags_max
        self._table, self._likelihood = fingerprints, Likelihood(fingerprints)
        self._walk = transition(np.asarray(adjacent, dtype=np.float64), dwell, step_s)
        self._timeout = np.clip(LOST_SHARE * dwell, LOST_LEAST_S, LOST_MOST_S)
        self._step = -1
        self._row: dict[str, int] = {}
        self._alpha = self._past = self._ring = self._level = self._rest = np.zeros((0, 0))
        self._drift = self._used = self._residual = self._packets = self._heard = self._moved = np.zeros(0)
        self._place = np.zeros(0, dtype=np.int64)
        self.state = state or PlaceFilterState()

    @property
    def state(self) -> PlaceFilterState:
        """A copy of all that is remembered."""
        kept = {name: getattr(self, f"_{name}").tobytes() for name in _ARRAYS}
        return PlaceFilterState(step=self._step, tags=list(self._row), **kept)

    @state.setter
    def state(self, state: PlaceFilterState) -> None:
        """Raises ValueError when the arrays are of another shape."""
        tags, places, receivers = len(state.tags), self.places, self.receivers
        self._step = state.step
        self._row = {tag: row for row, tag in enumerate(state.tags)}
        sides = {"t": tags, "p": places, "r": receivers, "l": self.lag}
        for name, (shape, kind, start) in _ARRAYS.items():
            sized = tuple(sides[side] for side in shape)
            data = getattr(state, name)
            array = np.frombuffer(data, dtype=kind).reshape(sized).copy() if data else np.full(sized, start, dtype=kind)
            setattr(self, f"_{name}", array)
        self._relearn()

    def learn(self, levels: Mapping[str, Mapping[int, float]], at: float) -> list[str]:
        """One step: tag -> receiver (0..G-1) -> mean dBm in the step that ends at `at` (seconds).

        A step not after the last one is joined to nothing and refused; levels that are none are left out.
        Returns the tags whose place changed (lost ones included), in a fixed order.
        """
        if not np.isfinite(at):
            return []
        step = int(at // self.step_s)
        if self._step >= 0 and step <= self._step:
            return []
        self._drop(at)
        self._pass(step - self._step - 1 if self._step >= 0 else 0)
        self._step = step
        tags, seen = self._seen(levels)
        self._greet([tag for tag in tags if tag not in self._row], at)
        rows = np.array([self._row[tag] for tag in tags], dtype=np.int64)
        evidence = np.ones((len(self._row), self.places))
        if len(rows):
            found = TEMPER * self._likelihood(seen)
            evidence[rows] = np.exp(np.maximum(found - found.max(axis=1, keepdims=True), -EVIDENCE_MOST))
            since = np.clip(at - self._heard[rows], self.step_s, SMOOTH_S / 6)
            self._heard[rows] = at
        self._forward(evidence)
        changed = self._settle(at)
        if len(rows):
            self._watch(seen, rows, at, since)
            self._drift_on(seen, rows)
        names = list(self._row)
        return [names[row] for row in np.flatnonzero(changed).tolist()]

    def estimate(self) -> dict[str, tuple[int, float]]:
        """Tag -> (place, -1 while unknown or lost; its probability, 0..1)."""
        return {
            tag: (place, round(float(self._alpha[row, place]), 4) if place >= 0 else 0.0)
            for (tag, row), place in zip(self._row.items(), self._place.tolist(), strict=True)
        }

    def of(self, tag: str) -> tuple[int, float, float]:
        """Of one tag: (place, -1 unknown; when it was last heard; since when it has not moved). KeyError: unknown."""
        row = self._row[tag]
        return int(self._place[row]), float(self._heard[row]), float(self._moved[row])

    def probability(self, tag: str) -> float:
        """Of a tag's place (0..1); 0 while unknown."""
        row = self._row[tag]
        return round(float(self._alpha[row, self._place[row]]), 3) if self._place[row] >= 0 else 0.0

    def posterior(self, tag: str) -> Array:
        """(R,) probabilities of one tag now. KeyError when it is unknown."""
        result: Array = self._alpha[self._row[tag]].copy()
        return result

    def settled(self) -> dict[str, Array]:
        """Tag -> (R,) probabilities of where it was LAG steps ago, given all that was heard since."""
        return dict(zip(self._row, self._smooth(), strict=True))

    def still(self, tag: str, at: float) -> bool:
        """Whether nobody carries this tag: it has not moved for an hour."""
        return at - float(self._moved[self._row[tag]]) >= STILL_S

    def people(self, at: float, weight: Mapping[str, float] | None = None) -> Array:
        """(R,) tags in each place, a tag counted `weight` times (one for a group); still and lost ones left out."""
        counted = np.array([(weight or {}).get(tag, 1.0) for tag in self._row])
        there = (self._place >= 0) & (at - self._moved < STILL_S)
        return np.bincount(self._place[there], weights=counted[there], minlength=self.places).astype(np.float64)

    def forget(self, tags: Sequence[str]) -> None:
        """Drop tags; unknown ones are no error."""
        gone = [self._row[tag] for tag in dict.fromkeys(tags) if tag in self._row]
        if not gone:
            return
        for name, (shape, _, _) in _ARRAYS.items():
            if "t" in shape:
                setattr(self, f"_{name}", np.delete(getattr(self, f"_{name}"), gone, axis=shape.index("t")))
        lost = set(gone)
        self._row = {tag: n for n, tag in enumerate(tag for tag, row in self._row.items() if row not in lost)}

    def __contains__(self, tag: object) -> bool:
        """Whether a tag is remembered."""
        return tag in self._row

    def __len__(self) -> int:
        """Tags that are remembered."""
        return len(self._row)

    def shifted(self) -> dict[int, float]:
        """Receivers that all places hear more than 6 dB off the calibration, and by how much (dB, mean)."""
        if not self._calibrated:
            return {}
        off = self._drift + self._residual
        known = self._packets >= SHIFT_PACKETS
        found = {}
        for receiver in range(self.receivers):
            here = off[known[:, receiver], receiver]
            if len(here) >= 2 and (bool((here > SHIFT_DB).all()) or bool((here < -SHIFT_DB).all())):
                found[receiver] = round(float(here.mean()), 1)
        return found

    def _drop(self, at: float) -> None:
        """Forget who was lost long ago, which was told when it happened, and the oldest of too many."""
        gone = np.flatnonzero((self._place < 0) & (at - self._heard > FORGET_S)).tolist()
        if (many := len(self._row) - self._tags_max) > 0:
            gone += np.argsort(self._heard, kind="stable")[:many].tolist()
        if gone:
            tags = list(self._row)
            self.forget([tags[row] for row in gone])

    def _seen(self, levels: Mapping[str, Mapping[int, float]]) -> tuple[list[str], Array]:
        """Tags with sound levels, and those levels (tags, receivers), NaN where silent or no level at all."""
        tags = list(levels)
        seen = np.full((len(tags), self.receivers), np.nan)
        rows = [row for row, tag in enumerate(tags) for _ in levels[tag]]
        if not rows:
            return [], seen[:0]
        receivers = np.array([receiver for tag in tags for receiver in levels[tag]], dtype=np.int64)
        level = np.array([value for tag in tags for value in levels[tag].values()], dtype=np.float64)
        good = (receivers >= 0) & (receivers < self.receivers) & (level >= LEVEL_LEAST) & (level <= LEVEL_MOST)
        seen[np.array(rows)[good], receivers[good]] = level[good]
        heard = ~np.isnan(seen).all(axis=1)
        return [tag for tag, sound in zip(tags, heard.tolist(), strict=True) if sound], seen[heard]

    def _greet(self, tags: list[str], at: float) -> None:
        """Rows for tags never heard before: anywhere, with no evidence yet."""
        if not tags:
            return
        sides = {"t": len(tags), "p": self.places, "r": self.receivers, "l": self.lag}
        for name, (shape, kind, start) in _ARRAYS.items():
            if "t" in shape:
                value = at if name in {"heard", "moved"} else 1.0 / self.places if name in {"alpha", "past"} else start
                fresh = np.full(tuple(sides[side] for side in shape), value, dtype=kind)
                setattr(self, f"_{name}", np.concatenate([getattr(self, f"_{name}"), fresh], axis=shape.index("t")))
        for tag in tags:
            self._row[tag] = len(self._row)

    def _pass(self, steps: int) -> None:
        """Steps in which nobody was heard: only time goes on."""
        steps = min(steps, GAP_STEPS)
        if steps > self.lag:
            long = np.linalg.matrix_power(self._walk, steps - self.lag)
            for _ in range(self.lag):
                self._forward(np.ones_like(self._alpha))
            self._past, self._alpha = self._past @ long, self._alpha @ long
            return
        for _ in range(steps):
            self._forward(np.ones_like(self._alpha))

    def _forward(self, evidence: Array) -> None:
        self._alpha = _shares(self._alpha @ self._walk * evidence)
        if not self.lag:
            self._past = self._alpha
            return
        self._past = _shares(self._past @ self._walk * self._ring[0])
        self._ring[:-1] = self._ring[1:]
        self._ring[-1] = evidence

    def _smooth(self) -> Array:
        """(tags, places) posterior LAG steps ago, given all until now."""
        beta = np.ones_like(self._past)
        for evidence in self._ring[::-1]:
            beta = (evidence * beta) @ self._walk.T
        return _shares(self._past * beta)

    def _settle(self, at: float) -> NDArray[np.bool_]:
        """Believe places, lose tags; returns whose place changed."""
        before = self._place
        place = np.where(self._alpha.max(axis=1, initial=0.0) > SURE, self._alpha.argmax(axis=1), before)
        quiet = at - self._heard
        lost = (place >= 0) & (quiet > self._timeout[place])
        unheard = (before < 0) & (quiet > 0)  # lost stays lost until it is heard
        self._place = np.where(lost | unheard, -1, place)
        changed: NDArray[np.bool_] = self._place != before
        self._moved = np.where(changed & (self._place >= 0) & (before >= 0), at, self._moved)
        return changed

    def _watch(self, here: Array, rows: Places, at: float, since: Array) -> None:
        """Smooth the levels of those heard; who moved, moved now."""
        keep = np.exp(-since / SMOOTH_S)[:, None]
        level, rest = self._level[rows], self._rest[rows]
        level = np.where(np.isnan(here), level, np.where(np.isnan(level), here, keep * level + (1 - keep) * here))
        rest = np.where(np.isnan(rest), level, rest)
        moved = (np.abs(np.nan_to_num(level - rest)) > STILL_DB).any(axis=1)
        rest[moved] = level[moved]
        self._level[rows], self._rest[rows] = level, rest
        self._moved[rows[moved]] = at

    def _drift_on(self, seen: Array, rows: Places) -> None:
        """What tags that are surely somewhere say of the table."""
        sure = np.where(self._alpha[rows] > DRIFT_SURE, self._alpha[rows], 0.0)
        heard = (~np.isnan(seen)).astype(np.float64)
        weight = sure.T @ heard
        if not weight.any():
            return
        off = sure.T @ np.nan_to_num(seen) - weight * (self._table.median + self._drift)
        share = 1.0 - np.exp(-weight / DRIFT_PACKETS)
        mean = np.divide(off, weight, out=np.zeros_like(off), where=weight > 0)
        self._residual += share * (mean - self._residual)
        self._packets = np.minimum(self._packets + weight, 1e6)
        most = DRIFT_DB_PER_DAY * self.step_s / 86_400.0
        move = np.where(weight > 0, np.clip(self._residual, -most, most), 0.0)
        self._drift += move
        self._residual -= move
        if self._step % RELEARN_STEPS == 0:
            self._used = self._drift.copy()
            self._relearn()

    def _relearn(self) -> None:
        """The likelihood of the drifted table."""
        drifted = structs.replace(self._table, median=self._table.median + self._used)
        self._likelihood = Likelihood(drifted)


#: name -> (shape by tags, places, receivers, lag; type; what it starts with)
_ARRAYS: dict[str, tuple[str, type, float]] = {
    "alpha": ("tp", np.float64, 0.0),
    "past": ("tp", np.float64, 0.0),
    "ring": ("ltp", np.float64, 1.0),
    "place": ("t", np.int64, -1),
    "heard": ("t", np.float64, 0.0),
    "moved": ("t", np.float64, 0.0),
    "level": ("tr", np.float64, np.nan),
    "rest": ("tr", np.float64, np.nan),
    "drift": ("pr", np.float64, 0.0),
    "used": ("pr", np.float64, 0.0),
    "residual": ("pr", np.float64, 0.0),
    "packets": ("pr", np.float64, 0.0),
}


def transition(adjacent: Array, dwell_s: Array, step_s: float) -> Array:
    """exp(G step) (R, R), rows sum to one: rate 1/dwell, shared by the neighbours; a lone place is next to all.

    >>> transition(np.ones((2, 2)), np.array([10.0, 10.0]), 1.0).round(3).tolist()
    [[0.909, 0.091], [0.091, 0.909]]
    """
    places = len(adjacent)
    ways = (adjacent != 0).astype(np.float64)
    np.fill_diagonal(ways, 0.0)
    lone = ways.sum(axis=1) == 0
    ways[lone] = 1.0
    ways[:, lone] = 1.0
    np.fill_diagonal(ways, 0.0)
    out = ways / np.maximum(ways.sum(axis=1, keepdims=True), 1.0) / dwell_s[:, None]
    generator = out - np.diag(out.sum(axis=1))
    # (I + G h / 2ᵏ)^(2ᵏ), with steps so short that no probability is below zero
    halvings = max(10, int(np.ceil(np.log2(max(1.0, step_s / float(dwell_s.min()))))) + 10)
    walk = np.linalg.matrix_power(np.eye(places) + generator * step_s / 2**halvings, 2**halvings)
    return _shares((1.0 - ANYWHERE) * walk + ANYWHERE / places)


def _shares(weights: Array) -> Array:
    """Rows that sum to one; a row without any weight is anywhere."""
    total = weights.sum(axis=1, keepdims=True)
    result: Array = np.where(total > 0, weights / np.where(total > 0, total, 1.0), 1.0 / max(1, weights.shape[1]))
    return result

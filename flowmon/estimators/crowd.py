"""People in coupled places from imperfect door counters, beacons, flows and rare truths: an augmented Kalman filter.

Theory of operation
    State x = [ n people per place (R) | g log gain per door-direction (D) | ln φ share of people with a beacon |
                d beacons beyond that share per place (R) ].

    Counters. A direction that counted c saw k = e^g c people: n += A k, F_ng = A diag(k), and the gains are part of
    the state, so that a drift which any truth reveals corrects the doors that made it. Q_n = A diag(w e^2g c) Aᵀ,
    w: people come in parties, miss and double together. Only differences of gains make people out of nothing, and
    only nights and recounts show them; gains are kept for weeks (random walk of 0.1 % per √h).

    Beacons. b = φ n + d + noise. Who carries a beacon was drawn once and walks with the others, so the deviation d is
    carried along by the crossings, d += A diag(k / n_origin) d, and is drawn anew only as people enter and choose
    ways: Q_d = A diag(o φ (1 - φ) k) Aᵀ, o: one beacon in a party stands for all of it. Treated as white noise a
    few hundred readings an hour of the same forty beacons would seem to know everything.

    Truths. A recount, a sensor that sees a whole place, the empty building at night: n = z, which moves every place
    and gain that the evidence ties to it. Innovations beyond 4 σ widen the filter instead of bending the gains.

    Windows. A counter that reports a minute at a time tells late: what it has probably seen since its last report,
    rate · age, is added to what is shown with Poisson variance, and is never part of the state.

    Doubt. The gain of a direction that is silent (taken at its usual rate) or lies is freed (sd 0.5): beacons tell
    what really goes through. Once it can be believed again the old gain is taken back. While a direction is silent the
    places at its sides are held near the number they had, as far as the doors that see are as busy: n = usual ± half.

    Below zero. n < 0 by more than one σ is evidence: pseudo-measurement n = 0 with its own variance, through the whole
    covariance, so that doors and neighbours give back what they took. What is shown is cut at zero.

    Calibration. The standard deviations are scaled by what nights and recounts found: s² = mean of z²/S with the weight
    of six truths on what is usual, between 0.7 and 2.5; one scale for places and one for their sum: they err apart.

    Not used: departures as evidence of people (Little). People who only walk through make rooms look full; it was
    tried and biased the sum by a tenth.

Assumptions: near-linear over a minute; places are not holding pens. Failure mode: two doors of one place that lie in
the same way look like people; only a truth in that place shows it. Below `BEACONS_MIN` beacons radio is not used.

Source: Kalman filter with augmented gains (Sohn et al. on building counts; PreCount, Mohottige et al.);
covariance form, symmetrised at each step.
"""

import math

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from flowmon.estimators.ledger import Account, Array, Evidence, Ledger, LedgerState

STEP_S = 60.0  # how often evidence other than crossings is taken in
GAIN_WALK = 0.001  # per square root of an hour
SHARE, SHARE_SD, SHARE_SD_LEAST = 0.15, 0.7, 0.3
SHARE_PRIOR = 200.0  # people looked at that weigh as much as the guess
SHARE_S = 5 * 3600.0  # the ratio of beacons to people is an average over these
MISS = 0.13  # w: variance of people per counted person, parties included
PARTY = 1.8  # o: people per independent choice
RADIO_SD, RADIO_SHARE = 0.5, 0.1  # beacons placed wrongly
BEACONS_MIN = 8.0
GATE = 4.0
RATE_S = 900.0
LIVED_LEAST = 0.3  # some five minutes
DOUBT_SD = 0.5
FADING_S = 1_800.0
OFTEN_S = 360_000.0  # the long run: some ten days
USUAL_S = 1_800.0
USUAL_SHARE, USUAL_LEAST, USUAL_CORRELATED = 0.4, 2.0, 10.0  # sd of a usual number, and minutes it stays wrong
SCALE_WEIGHT, SCALE_LEAST, SCALE_MOST = 6.0, 0.7, 2.5
USUAL = 1.2  # z²/S before any truth: nobody has shown yet that the doors are as good as they say
SUM_USUAL = 1.6  # all doors to the outside err together in a crowd
TRUTH_LASTS = 30.0  # truths after which half of what they said of the scale is forgotten
NIGHT_SD = 1.5


class Scale(Struct, frozen=True):
    """What truths said of our standard deviations: `truths` of them found z²/S of `surprise` in all.

    usual: what z²/S is before any truth."""

    usual: float = 1.0
    truths: float = 0.0
    surprise: float = 0.0

    def told(self, surprise: float) -> "Scale":
        """After one truth more; no single one says more than 4 σ."""
        keep = 0.5 ** (1.0 / TRUTH_LASTS)
        return Scale(self.usual, keep * self.truths + 1.0, keep * self.surprise + min(surprise, GATE**2))

    @property
    def factor(self) -> float:
        """What to multiply a standard deviation by."""
        square = (SCALE_WEIGHT * self.usual + self.surprise) / (SCALE_WEIGHT + self.truths)
        return min(SCALE_MOST, max(SCALE_LEAST, math.sqrt(square)))


class CrowdState(Struct):
    """All a `Crowd` remembers. mean (N,) and covariance (N, N) as float64 bytes; the rest per direction, (D,).

    lived: how much of the averaging time of `rate` has passed (0..1).
    told, looked: seconds of crossings learned, and when beacons were last heard. carriers, people: the two sums of φ.
    frozen: direction -> (gain, variance) as they were before it was doubted. silent: directions; assumed:
    people taken to have passed each since it fell silent, `quiet` seconds ago, when the seeing doors had `level` people
    a second; before: usual rates of the silent ones then. often: rates of the long run. number: people a place lately.
    waiting: counted and not yet in the covariance, over `waited` seconds.
    scale: of places; scale_of_sum: of all people together.
    """

    mean: bytes
    covariance: bytes
    ledger: LedgerState
    rate: list[float]
    age: list[float]
    waiting: list[float]
    waited: float = 0.0
    lived: float = 0.0
    told: float = 0.0
    looked: float = 0.0
    carriers: float = 0.0
    people: float = 0.0
    frozen: dict[int, tuple[float, float]] = {}
    silent: list[int] = []
    assumed: list[float] = []
    quiet: list[float] = []
    level: list[float] = []
    before: list[float] = []
    often: list[float] = []
    number: list[float] = []
    scale: Scale = Scale(USUAL)
    scale_of_sum: Scale = Scale(SUM_USUAL)


class Crowd:
    """People in R places, coupled by D door-directions.

    incidence: (R, D) of -1, 0, +1 or fractions where several counters share a door: what one crossing does to a place.
    gain, gain_sd: (D,) people per counted person, and how well that is known (1 ± 0.05 where nobody looked).
    spread: (R,) standard deviation of people in a place that nobody has told about.

    >>> room = np.array([[1.0, -1.0]])  # one door: forward in, backward out
    >>> crowd = Crowd(room)
    >>> crowd.learn(np.array([20.0, 0.0]), 10.0)
    >>> people, sd = crowd.estimate()
    >>> round(float(people[0]), 1), bool(sd[0] > 0.5)
    (20.0, True)
    >>> crowd.anchor([0], 20.0, 0.5)
    >>> round(float(crowd.estimate()[0][0]), 1)
    20.0
    """

    def __init__(
        self,
        incidence: Array,
        *,
        gain: Array | None = None,
        gain_sd: Array | None = None,
        spread: Array | None = None,
    ) -> None:
        self._a = np.asarray(incidence, dtype=np.float64)
        self._squares, self._net = self._a**2, self._a.sum(axis=0)
        places, doors = self._a.shape
        self._n, self._g = slice(0, places), slice(places, places + doors)
        self._share = places + doors
        self._d = slice(self._share + 1, self._share + 1 + places)
        self._places = np.arange(places)
        self._period = np.zeros(doors)
        self._origin = np.where((self._a < 0).any(axis=0), np.argmin(self._a, axis=0), -1)
        size = self._share + 1 + places
        self._x, variance = np.zeros(size), np.zeros(size)
        self._x[self._g] = 0.0 if gain is None else np.log(gain)
        variance[self._g] = 0.05**2 if gain_sd is None else gain_sd**2
        self._x[self._share], variance[self._share] = math.log(SHARE), SHARE_SD**2
        if spread is not None:
            variance[self._n] = np.asarray(spread) ** 2
        self._p = np.diag(variance)
        self._rate, self._age, self._waiting = np.zeros(doors), np.zeros(doors), np.zeros(doors)
        self._waited = self._lived = 0.0
        self._ledger = Ledger(places, doors)
        self._moves: dict[Evidence, Array] = {}
        self._told = self._looked = self._carriers = self._people = 0.0
        self._scale, self._scale_of_sum = Scale(USUAL), Scale(SUM_USUAL)
        self._frozen: dict[int, tuple[float, float]] = {}
        self._silent: list[int] = []
        self._assumed, self._quiet, self._level = np.zeros(doors), np.zeros(doors), np.zeros(doors)
        self._before, self._often, self._number = np.zeros(0), np.zeros(doors), np.zeros(places)

    def reports(self, door: int, seconds: float) -> None:
        """A counter's forward direction `door`, and its backward one after it, are told every `seconds` from now on."""
        self._period[door : door + 2] = seconds

    # Evidence.

    def learn(
        self,
        crossings: Array,
        seconds: float,
        *,
        reported: NDArray[np.bool_] | None = None,
        covered: NDArray[np.bool_] | None = None,
        missing: Array | None = None,
    ) -> None:
        """People counted per direction (D,) over the last `seconds`.

        reported: directions whose window just ended. covered: directions whose count is of all the time they were
        silent (a register that went on): what was assumed of them meanwhile is taken back.
        missing: people (sd) that a direction may have missed beside them, (D,).
        What is not finite or negative is not learned.
        """
        if not (np.isfinite(crossings).all() and (crossings >= 0).all() and math.isfinite(seconds)) or seconds < 0:
            return
        if self._silent or covered is not None:
            crossings = crossings.astype(np.float64)
            for door in self._silent:
                crossings[door] = self._probable(door) * seconds
                self._assumed[door] += crossings[door]
            if covered is not None:
                crossings[covered] -= self._assumed[covered]
                self._assumed[covered] = 0.0
        if seconds:
            keep = math.exp(-seconds / RATE_S)
            rate = keep * self._rate + (1.0 - keep) / seconds * np.maximum(crossings, 0.0)
            self._lived = keep * self._lived + 1.0 - keep
            keep = math.exp(-seconds / OFTEN_S)
            often = keep * self._often + (1.0 - keep) / seconds * np.maximum(crossings, 0.0)
            often[self._silent] = self._often[self._silent]
            self._often = often
            if self._silent:  # `usual` goes on saying what it said before
                rate[self._silent] = self._before * max(self._lived, LIVED_LEAST)
            self._rate = rate
            self._quiet += seconds
        self._age += seconds
        self._told += seconds
        self._age[(crossings > 0) if reported is None else reported | (crossings > 0)] = 0.0
        if missing is not None:
            self._p[self._n, self._n] += (self._a * missing**2) @ self._a.T
        self._waiting = self._waiting + crossings
        self._waited += seconds
        if self._waited >= STEP_S:
            self._advance()
            if self._silent:
                self._hold()
            else:
                keep = math.exp(-STEP_S / USUAL_S) if self._number.any() else 0.0  # begins with what there is
                self._number = keep * self._number + (1.0 - keep) * np.maximum(self._x[self._n], 0.0)
            self._below_zero()

    def hear(self, beacons: Array) -> bool:
        """Beacons believed in each place now, (R,), NaN where none is heard; whether they say anything (eight do)."""
        heard = np.flatnonzero(~np.isnan(beacons))
        beacons = beacons[heard]
        if not np.isfinite(beacons).all() or beacons.sum() < BEACONS_MIN:
            return False
        self._advance()
        pending, uncertain = self._pending()
        people = np.maximum(self._x[self._n] + pending, 0.0)[heard]
        share = self._ratio(float(beacons.sum()), float(people.sum()))
        design, rows = self._design(len(heard)), np.arange(len(heard))
        design[rows, heard] = share
        design[:, self._share] = share * people
        design[rows, heard + self._d.start] = 1.0
        noise = np.diag(RADIO_SD**2 + RADIO_SHARE * beacons) + share**2 * uncertain[np.ix_(heard, heard)]
        self._update(design, beacons - share * people - self._x[self._d][heard], noise, "beacons")
        self._below_zero()
        return True

    def anchor(self, places: list[int], people: float, sd: float) -> None:
        """Together there are `people` ± `sd` in `places`: everything that is tied to them moves too."""
        if not (math.isfinite(people) and math.isfinite(sd)) or people < 0 or sd <= 0:
            return
        self._advance()
        pending, uncertain = self._pending()
        design = self._design(1)
        design[0, places] = 1.0
        noise = sd * sd + float(uncertain[np.ix_(places, places)].sum())
        error = people - float((self._x[self._n] + pending)[places].sum())
        surprise = error**2 / (float((design @ self._p @ design.T)[0, 0]) + noise)
        if len(places) == 1:
            self._scale = self._scale.told(surprise)
        else:
            self._scale_of_sum = self._scale_of_sum.told(surprise)
        self._update(design, np.array([error]), np.array([[noise]]), "truth", gate=True)
        if len(places) == 1:
            self._ledger.begin(places[0], float(self._x[places[0]]))

    def empty(self) -> None:
        """Everybody has left: a truth for each place, then nobody is anywhere with certainty. Gains stay."""
        self._advance()
        total = float(self._x[self._n].sum())
        inside = self._p[self._n, self._n]
        self._scale_of_sum = self._scale_of_sum.told(total**2 / (float(inside.sum()) + NIGHT_SD**2))
        each = self._x[self._n] ** 2 / (np.diag(inside) + NIGHT_SD**2)
        self._scale = self._scale.told(float(np.minimum(each, GATE**2).mean()))
        design = self._design()
        design[self._places, self._places] = 1.0
        self._update(design, -self._x[self._n], np.eye(len(self._places)) * NIGHT_SD**2, "truth", gate=True)
        for part in (self._n, self._d):
            self._x[part] = 0.0
            self._p[part, :] = self._p[:, part] = 0.0
        self._rate[:] = self._age[:] = self._lived = 0.0
        for place in self._places.tolist():
            self._ledger.begin(place, 0.0)

    def doubt(self, silent: set[int], lying: set[int]) -> None:
        """Directions that do not see, and such that miscount by an unknown share; all others are as they were before.

        A silent direction is taken at its usual rate, a lying one as it counts; the gains of both are free.
        """
        doubted = silent | lying
        for door in sorted(doubted - self._frozen.keys()):
            self._advance()
            place = self._g.start + door
            self._frozen[door] = (float(self._x[place]), float(self._p[place, place]))
            self._loosen(place, self._frozen[door][1] + DOUBT_SD**2)
        for door in sorted(self._frozen.keys() - doubted):
            self._advance()
            place = self._g.start + door
            self._x[place], variance = self._frozen.pop(door)
            self._loosen(place, variance)
        begun = sorted(silent - set(self._silent))
        if sorted(silent) != self._silent:
            usual = self.usual
            self._assumed[begun] = self._quiet[begun] = 0.0
            self._silent = sorted(silent)
            self._before = usual[self._silent]
            self._level[begun] = float(np.delete(usual, self._silent).sum())

    def _busy(self, door: int) -> float:
        """How much busier the doors that see are than when this one fell silent: 0 (nobody sees or comes) to 2."""
        now = float(np.delete(self.usual, self._silent).sum())
        return min(2.0, now / self._level[door]) if self._level[door] > 0 else 0.0

    def _probable(self, door: int) -> float:
        """People a second through a silent direction.

        As it was, times how much busier the doors that see have become; and as it is not known for long which way the
        crowd is going, the two directions of a door go back to their shares of the long run within half an hour.
        """
        rate = float(self.usual[door])
        if door ^ 1 in self._silent:
            fading = math.exp(-float(self._quiet[door]) / FADING_S)
            often = float(self._often[door]), float(self._often[door ^ 1])
            share = often[0] / sum(often) if sum(often) > 0 else 0.5
            rate = fading * rate + (1.0 - fading) * share * (rate + float(self.usual[door ^ 1]))
        return self._busy(door) * rate

    def _hold(self) -> None:
        """Places beside silent doors are probably not far from the number they had, if any door sees how busy it is."""
        if self._level[self._silent[0]] <= 0 or len(self._silent) == self._a.shape[1]:
            return
        sides = np.flatnonzero((self._a[:, self._silent] != 0).any(axis=1))
        usual = self._busy(self._silent[0]) * self._number[sides]
        design, rows = self._design(len(sides)), np.arange(len(sides))
        design[rows, sides] = 1.0
        noise = USUAL_CORRELATED * (USUAL_SHARE * usual + USUAL_LEAST) ** 2
        # A habit says nothing of doors that see, nor of places further away.
        moves = np.concatenate([sides, self._g.start + np.array(self._silent)])
        self._update(design, usual - self._x[sides], np.diag(noise), "usual", moves=moves)

    # Answers.

    def estimate(self) -> tuple[Array, Array]:
        """People and standard deviation per place, (R,): people may be below zero, which is shown as zero."""
        probable = self._probable_windows()
        counted = np.exp(self._x[self._g]) * self._waiting + probable
        variance = self._variances() + self._squares @ (PARTY * probable + MISS * np.abs(self._waiting))
        return self._x[self._n] + self._a @ counted, self._scale.factor * np.sqrt(np.maximum(variance, 0.0))

    def total(self, people: Array) -> tuple[float, float]:
        """All `people` of an estimate together, and the standard deviation of that."""
        noise = PARTY * self._probable_windows() + MISS * np.abs(self._waiting)
        inside = float(self._p[self._n, self._n].sum() + self._net**2 @ noise)
        return float(people.sum()), self._scale_of_sum.factor * math.sqrt(max(inside, 0.0))

    def gains(self) -> tuple[Array, Array]:
        """People per counted person for each direction, and the relative sd of that, (D,)."""
        return np.exp(self._x[self._g]), np.sqrt(np.maximum(np.diag(self._p)[self._g], 0.0))

    def told(self) -> dict[Evidence, Array]:
        """What evidence other than crossings moved since this was asked last: kind -> (R,) people. Clears it."""
        moves, self._moves = self._moves, {}
        return moves

    def account(self, place: int) -> Account:
        """Why the number of a place is what it is; adds up to `estimate` without what windows have yet to tell."""
        known = self._ledger.account(place)
        moved = self._a[place] * np.exp(self._x[self._g]) * self._waiting
        doors = {int(door): known.moved.get(int(door), 0.0) + float(moved[door]) for door in np.flatnonzero(moved)}
        return Account(known.base, {**known.moved, **doors}, known.evidence)

    def probable(self, place: int) -> float:
        """People that windows will probably tell of: `estimate` of a place is its account and these."""
        return float(self._a[place] @ self._probable_windows())

    def best_to_count(self) -> int:
        """The place whose recount would take most from the uncertainty of all of them."""
        inside = self._p[self._n, self._n]
        drop = (inside**2).sum(axis=1) / (np.diag(inside) + NIGHT_SD**2)
        return int(np.argmax(drop))

    @property
    def share(self) -> float:
        """People who carry a beacon, 0..1."""
        return min(1.0, math.exp(self._x[self._share]))

    @property
    def state(self) -> CrowdState:
        """A plain copy of everything remembered."""
        return CrowdState(
            mean=self._x.tobytes(),
            covariance=self._p.tobytes(),
            rate=self._rate.tolist(),
            age=self._age.tolist(),
            waiting=self._waiting.tolist(),
            waited=self._waited,
            ledger=self._ledger.state,
            lived=self._lived,
            told=self._told,
            looked=self._looked,
            carriers=self._carriers,
            people=self._people,
            frozen=dict(self._frozen),
            silent=list(self._silent),
            assumed=self._assumed.tolist(),
            quiet=self._quiet.tolist(),
            level=self._level.tolist(),
            before=self._before.tolist(),
            often=self._often.tolist(),
            number=self._number.tolist(),
            scale=self._scale,
            scale_of_sum=self._scale_of_sum,
        )

    @state.setter
    def state(self, state: CrowdState) -> None:
        self._x = np.frombuffer(state.mean).copy()
        self._p = np.frombuffer(state.covariance).reshape(self._p.shape).copy()
        self._rate, self._age = np.array(state.rate), np.array(state.age)
        self._waiting, self._waited, self._lived = np.array(state.waiting), state.waited, state.lived
        self._told, self._looked, self._ledger.state = state.told, state.looked, state.ledger
        self._carriers, self._people = state.carriers, state.people
        self._frozen, self._silent = dict(state.frozen), list(state.silent)
        self._assumed, self._quiet = np.array(state.assumed), np.array(state.quiet)
        self._level, self._before = np.array(state.level), np.array(state.before)
        self._often, self._number = np.array(state.often), np.array(state.number)
        self._scale, self._scale_of_sum = state.scale, state.scale_of_sum

    # The filter.

    def _advance(self) -> None:
        """Move the covariance over everything that waited; the mean moves with it."""
        counts, seconds = self._waiting, self._waited
        if seconds <= 0 and not counts.any():
            return
        moved = np.exp(self._x[self._g]) * counts
        share = math.exp(self._x[self._share])
        carried, flow = self._carried(moved), self._a * moved
        self._x[self._n] += self._a @ moved
        self._ledger.moved += flow
        self._x[self._d] = carried @ self._x[self._d]
        p = self._p
        p[self._n, :] += flow @ p[self._g, :]
        p[:, self._n] += p[:, self._g] @ flow.T
        p[self._d, :] = carried @ p[self._d, :]
        p[:, self._d] = p[:, self._d] @ carried.T
        passed = np.abs(moved)  # what was assumed and is taken back is no less uncertain
        p[self._n, self._n] += (self._a * (MISS * np.exp(self._x[self._g]) * passed)) @ self._a.T
        p[self._d, self._d] += (self._a * (PARTY * share * (1.0 - min(share, 1.0)) * passed)) @ self._a.T
        hours = seconds / 3600.0
        walk = np.arange(self._g.start, self._g.stop)
        p[walk, walk] += GAIN_WALK**2 * hours
        self._waiting, self._waited = np.zeros_like(counts), 0.0

    def _ratio(self, beacons: float, people: float) -> float:
        """The share of people with a beacon, after one more look at all of them; its variance is set by how many."""
        keep = math.exp(-max(self._told - self._looked, 0.0) / SHARE_S)
        self._looked = self._told
        self._carriers = keep * self._carriers + beacons
        self._people = keep * self._people + people
        share = (self._carriers + SHARE * SHARE_PRIOR) / (self._people + SHARE_PRIOR)
        self._x[self._share] = math.log(share)
        self._p[self._share, self._share] = SHARE_SD_LEAST**2 + SHARE_SD**2 / (1.0 + self._people / SHARE_PRIOR)
        return share

    def _carried(self, moved: Array) -> Array:
        """(R, R): where the beacon deviation of each place went with the people who crossed."""
        carried = np.eye(len(self._places))
        for door in np.flatnonzero(moved).tolist():
            origin = self._origin[door]
            if origin >= 0:
                people = max(float(self._x[origin]), 1.0, float(moved[door]))
                carried[:, origin] += self._a[:, door] * (max(float(moved[door]), 0.0) / people)
        return np.maximum(carried, 0.0)

    def _probable_windows(self) -> Array:
        """People that counters with windows have probably seen since their last report, (D,)."""
        windows: Array = self.usual * np.minimum(self._age, self._period)
        return windows

    def _pending(self) -> tuple[Array, Array]:
        """What windows have yet to tell: people, (R,), and their covariance, (R, R)."""
        probable = self._probable_windows()
        return self._a @ probable, (self._a * (PARTY * probable)) @ self._a.T

    @property
    def usual(self) -> Array:
        """People a second through each direction lately, (D,); what is known of seconds is not taken for minutes."""
        return self._rate / max(self._lived, LIVED_LEAST)

    def _variances(self) -> Array:
        diagonal: Array = self._p.diagonal()[self._n]
        return diagonal

    def _below_zero(self) -> None:
        """All places at once, so that the order in which they are listed means nothing."""
        pending, uncertain = self._pending()
        people = self._x[self._n] + pending
        variance = np.maximum(self._variances() + np.diag(uncertain), 1e-6)
        negative = np.flatnonzero((people < -1.0) & (people**2 > variance))
        if len(negative):
            design = self._design(len(negative))
            design[np.arange(len(negative)), negative] = 1.0
            self._update(design, -people[negative], np.diag(variance[negative]), "negative")

    def _design(self, rows: int | None = None) -> Array:
        return np.zeros((len(self._places) if rows is None else rows, len(self._x)))

    def _update(
        self,
        design: Array,
        error: Array,
        noise: Array,
        kind: Evidence,
        *,
        gate: bool = False,
        moves: NDArray[np.intp] | None = None,
    ) -> None:
        """One measurement. With `gate`, one beyond 4 σ widens what is known of its places first.

        moves: the only parts of the state that it may move; the errors of all others are considered.
        """
        across = self._p @ design.T
        spread = design @ across + noise
        if gate and (excess := float(error @ np.linalg.solve(spread, error)) / len(error) / GATE**2) > 1.0:
            # Something happened that the filter knows nothing of: people are less certain, the doors no worse.
            self._p[self._n, self._n] += np.diag(
                (excess - 1.0) * np.maximum(np.diag(spread).max(), 1.0) * self._widened(design)
            )
            across = self._p @ design.T
            spread = design @ across + noise
        weight = np.linalg.solve(spread, across.T).T
        weight[self._share] = 0.0
        if moves is not None:
            allowed = np.zeros_like(weight)
            allowed[moves] = 1.0
            weight *= allowed
        move = weight @ error
        self._x += move
        self._ledger.evidence[kind] += move[self._n]
        self._moves[kind] = self._moves.get(kind, 0.0) + move[self._n]
        crossed = weight @ across.T
        self._p += weight @ spread @ weight.T - crossed - crossed.T
        self._p = (self._p + self._p.T) / 2

    def _widened(self, design: Array) -> Array:
        """The places that a measurement is about, as zeros and ones, (R,)."""
        about: Array = (design[:, self._n] != 0).any(axis=0).astype(np.float64)
        return about

    def _loosen(self, place: int, variance: float) -> None:
        self._p[place, :] = self._p[:, place] = 0.0
        self._p[place, place] = variance

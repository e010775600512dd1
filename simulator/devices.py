"""Imperfect people counters. They see crossings and tell what they believe, on their own clock.

    seen = crossing, unless missed (per door and direction; more often right behind another, and where the scenario
    says so together with its neighbours in time), sometimes twice;
    staff walk through too: out and back again, so they never change the true occupancy.

Figures: Beta draw of the miss rate per direction, because equal rates would cancel and make the problem too easy.
"""

import math
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import simpy

from flowmon.facts import Count, DeviceStatus, Fact
from flowmon.venue.model import Counter
from simulator.faults import Faults
from simulator.scenario import DeviceErrors, FaultKind

Process = Generator[simpy.Event, Any, None]
Send = Callable[[str, Fact], None]
FIRMWARE = "simulator"
_LOSSES: tuple[FaultKind, ...] = ("loss", "knock")


class Voice:
    """What every device has: a name, a clock that is a little wrong, heartbeats, and faults.

    made: draws what the device is for good. rng: draws what it does on this day.
    """

    def __init__(
        self,
        env: simpy.Environment,
        name: str,
        errors: DeviceErrors,
        faults: Faults,
        made: np.random.Generator,
        rng: np.random.Generator,
        send: Send,
    ) -> None:
        self.name = name
        self._env = env
        self._errors = errors
        self._faults = faults
        self._rng = rng
        self._send = send
        self._skew = float(made.normal(0.0, 1.0)) * errors.skew_s
        self._phase = float(made.random()) * errors.heartbeat_s
        self._beats = 0

    def clock(self) -> float:
        """What time the device believes it is."""
        step = self._faults.of(self.name, "clock-step", self._env.now)
        return self._env.now + self._skew + (step.amount if step else 0.0)

    def alive(self) -> bool:
        """Whether the device works at all."""
        return self._faults.of(self.name, "dropout", self._env.now) is None

    def beat(self, at: float) -> DeviceStatus:
        """The word that the device is well, at a time of its own clock."""
        self._beats += 1
        return DeviceStatus(
            at=at, source=self.name, seq=self._beats, simulated=True, health="online", firmware=FIRMWARE
        )

    def heartbeats(self) -> Process:
        """The process that says `online` every heartbeat."""
        yield self._env.timeout(self._phase)
        while True:
            if self.alive():
                self._send(self.name, self.beat(self.clock()))
            yield self._env.timeout(self._errors.heartbeat_s)


class Line:
    """A counting line of a device: how often it misses and doubles each direction, and what it has counted.

    made: draws its errors, and where its register stands, which has counted since the device was made.
    """

    def __init__(self, counter: Counter, errors: DeviceErrors, made: np.random.Generator) -> None:
        self.counter = counter
        self.miss = {forward: _beta(errors.miss, errors.miss_spread, made) for forward in (True, False)}
        start = int(made.integers(1000, 50_000))
        self.double = {forward: _beta(errors.double, errors.double / 2, made) for forward in (True, False)}
        self.last = -1e18  # when somebody last went through
        self.register = {True: start, False: start}
        self.window = {True: 0, False: 0}


class CounterDevice(Voice):
    """A device with one or more lines, each telling its configured kind of count.

    event: at once. window, cumulative: at each full `window_s` of its own clock, nothing to report included.
    """

    def __init__(
        self,
        env: simpy.Environment,
        name: str,
        counters: dict[str, Counter],
        errors: DeviceErrors,
        faults: Faults,
        made: np.random.Generator,
        rng: np.random.Generator,
        send: Send,
    ) -> None:
        super().__init__(env, name, errors, faults, made, rng, send)
        self.lines = {key: Line(counter, errors, made) for key, counter in counters.items()}
        self._seq = 0
        # Each visitor brings share/2 staff round trips of two crossings each: together `share` of the flow.
        self._staff = float(made.uniform(errors.staff_low, errors.staff_high)) / 2
        self._murk, self._murk_at = float(rng.standard_normal()) if errors.weather else 0.0, env.now
        self._busy = any(counter.credit != "event" for counter in counters.values())

    def start(self) -> None:
        """Switch on."""
        self._env.process(self.heartbeats())
        if self._busy:
            self._env.process(self._periods())

    def crossed(self, key: str, *, forward: bool) -> None:
        """A visitor went through the line of counter `key`."""
        self._seen(key, forward=forward)
        if self._rng.random() < self._staff:
            self._env.process(self._staff_trip(key, forward=bool(self._rng.random() < 0.5)))

    def _staff_trip(self, key: str, *, forward: bool) -> Process:
        yield self._env.timeout(float(self._rng.exponential(60.0)))
        self._seen(key, forward=forward)
        yield self._env.timeout(float(self._rng.exponential(300.0)))
        self._seen(key, forward=not forward)

    def _seen(self, key: str, *, forward: bool) -> None:
        line, now = self.lines[key], self._env.now
        behind, line.last = now - line.last < self._errors.shadow_s, now
        draw, twice = self._rng.random(2)
        if not self.alive():
            return
        if draw < self._missing(line, now, forward=forward, behind=behind):
            return
        if self._faults.of(self.name, "reversed", now) is not None:
            forward = not forward
        people = 2 if twice < line.double[forward] + (self._errors.group_double if behind else 0.0) else 1
        match line.counter.credit:
            case "event":
                self._tell(line, self.clock(), "event", {forward: people, not forward: 0})
            case "window":
                line.window[forward] += people
            case "cumulative":
                line.register[forward] += people

    def _missing(self, line: Line, now: float, *, forward: bool, behind: bool) -> float:
        """The probability that somebody who goes through now is not seen."""
        missing = line.miss[forward] + (self._errors.shadow if behind else 0.0)
        if self._errors.weather:
            missing = min(0.95, missing * self._weather(now))
        for kind in _LOSSES:
            trouble = self._faults.of(self.name, kind, now)
            if trouble is not None and trouble.forward == forward:
                missing = 1 - (1 - missing) * (1 - trouble.amount)
        return missing

    def _weather(self, now: float) -> float:
        """The slow factor on all misses of this device: log-normal with mean 1, autocorrelated."""
        keep = math.exp(-(now - self._murk_at) / self._errors.weather_s)
        self._murk = keep * self._murk + math.sqrt(1 - keep * keep) * float(self._rng.standard_normal())
        self._murk_at = now
        spread = self._errors.weather
        return math.exp(spread * self._murk - spread * spread / 2)

    def _periods(self) -> Process:
        period = self._errors.window_s
        end = (math.ceil((self._env.now + self._skew) / period) + 1) * period  # the first whole one, device time
        while True:
            yield self._env.timeout(max(0.0, end - self._skew - self._env.now))
            self._report(end - period, end)
            end += period

    def _report(self, start: float, end: float) -> None:
        now = self._env.now
        woke = self._faults.woke(self.name, now, start - self._skew)
        complete = 1.0 if woke is None else min(1.0, (now - woke) / (end - start))
        step = self.clock() - self._skew - now
        for line in self.lines.values():
            if line.counter.credit == "window":
                counted, line.window = line.window, {True: 0, False: 0}
                if self.alive():
                    self._tell(
                        line, end + step, "window", counted, start=start + step, end=end + step, complete=complete
                    )
            elif line.counter.credit == "cumulative" and self.alive():
                self._tell(line, end + step, "cumulative", line.register)

    def _tell(
        self,
        line: Line,
        at: float,
        kind: str,
        counted: dict[bool, int],
        *,
        start: float = 0.0,
        end: float = 0.0,
        complete: float = 1.0,
    ) -> None:
        counter = line.counter
        forward, backward = counted[not counter.invert], counted[counter.invert]  # it hangs the other way round
        told = [(counter.line, forward, backward)]
        if counter.backward_line:  # each of its lines counts one direction
            told = [(counter.line, forward, 0), (counter.backward_line, backward, 0)]
            if kind == "event":
                told = [one for one in told if one[1]]
        for name, into, out in told:
            self._seq += 1
            self._send(
                self.name,
                Count(
                    at=at,
                    source=self.name,
                    seq=self._seq,
                    simulated=True,
                    counter=self.name,
                    kind=kind,  # type: ignore[arg-type]  # the counter's own `credit`
                    line=name,
                    forward=into,
                    backward=out,
                    start=start,
                    end=end,
                    complete=complete,
                ),
            )


def _beta(mean: float, deviation: float, rng: np.random.Generator) -> float:
    """A Beta draw of given mean and standard deviation; the mean itself where no spread is possible."""
    if mean <= 0 or mean >= 1 or deviation <= 1e-9:
        return mean
    size = max(2.0, mean * (1 - mean) / deviation**2 - 1)
    return float(rng.beta(mean * size, (1 - mean) * size))

"""Imperfect people counters. They see crossings and tell what they believe, on their own clock.

    seen = crossing, unless missed (per door and direction; more often right behind another), sometimes twice;
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
from simulator.scenario import DeviceErrors

Process = Generator[simpy.Event, Any, None]
Send = Callable[[str, Fact], None]
FIRMWARE = "simulator"


class Voice:
    """What every device has: a name, a clock that is a little wrong, heartbeats, and faults."""

    def __init__(
        self,
        env: simpy.Environment,
        name: str,
        errors: DeviceErrors,
        faults: Faults,
        rng: np.random.Generator,
        send: Send,
    ) -> None:
        self.name = name
        self._env = env
        self._errors = errors
        self._faults = faults
        self._rng = rng
        self._send = send
        self._skew = float(rng.normal(0.0, 1.0)) * errors.skew_s
        self._phase = float(rng.random()) * errors.heartbeat_s
        self._beats = 0

    def clock(self) -> float:
        """What time the device believes it is."""
        step = self._faults.of(self.name, "clock-step", self._env.now)
        return self._env.now + self._skew + (step.amount if step else 0.0)

    def alive(self) -> bool:
        """Whether the device works at all."""
        return self._faults.of(self.name, "dropout", self._env.now) is None

    def heartbeats(self) -> Process:
        """The process that says `online` every heartbeat."""
        yield self._env.timeout(self._phase)
        while True:
            if self.alive():
                self._beats += 1
                self._send(
                    self.name,
                    DeviceStatus(
                        at=self.clock(),
                        source=self.name,
                        seq=self._beats,
                        simulated=True,
                        health="online",
                        firmware=FIRMWARE,
                    ),
                )
            yield self._env.timeout(self._errors.heartbeat_s)


class Line:
    """One counting line of a device: its miss rates, and what it has counted."""

    def __init__(self, counter: Counter, errors: DeviceErrors, rng: np.random.Generator) -> None:
        self.counter = counter
        self.miss = {forward: _beta(errors.miss, errors.miss_spread, rng) for forward in (True, False)}
        self.last = -1e18  # when somebody last went through
        start = int(rng.integers(1000, 50_000))  # registers count since the device was made
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
        rng: np.random.Generator,
        send: Send,
    ) -> None:
        super().__init__(env, name, errors, faults, rng, send)
        self.lines = {key: Line(counter, errors, rng) for key, counter in counters.items()}
        self._seq = 0
        # Each visitor brings share/2 staff round trips of two crossings each: together `share` of the flow.
        self._staff = float(rng.uniform(errors.staff_low, errors.staff_high)) / 2
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
        missing = line.miss[forward] + (self._errors.shadow if behind else 0.0)
        loss = self._faults.of(self.name, "loss", now)
        if loss is not None and loss.forward == forward:
            missing = 1 - (1 - missing) * (1 - loss.amount)
        if draw < missing:
            return
        if self._faults.of(self.name, "reversed", now) is not None:
            forward = not forward
        people = 2 if twice < self._errors.double else 1
        match line.counter.credit:
            case "event":
                self._tell(line, self.clock(), "event", {forward: people, not forward: 0})
            case "window":
                line.window[forward] += people
            case "cumulative":
                line.register[forward] += people

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
                line=line.counter.line,
                forward=counted[True],
                backward=counted[False],
                start=start,
                end=end,
                complete=complete,
            ),
        )


def _beta(mean: float, deviation: float, rng: np.random.Generator) -> float:
    """A Beta draw of given mean and standard deviation; the mean itself where no spread is possible."""
    if mean <= 0 or mean >= 1 or deviation <= 0:
        return mean
    size = max(2.0, mean * (1 - mean) / deviation**2 - 1)
    return float(rng.beta(mean * size, (1 - mean) * size))

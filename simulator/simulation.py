"""A day in a simulated museum as one ordered stream of events. Equal venue, scenario and seed give equal events.

    for event in simulate(venue, scenario, seed):
        event.at        when it reaches the broker (facts) or is true (truth), seconds UTC; never falls
        event.fact      what a device says, marked simulated; its `at` is the device's clock
        event.truth     what really happened; exactly one of the two is there

People, plans, service, devices and radio draw from generators of their own: a change of the devices' errors does not
change what people do.
"""

from collections.abc import Generator, Iterator, Mapping
from typing import Any

import numpy as np
import simpy
from msgspec import structs

from flowmon.facts import Fact, Sighting
from flowmon.names import OUTSIDE
from flowmon.venue.model import Counter, Venue
from simulator.arrivals import arrivals
from simulator.day import day_of
from simulator.devices import CounterDevice, Voice
from simulator.faults import Faults
from simulator.layout import Layout
from simulator.network import Event, Network
from simulator.placing import Placing
from simulator.radio import Air
from simulator.scenario import Scenario
from simulator.truth import Carried, Crossed, Truth
from simulator.world import World

__all__ = ["Event", "Simulation", "simulate"]

Lines = dict[str, list[tuple[CounterDevice, str]]]
_MADE = 0x0DE71CE5  # sets what devices are apart from what they do on a day


def simulate(
    venue: Venue, scenario: Scenario, seed: int, *, sightings: bool = True, shift_s: float = 0.0
) -> Iterator[Event]:
    """The events of a day in order. Raises FlowmonError when scenario and venue do not fit."""
    return Simulation(venue, scenario, seed, sightings=sightings, shift_s=shift_s).events()


class Simulation:
    """One day, to be run once.

    sightings: whether radio is simulated (by far the most events). presences: instead of radio, what a good locator
    would make of it (see `placing`). shift_s: moves the day in time.
    radio_from: nothing is heard before (epoch); saves time for who begins in the middle of a day.
    number: which day of a run it is: devices are those of the seed on every day, people differ. registers: where the
    lines' registers stand, from the day before. knocked: the scenario's knocks happened on an earlier day.
    day: its times.
    """

    def __init__(
        self,
        venue: Venue,
        scenario: Scenario,
        seed: int,
        *,
        sightings: bool = True,
        shift_s: float = 0.0,
        radio_from: float = 0.0,
        presences: bool = False,
        number: int = 0,
        registers: Mapping[str, dict[bool, int]] | None = None,
        knocked: bool = False,
    ) -> None:
        self.venue = venue
        self.scenario = scenario
        self.seed = seed
        self.day = day_of(scenario, venue, shift_s=shift_s)
        dice = np.random.default_rng([seed, number] if number else seed)
        people, plans, walks, service, devices, network, radio, luck = dice.spawn(8)
        self._env = simpy.Environment(initial_time=self.day.start)
        layout = Layout(venue, scenario)
        self._faults = Faults(scenario, layout, self.day, knocked=knocked, dice=luck)
        self._network = Network(self._env, scenario.devices, self._faults, network)
        salt = f"{venue.id}|{scenario.day}|{seed}"
        self._world = World(
            self._env, layout, scenario, self.day, (plans, walks, service), salt, self._told, self._said
        )
        made = np.random.default_rng([seed, _MADE])
        self._lines, self._receivers = self._devices(made, devices)
        for device, key in self._counting():
            device.lines[key].register |= (registers or {}).get(key, {})
        self._radio_from = radio_from
        self._air = Air(layout, scenario.radio, radio) if sightings and venue.receivers else None
        hears = presences and bool(venue.receivers)
        self._placing = Placing(layout, self._receivers, radio, self._network) if hears else None
        self._env.process(self._faults.sentinels(self._env, self._told))
        self._env.process(self._seconds())
        self._world.open(arrivals(scenario, venue, self.day, people))

    @property
    def now(self) -> float:
        """The time the simulation has reached, seconds since the epoch."""
        return float(self._env.now)

    @property
    def occupancy(self) -> dict[str, int]:
        """True visitors in each zone when the last event was read; `outside` left out."""
        return {zone: people for zone, people in self._world.occupancy.items() if zone != OUTSIDE}

    @property
    def faults(self) -> Faults:
        """What goes wrong on this day."""
        return self._faults

    @property
    def registers(self) -> dict[str, dict[bool, int]]:
        """Where the register of each counter's line stands: for the day after."""
        return {key: device.lines[key].register for device, key in self._counting()}

    def heartbeats(self, at: float) -> list[Fact]:
        """Every device says that it is well, at a time outside the day: at night nothing else happens."""
        voices = [*dict.fromkeys(device for device, _ in self._counting()), *self._receivers]
        return [structs.replace(voice.beat(at), seen=at) for voice in voices]

    def events(self) -> Iterator[Event]:
        """The day, event by event; memory holds only who is inside and what is under way."""
        while self._env.peek() <= self.day.end:
            self._env.step()
            yield from self._network.due()
        yield from self._network.rest()

    def _counting(self) -> Iterator[tuple[CounterDevice, str]]:
        for lines in self._lines.values():
            yield from lines

    def _devices(self, made: np.random.Generator, rng: np.random.Generator) -> tuple[Lines, list[Voice]]:
        """All devices, switched on: counting lines by portal, and receivers in the order of the venue."""
        named: dict[str, dict[str, Counter]] = {}
        for key, counter in self.venue.counters.items():
            named.setdefault(counter.device or key, {})[key] = counter
        lines: Lines = {}
        count = len(named) + len(self.venue.receivers)
        rngs = list(zip(made.spawn(count), rng.spawn(count), strict=True))
        common = (self.scenario.devices, self._faults)
        for (name, counters), own in zip(named.items(), rngs[: len(named)], strict=True):
            device = CounterDevice(self._env, name, counters, *common, *own, self._network.send)
            device.start()
            for key, counter in counters.items():
                lines.setdefault(counter.portal, []).append((device, key))
        names = [receiver.device or key for key, receiver in self.venue.receivers.items()]
        receivers = [
            Voice(self._env, name, *common, *own, self._network.send)
            for name, own in zip(names, rngs[len(named) :], strict=True)
        ]
        for receiver in receivers:
            self._env.process(receiver.heartbeats())
        return lines, receivers

    def _said(self, fact: Fact) -> None:
        self._network.send(fact.source, fact)

    def _told(self, truth: Truth) -> None:
        self._network.told(truth)
        if self._placing is not None and isinstance(truth, Carried):
            self._placing.moved(truth.beacon, truth.zone, self._env.now)
        if not isinstance(truth, Crossed):
            return
        for device, key in self._lines.get(truth.portal, ()):  # several counters at one portal watch the same people
            device.crossed(key, forward=self.venue.counters[key].towards == truth.entered)
        if self._air is not None and self._world.carries(truth.person):
            zone = None if truth.entered == OUTSIDE else truth.entered
            self._air.entered(truth.person, zone, self.venue.portals[truth.portal].at)

    def _seconds(self) -> Generator[simpy.Event, Any, None]:
        """Each second: what receivers hear. Runs without radio too, so that events leave in time."""
        while True:
            if self._air is not None and self._air.carriers and self._env.now >= self._radio_from:
                self._hear(self._air)
            if self._placing is not None:
                self._placing.second(self._env.now)
            yield self._env.timeout(1.0)

    def _hear(self, air: Air) -> None:
        heard = air.second()
        now = self._env.now
        clocks = [voice.clock() - now if voice.alive() else None for voice in self._receivers]
        late = self._network.latencies(len(heard.carrier))
        carriers = self._world.carriers
        for after, carrier, receiver, rssi, latency in zip(
            heard.at.tolist(), heard.carrier, heard.receiver, heard.rssi.round(1).tolist(), late, strict=True
        ):
            skew = clocks[receiver]
            if skew is None:
                continue
            name = self._receivers[receiver].name
            at = now + after
            self._network.arrive(
                at + latency,
                Sighting(
                    at=at + skew,
                    source=name,
                    simulated=True,
                    beacon=carriers[carrier],
                    receiver=name,
                    rssi_dbm=rssi,
                ),
            )

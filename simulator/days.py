"""Days in a row in one museum: the same devices, other people, as many as weekday, season, rain and holidays bring.

    for simulation, learning in days(venue, scenario, seed, learning=4, scored=2):
        ...    # read its events to the end before asking for the next day

Learning days are ordinary: what is special about the scenario (faults, coaches, forgotten beacons) begins with the
first scored day. A knock of that day stays on the days after.
"""

import hashlib
import math
from collections.abc import Iterator
from datetime import date

import numpy as np
from msgspec import structs

from flowmon.venue.model import Venue
from simulator.arrivals import visitors
from simulator.day import open_days
from simulator.scenario import Attendance, Scenario
from simulator.simulation import Simulation


def days(
    venue: Venue,
    scenario: Scenario,
    seed: int,
    *,
    learning: int = 0,
    scored: int = 1,
    sightings: bool = False,
    presences: bool = True,
) -> Iterator[tuple[Simulation, bool]]:
    """Successive open days from the scenario's on; each with whether it is a learning day.

    sightings, presences: as `Simulation` has them. Raises FlowmonError when scenario and venue do not fit.
    """
    registers: dict[str, dict[bool, int]] = {}
    expected = visitors(scenario, venue)
    for number, on in enumerate(open_days(scenario, venue, learning + scored)):
        today = scenario if number >= learning else ordinary(scenario)
        people = round(expected * attendance(scenario.attendance, on, seed))
        today = structs.replace(today, day=on.isoformat(), visitors=people)
        simulation = Simulation(
            venue,
            today,
            seed,
            sightings=sightings,
            presences=presences and not sightings,
            number=number,
            registers=registers,
            knocked=number > learning,
        )
        yield simulation, number < learning
        registers = simulation.registers


def ordinary(scenario: Scenario) -> Scenario:
    """The scenario on a day on which nothing special happens."""
    return structs.replace(
        scenario,
        faults=[],
        coaches=[],
        beacon_drop=None,
        beacons_left=0.0,
        overstay_s=0.0,
        sweep_s=scenario.sweep_s or 15 * 60,
    )


def attendance(model: Attendance, on: date, seed: int) -> float:
    """The factor on a day's visitors. Equal for equal seeds and dates, whatever was asked before.

    >>> attendance(Attendance(noise=0, rain=0, season=0, holidays=()), date(2026, 3, 17), 1)
    0.9
    """
    factor = model.weekday[on.weekday()]
    factor *= 1 + model.season * math.cos(2 * math.pi * (on.isocalendar().week - model.peak_week) / 52)
    if any(first <= on.strftime("%m-%d") <= last for first, last in model.holidays):
        factor *= model.holiday_factor
    if _wet(model, on, seed):
        factor *= model.rain_factor
    return factor * math.exp(model.noise * _normal("noise", on, seed) - model.noise**2 / 2)


def _wet(model: Attendance, on: date, seed: int) -> bool:
    """Rain comes in spells: today is like yesterday's sky, in part."""
    if not 0 < model.rain < 1:
        return model.rain >= 1
    front = sum(0.6**ago * _normal(f"rain{on.toordinal() - ago}", date.min, seed) for ago in range(6))
    spread = math.sqrt(sum(0.36**ago for ago in range(6)))
    return 0.5 * math.erfc(front / spread / math.sqrt(2)) < model.rain


def _normal(what: str, on: date, seed: int) -> float:
    digest = hashlib.blake2b(f"{what}|{on.isoformat()}|{seed}".encode(), digest_size=8).digest()
    return float(np.random.default_rng(int.from_bytes(digest)).standard_normal())

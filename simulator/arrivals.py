"""When parties arrive: groups by the arrival profile of the day, coaches on their minute. A pure draw.

A day has a given number of visitors, not a given rate: conditional on the number, the arrivals of a Poisson process
are independent draws from its profile, so they are drawn so (inverse of the integrated profile).
"""

from collections.abc import Iterator

import numpy as np
from msgspec import Struct

from flowmon.errors import FlowmonError
from flowmon.venue.model import Venue
from simulator.day import Day
from simulator.scenario import Scenario


class Arrival(Struct, frozen=True, order=True):
    """A party that comes together at `at`. `coach`: on a booked tour."""

    at: float
    people: int
    coach: bool = False


def visitors(scenario: Scenario, venue: Venue) -> int:
    """How many people are expected, coaches included."""
    if scenario.visitors is not None:
        return scenario.visitors
    places = venue.capacity or sum(zone.capacity for zone in venue.zones.values())
    return round(scenario.turnover * places)


def arrivals(scenario: Scenario, venue: Venue, day: Day, rng: np.random.Generator) -> list[Arrival]:
    """The parties of a day, in order; together exactly the expected visitors (or the coaches, if more).

    Raises FlowmonError for a coach that comes when nobody is let in.
    """
    admission = day.closes - scenario.last_entry_s - day.opens
    coaches = [Arrival(day.at(coach.at), coach.people, coach=True) for coach in scenario.coaches]
    for coach in coaches:
        if not 0 <= coach.at - day.opens <= admission:
            raise FlowmonError(
                f"{scenario.name}: a coach comes {(coach.at - day.opens) / 60:g} minutes after opening, but people "
                f"are let in for {admission / 60:g} minutes; move it"
            )
    expected = max(0, visitors(scenario, venue) - sum(coach.people for coach in coaches))
    sizes = list(_sizes(scenario, expected, rng))
    uniform = rng.random(len(sizes))
    times = day.opens + admission * _profile(scenario, uniform)
    if scenario.bursts:
        times = _in_bursts(scenario, times, rng).clip(day.opens, day.opens + admission)
    return sorted([*coaches, *map(Arrival, times.tolist(), sizes)])


def _sizes(scenario: Scenario, expected: int, rng: np.random.Generator) -> Iterator[int]:
    sizes, weights = zip(*scenario.groups, strict=True)
    shares = np.array(weights) / sum(weights)
    while expected > 0:
        size = min(expected, int(rng.choice(sizes, p=shares)))
        yield size
        expected -= size


def _in_bursts(scenario: Scenario, times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Some parties come with others: at the time of one of a few of them, within `burst_s`."""
    together = np.flatnonzero(rng.random(len(times)) < scenario.bursts)
    bursts = max(1, round(len(together) / scenario.burst_parties))
    if len(together):
        centres = rng.choice(times, bursts)
        times = times.copy()
        times[together] = centres[rng.integers(bursts, size=len(together))] + rng.random(len(together)) * (
            scenario.burst_s
        )
    return times


def _profile(scenario: Scenario, uniform: np.ndarray) -> np.ndarray:
    """Uniform draws to shares of the admission time that follow the profile."""
    moments, rates = zip(*scenario.arrivals, strict=True)
    grid = np.linspace(0.0, 1.0, 1001)
    density = np.interp(grid, moments, rates)
    gone = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    return np.asarray(np.interp(uniform, gone / gone[-1], grid))

"""A simulated day as a recording: the records a gateway, a ticker and a presence agent would have written.

facts that arrive within 20 ms (at most 500) are one record; each second has a Tick in a record of its own
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from flowmon.facts import Fact, Record, Sighting, Tick
from flowmon.journal.files import header_of, write_recording
from flowmon.monitor.presence import Presences
from simulator.simulation import Simulation
from simulator.truth import Truth

GATHER_S = 0.02
RECORD_MAX = 500


def record(
    simulation: Simulation,
    path: Path,
    *,
    true: Callable[[Truth], None] = lambda _: None,
    sighted: Callable[[Sighting], None] = lambda _: None,
    watch: Callable[[float], None] = lambda _: None,
) -> int:
    """Run the day into a recording; returns the number of records. Raises JournalError when it cannot be written.

    true, sighted: hear every truth and every sighting (sightings themselves are not in a journal, presences are).
    watch: hears the time each second.
    """
    header = header_of(
        simulation.venue,
        simulated=True,
        scenario=simulation.scenario.name,
        seed=simulation.seed,
        start=simulation.day.start,
        end=simulation.day.end,
    )
    return write_recording(path, header, records(simulation, true=true, sighted=sighted, watch=watch))


def records(
    simulation: Simulation,
    *,
    true: Callable[[Truth], None] = lambda _: None,
    sighted: Callable[[Sighting], None] = lambda _: None,
    watch: Callable[[float], None] = lambda _: None,
    tick_s: int = 1,
) -> Iterator[Record]:
    """The journal of the day, record by record, in order of arrival. tick_s: seconds from tick to tick."""
    presences = Presences(simulation.venue)
    second = int(simulation.day.start)
    batch: list[Fact] = []
    for event in simulation.events():
        while event.at >= second:
            if batch:
                yield batch
                batch = []
            yield [_tick(second)]
            watch(float(second))
            second += tick_s
        match event.fact:
            case None:
                if event.truth is not None:
                    true(event.truth)
                continue
            case Sighting():
                sighted(event.fact)
                facts: list[Fact] = [*presences.apply(event.fact)]
            case _:
                facts = [event.fact]
        if batch and (event.at > batch[0].seen + GATHER_S or len(batch) >= RECORD_MAX):
            yield batch
            batch = []
        batch += facts
    if batch:
        yield batch
    while second <= simulation.day.end:
        yield [_tick(second)]
        second += tick_s


def _tick(second: int) -> Tick:
    return Tick(at=float(second), source="ticker", seq=second, seen=float(second), simulated=True)

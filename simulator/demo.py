"""`flowmon demo`: a simulated museum, an embedded broker and the one-process engine, from one command.

The morning is written straight into the journal, as a gateway would have written it; from then on every event goes
the whole way: simulated device, its own dialect, MQTT, gateway, journal, monitor, feed. Clock and data are the
scenario's, everything is marked simulated, and only this machine can look.
"""

import argparse
import asyncio
import contextlib
import itertools
import logging
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import iotcore
import msgspec

from flowmon import settings
from flowmon.clock import Clock
from flowmon.errors import FlowmonError
from flowmon.facts import Record
from flowmon.journal.files import FileJournal
from flowmon.venue.model import Venue
from flowmon.venue.parse import load
from simulator import scenario as scenarios
from simulator import venues
from simulator.day import Day, day_of
from simulator.play import play
from simulator.publish import Publisher
from simulator.record import records
from simulator.scenario import Scenario
from simulator.simulation import Simulation
from simulator.staff import attended
from streams import local

LEAD_S = 2.0  # the clock starts a little before the devices speak, so that the first of them is not late

_log = logging.getLogger(__name__)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `flowmon demo`."""
    parser.add_argument("--venue", type=Path, help="venue file (default: the museum that ships)")
    parser.add_argument("--layout", default="museum", metavar="|".join(venues.LAYOUTS), help="another one that ships")
    parser.add_argument("--scenario", default="normal-day", help="a built-in name or a .toml file")
    parser.add_argument("--seed", type=int, default=1, help="equal seeds give equal days")
    parser.add_argument("--rate", type=float, default=1.0, help="times real time, 0.1 to 60 (1)")
    parser.add_argument("--from", dest="start", default="10:00", metavar="HH:MM", help="time of the day to begin at")
    parser.add_argument("--port", type=int, default=8080, help="port of the screens, 0 for a free one (8080)")
    parser.add_argument("--data", type=Path, metavar="DIR", help="keep the data here (default: a temporary folder)")


def run(args: argparse.Namespace) -> int:
    """Run until Ctrl-C or SIGTERM. Raises FlowmonError for what must be mended first."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    if not 0.1 <= args.rate <= 60:
        raise FlowmonError("--rate must be from 0.1 to 60; for whole days at once use `flowmon replay --rate max`")
    if args.data and (args.data / "journal").exists():
        raise FlowmonError(f"{args.data} holds a journal already: choose an empty folder, or `flowmon run` on it")
    venue = load(args.venue) if args.venue else venues.layout(args.layout)
    scenario = scenarios.load(args.scenario)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # before the engine listens to it: leave no folder behind
    with contextlib.ExitStack() as stack:
        folder = args.data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="flowmon-demo-")))
        asyncio.run(_demo(venue, scenario, args, folder))
    return 0


async def _demo(venue: Venue, scenario: Scenario, args: argparse.Namespace, folder: Path) -> None:
    day = day_of(scenario, venue)
    start = day.at(args.start)
    if not day.start <= start < day.end:
        raise FlowmonError(f"--from {args.start} is outside the simulated day of {scenario.name}")
    say = _say if sys.stderr.isatty() else lambda _: None
    say(f"the morning of {day.date} until {args.start} …")
    await _write_morning(venue, scenario, args.seed, start, folder)
    port = _free_port()
    found = msgspec.structs.replace(
        settings.Settings(),
        mqtt=f"mqtt://127.0.0.1:{port}",
        data=folder,
        feed_host="127.0.0.1",
        feed_port=args.port,
        simulated=True,
    )
    stop = asyncio.Event()
    ended = threading.Event()
    clock = Clock(start, args.rate)
    with iotcore.Broker(port=port, listen="127.0.0.1"):
        simulated = asyncio.create_task(
            asyncio.to_thread(_live, venue, scenario, args.seed, day, start, clock, found.mqtt, ended)
        )
        simulated.add_done_callback(lambda task: stop.set() if not task.cancelled() and task.exception() else None)
        try:
            await local.serve([venue], found, clock, started=_announce, stop=stop)
        finally:
            ended.set()
            await simulated


async def _write_morning(venue: Venue, scenario: Scenario, seed: int, start: float, folder: Path) -> None:
    """What devices and staff said until `start`, as journal records; beacons are placed near where they truly were."""
    journal = FileJournal(folder / "journal", [venue], simulated=True)
    try:
        told = records(Simulation(venue, scenario, seed, sightings=False, presences=True))
        morning = itertools.takewhile(lambda record: record[0].seen < start, told)
        for batch in _batches(attended(venue, morning), 2_000):
            await asyncio.gather(*(journal.append(venue.id, record) for record in batch))
    finally:
        await journal.close()


def _batches(items: Iterator[Record], size: int) -> Iterator[list[Record]]:
    while batch := list(itertools.islice(items, size)):
        yield batch


def _live(
    venue: Venue, scenario: Scenario, seed: int, day: Day, start: float, clock: Clock, url: str, ended: threading.Event
) -> None:
    """The rest of the day, at its own pace, over MQTT."""
    simulation = Simulation(venue, scenario, seed, radio_from=start - 60)
    try:
        with Publisher(venue, url, patience_s=10.0) as publisher:
            play(simulation, publisher.publish, start=start, until=day.end, clock=clock, stop=ended)
    except FlowmonError:
        if not ended.is_set():  # Ctrl-C reaches the broker's process as well
            raise


def _announce(engine: local.LocalEngine) -> None:
    print(f"flowmon: a simulated museum at http://127.0.0.1:{engine.feed.port}/   (Ctrl-C ends it)", flush=True)


def _say(text: str) -> None:
    print(f"flowmon: {text}", file=sys.stderr, flush=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

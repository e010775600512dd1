"""`python -m simulator play | record | list`: a simulated museum on a broker or in a recording."""

import argparse
import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from flowmon.clock import Clock
from flowmon.errors import FlowmonError, VenueInvalid
from flowmon.settings import load as load_settings
from flowmon.venue.model import Venue
from flowmon.venue.parse import load as load_venue
from simulator import scenario as scenarios
from simulator import truth
from simulator.arrivals import visitors
from simulator.day import Day, day_of
from simulator.play import play
from simulator.publish import Publisher
from simulator.record import record
from simulator.scenario import Scenario
from simulator.simulation import Simulation


def main(argv: list[str] | None = None) -> int:
    """Run one verb; 0 when it did what was asked."""
    args = _parser().parse_args(argv)
    try:
        return int(args.run(args))
    except VenueInvalid as error:
        print(f"simulator: the venue file has problems:\n{error}", file=sys.stderr)
    except FlowmonError as error:
        print(f"simulator: {error}", file=sys.stderr)
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left to flush goes there
        return 0
    except KeyboardInterrupt:
        return 130
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulator", description=(__doc__ or "").splitlines()[0])
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--venue", type=Path, help="venue file (default: the first of FLOWMON_VENUES)")
    common.add_argument("--json", action="store_true", help="a summary as JSON on stdout")
    day = argparse.ArgumentParser(add_help=False, parents=[common])
    day.add_argument("--scenario", default="normal-day", help="a built-in name or a .toml file")
    day.add_argument("--seed", type=_seed, default=1, help="equal seeds give equal days")
    day.add_argument("--truth", type=Path, metavar="FILE", help="write what really happened, as JSON lines")
    day.add_argument("--no-sightings", action="store_true", help="leave out radio: no beacons, much faster")

    verb = verbs.add_parser("play", parents=[day], help="publish a day to an MQTT broker")
    verb.add_argument("--mqtt", metavar="URL", help="mqtt://host:1883 (default: FLOWMON_MQTT)")
    verb.add_argument("--mqtt-version", choices=["3.1.1", "5"], default="3.1.1")
    verb.add_argument("--rate", type=_rate, default=1.0, help="times real time, or max")
    verb.add_argument("--from", dest="start", metavar="HH:MM", help="begin at this time of the day")
    verb.add_argument("--until", metavar="HH:MM", help="end at this time of the day")
    verb.add_argument(
        "--clock", choices=["scenario", "now"], default="scenario", help="now: move the day so that --from is now"
    )
    verb.set_defaults(run=_play)

    verb = verbs.add_parser("record", parents=[day], help="write a day as a recording")
    verb.add_argument("--out", type=Path, required=True, metavar="FILE", help="`.gz` is compressed")
    verb.add_argument("--sightings", type=Path, metavar="FILE", help="also save raw sightings, as JSON lines")
    verb.set_defaults(run=_record)

    verb = verbs.add_parser("list", parents=[common], help="the scenarios that come with flowmon")
    verb.set_defaults(run=_list)
    return parser


def _seed(text: str) -> int:
    seed = int(text)
    if seed < 0:
        raise argparse.ArgumentTypeError("a seed is 0 or more")
    return seed


def _rate(text: str) -> float:
    rate = 0.0 if text == "max" else float(text)
    if text != "max" and not 0 < rate <= 10_000:
        raise argparse.ArgumentTypeError("a rate is above 0 and at most 10000, or max")
    return rate


def _venue(args: argparse.Namespace) -> Venue:
    return load_venue(args.venue or load_settings().venues[0])


def _scenario(args: argparse.Namespace, venue: Venue) -> Scenario:
    scenario = scenarios.load(args.scenario)
    for queue in scenarios.unused(scenario, venue.queues):
        note = f"{venue.id} has no queue {queue!r}, so [queues.{queue}] of {scenario.name} is left out"
        print(f"simulator: {note}", file=sys.stderr)
    return scenario


def _play(args: argparse.Namespace) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    settings = load_settings()
    venue = _venue(args)
    scenario = _scenario(args, venue)
    day = day_of(scenario, venue)
    shift = 0.0
    if args.clock == "now":
        shift = Clock().now() - (day.at(args.start) if args.start else day.start)
        day = day_of(scenario, venue, shift_s=shift)
    start, until = _span(args, day)
    simulation = Simulation(
        venue, scenario, args.seed, sightings=not args.no_sightings, shift_s=shift, radio_from=start - 60
    )
    url = args.mqtt or settings.mqtt
    version, username, password = args.mqtt_version, settings.mqtt_username, settings.mqtt_password
    with (
        Publisher(venue, url, version=version, username=username, password=password) as publisher,
        _truth(args, simulation) as true,
        _progress(f"{scenario.name} to {url}", start, until) as watch,
    ):
        clock = Clock(start, args.rate) if args.rate else None
        try:
            played = play(
                simulation,
                publisher.publish,
                start=start,
                until=until,
                clock=clock,
                true=true,
                watch=watch,
                tally=start > day.opens,
            )
        finally:  # Ctrl-C included: nobody shall believe that the devices are still there
            publisher.close(simulation.now)
    _summary(args, simulation, facts=played.facts, messages=publisher.messages, truths=played.truths)
    return 0


def _span(args: argparse.Namespace, day: Day) -> tuple[float, float]:
    start = day.at(args.start) if args.start else day.start
    until = day.at(args.until) if args.until else day.end
    if not day.start <= start < until:
        raise FlowmonError(f"--from must be before --until and not before the day begins ({_clock(day, day.start)})")
    return start, until


def _record(args: argparse.Namespace) -> int:
    venue = _venue(args)
    scenario = _scenario(args, venue)
    simulation = Simulation(venue, scenario, args.seed, sightings=not args.no_sightings)
    with contextlib.ExitStack() as stack:
        true = stack.enter_context(_truth(args, simulation))
        sighted: Callable[[msgspec.Struct], None] = _nothing
        if args.sightings:
            sighted = stack.enter_context(truth.Lines(args.sightings, _header(simulation))).write
        watch = stack.enter_context(
            _progress(f"{scenario.name} to {args.out}", simulation.day.start, simulation.day.end)
        )
        count = record(simulation, args.out, true=true, sighted=sighted, watch=watch)
    _summary(args, simulation, records=count, out=str(args.out))
    return 0


def _list(args: argparse.Namespace) -> int:
    venue = _venue(args)
    known = [scenarios.load(name) for name in scenarios.built_in()]
    if args.json:
        rows = [{"name": s.name, "title": s.title, "day": s.day, "visitors": visitors(s, venue)} for s in known]
        print(json.dumps(rows, indent=2))
        return 0
    for scenario in known:
        print(f"{scenario.name:<18} {scenario.day}  {visitors(scenario, venue):>6} visitors  {scenario.title}")
    return 0


def _header(simulation: Simulation) -> truth.Header:
    return truth.header(simulation.venue, simulation.scenario, simulation.seed, simulation.day)


@contextlib.contextmanager
def _truth(args: argparse.Namespace, simulation: Simulation) -> Iterator[Callable[[msgspec.Struct], None]]:
    if args.truth is None:
        yield _nothing
        return
    with truth.Lines(args.truth, _header(simulation)) as lines:
        yield lines.write


def _nothing(_: object) -> None:
    pass


@contextlib.contextmanager
def _progress(title: str, start: float, until: float) -> Iterator[Callable[[float], None]]:
    """A bar on stderr, where that is a terminal."""
    console = Console(stderr=True)
    text, share = TextColumn("{task.description}"), TextColumn("{task.percentage:.0f}%")
    quiet = not console.is_terminal
    with Progress(text, BarColumn(), share, TimeRemainingColumn(), console=console, disable=quiet) as progress:
        task = progress.add_task(title, total=until - start)
        yield lambda at: progress.update(task, completed=at - start)


def _clock(day: Day, at: float) -> str:
    return f"{(at - day.at('00:00')) // 3600:02.0f}:{(at - day.at('00:00')) % 3600 // 60:02.0f}"


def _summary(args: argparse.Namespace, simulation: Simulation, **figures: object) -> None:
    told = {
        "simulated": True,
        "venue": simulation.venue.id,
        "scenario": simulation.scenario.name,
        "seed": simulation.seed,
        **figures,
    }
    if args.json:
        print(json.dumps(told))
    else:
        print(", ".join(f"{key} {value}" for key, value in told.items()), file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())

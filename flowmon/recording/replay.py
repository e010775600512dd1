"""`flowmon replay REC…`: play a recording again: nowhere (and sum up), to a feed, to Kafka or to MQTT.

Exit codes: 0 done, 1 something failed, 2 usage, 3 not the expected findings, 4 the target is refused: it is
not marked simulated (FLOWMON_SIMULATED), nobody said --yes, and the plan was printed instead.
"""

import argparse
import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Callable
from datetime import tzinfo
from pathlib import Path
from typing import Any

from flowmon import settings as environment
from flowmon.clock import Clock
from flowmon.errors import FlowmonError
from flowmon.journal.files import new_file
from flowmon.monitor.core import Monitor
from flowmon.recording import job as jobs
from flowmon.recording.conclude import Conclusions, Differs, expected_lines
from flowmon.recording.job import Job
from flowmon.recording.plan import plan, planned, summed_up
from flowmon.recording.playing import play
from flowmon.recording.progress import bar
from flowmon.recording.targets import DeviceTarget, JournalTarget, NotComposed, Shift, publisher_of
from flowmon.recording.times import zone_of
from flowmon.settings import Settings

DONE, USAGE, DIFFERENT, REFUSED = 0, 2, 3, 4
KAFKA_WITHIN_S = 10.0


def arguments(parser: argparse.ArgumentParser) -> None:
    """What is replayed (see job.py), and what becomes of it."""
    jobs.arguments(parser)
    parser.add_argument("--clock", choices=("recorded", "now"), default="recorded", help="times sent to a system")
    parser.add_argument("--dry-run", action="store_true", help="print the plan, send nothing")
    parser.add_argument("--yes", action="store_true", help="send to a system that is not marked simulated")
    parser.add_argument("--assert", dest="expected", type=Path, metavar="FILE", help="findings it must come to")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the findings, one JSON line each")
    parser.add_argument("--port", type=int, help="with --to feed: where to serve (FLOWMON_FEED_PORT)")
    parser.add_argument("--json", action="store_true", help="the summary or plan as one line of JSON")


def run(args: argparse.Namespace) -> int:
    """Replay. `args.mqtt_publisher` (`module:Class`) is set by the composition root for --to mqtt."""
    installed = environment.load()
    try:
        _fitting(args)
        job = jobs.job_of(args, installed)
    except FlowmonError as error:
        print(f"flowmon replay: {error}", file=sys.stderr)
        return USAGE
    try:
        if args.dry_run:
            return _plan(job, args, installed)
        if args.to == "null":
            return _conclude(job, args)
        if args.to == "feed":
            from flowmon.recording.stage import serve  # noqa: PLC0415 -- the web parts, only when served

            asyncio.run(serve(job, installed, Monitor, port=args.port))
            return DONE
        return _into_system(job, args, installed)
    except Differs as error:
        print(f"flowmon replay: {error}", file=sys.stderr)
        return DIFFERENT


def _fitting(args: argparse.Namespace) -> None:
    if args.to != "null" and (args.expected or args.out):
        raise FlowmonError("--assert and --out are for --to null: a running system concludes by itself")
    if args.expected and not args.expected.is_file():
        raise FlowmonError(f"--assert: there is no file {args.expected}")


def _conclude(job: Job, args: argparse.Namespace) -> int:
    expected = expected_lines(args.expected) if args.expected else None
    began = time.perf_counter()
    with (
        new_file(args.out) if args.out else contextlib.nullcontext() as out,
        bar("replay", job.paths, times=job.loop) as progress,
    ):
        target = Conclusions(job.venues, Monitor, begin=job.start, out=out, expected=expected)
        asyncio.run(play(job, target, progress, early=True))
    summary = target.summary(time.perf_counter() - began)
    print(json.dumps(summary) if args.json else summed_up(summary, _zone(job)))
    if not summary["same"]:
        raise Differs("the passes came to different findings: the core is not deterministic, please report it")
    return DONE


def _into_system(job: Job, args: argparse.Namespace, installed: Settings) -> int:
    make = None
    if args.to == "mqtt":
        try:
            make = publisher_of(getattr(args, "mqtt_publisher", ""))
        except NotComposed as error:
            print(f"flowmon replay: {error}", file=sys.stderr)
            return REFUSED
    if not (installed.simulated or args.yes):
        _plan(job, args, installed)
        print(
            "nothing was sent: that system is not marked simulated. Set FLOWMON_SIMULATED=1 if it is, or add "
            "--yes; everything is marked simulated on its way",
            file=sys.stderr,
        )
        return REFUSED
    shift = Shift(Clock().now if args.clock == "now" else None)
    with bar(f"to {args.to}", job.paths, times=job.loop) as progress:
        if make is None:
            count = asyncio.run(_to_kafka(job, installed, shift, progress))
        else:
            count = asyncio.run(_to_mqtt(job, installed, shift, progress, make))
    print(json.dumps({"to": args.to, "records": count}) if args.json else f"{count} records sent to {args.to}")
    return DONE


async def _to_kafka(job: Job, installed: Settings, shift: Shift, progress: Callable[[Path, int], None]) -> int:
    from flowmon.journal.kafka import KafkaJournal  # noqa: PLC0415 -- replaying needs no Kafka otherwise

    journal = KafkaJournal(installed.kafka, patience_s=KAFKA_WITHIN_S)
    try:
        return await play(job, JournalTarget(journal, shift), progress)
    finally:
        await journal.close()


async def _to_mqtt(
    job: Job, installed: Settings, shift: Shift, progress: Callable[[Path, int], None], make: Callable[..., Any]
) -> int:
    with contextlib.ExitStack() as stack:
        login = {"username": installed.mqtt_username, "password": installed.mqtt_password}
        publishers = {
            key: stack.enter_context(make(venue, installed.mqtt, client=f"flowmon-replay-{key}", **login))
            for key, venue in job.venues.items()
        }
        return await play(job, DeviceTarget(publishers, shift), progress)


def _plan(job: Job, args: argparse.Namespace, installed: Settings) -> int:
    found = plan(job, args.to, installed)
    print(json.dumps(found) if args.json else planned(found, _zone(job)))
    return DONE


def _zone(job: Job) -> tzinfo:
    return zone_of(next(iter(job.venues.values())).timezone)

"""`flowmon feed`: the screens of a cluster. Reads the findings topic to its end, then follows it."""

import argparse
import asyncio
import logging
import signal
from contextlib import suppress
from pathlib import Path

from flowmon import metrics, settings
from flowmon.clock import Clock
from flowmon.errors import JournalError
from flowmon.feed.server import Feed
from flowmon.journal.kafka import KafkaFindings, KafkaJournal
from flowmon.settings import Settings
from flowmon.venue.model import Venue
from flowmon.venue.parse import load_all

log = logging.getLogger(__name__)

RETRY_S = 1.0


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb. What is not given comes from the environment (FLOWMON_…)."""
    parser.add_argument("venues", nargs="*", type=Path, metavar="venue.toml", help="venue files (FLOWMON_VENUES)")
    parser.add_argument("--kafka", metavar="HOST:PORT", help="where Kafka is (FLOWMON_KAFKA)")
    parser.add_argument("--host", help="address to listen on (FLOWMON_FEED_HOST)")
    parser.add_argument("--port", type=int, help="port to listen on, 0 for a free one (FLOWMON_FEED_PORT)")


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C. Raises FlowmonError for what must be mended first."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    found = settings.load()
    venues = load_all(args.venues or found.venues)
    stop_metrics = metrics.start(found.metrics_port, found.metrics_host)
    try:
        asyncio.run(_serve(venues, found, args))
    finally:
        stop_metrics()
    return 0


async def _serve(venues: list[Venue], found: Settings, args: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    kafka = args.kafka or found.kafka
    journal = KafkaJournal(kafka)
    feed = Feed(venues, journal, Clock(), found)
    try:
        async with feed.serve(args.host, args.port):
            log.info("screens at http://%s:%d/", args.host or found.feed_host, feed.port)
            following = asyncio.create_task(follow(feed, kafka))
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait({following, stopping}, return_when=asyncio.FIRST_COMPLETED)
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following
            stopping.cancel()
    finally:
        await journal.close()


async def follow(feed: Feed, kafka: str) -> None:
    """Publish the findings topic into a feed, for ever; `ready` is set once all that stood in it is in.

    After a failure the topic is read again from its beginning: the hub knows what it was told before.
    """
    while True:
        findings = KafkaFindings(kafka)
        try:
            async for batch in findings.read():
                feed.publish(batch)
                if findings.caught_up.is_set() and not feed.ready:
                    feed.ready = True
                    log.info("all findings so far are loaded")
        except JournalError as error:
            log.warning("%s; trying again", error)
        await asyncio.sleep(RETRY_S)

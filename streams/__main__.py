"""`python -m streams`: one worker. Start as many as you like; venues are shared out among them."""

import asyncio
import gc
import logging
import sys
from collections.abc import Mapping

import faust

from flowmon import metrics
from flowmon.errors import FlowmonError, VenueInvalid
from flowmon.journal.kafka import create_topics
from flowmon.settings import Settings, load
from flowmon.venue import parse
from flowmon.venue.model import Venue
from streams import topics
from streams.app import create_app


def read_venues(settings: Settings) -> dict[str, Venue]:
    """The venues of the settings by id. Raises VenueInvalid with the problems of all files."""
    return {venue.id: venue for venue in parse.load_all(settings.venues)}


def main() -> int:
    """Create what is missing of the topics, then work until SIGTERM or Ctrl-C."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        settings = load()
        venues = read_venues(settings)
        stop_metrics = metrics.start(settings.metrics_port, settings.metrics_host)
        asyncio.run(create_topics(settings.kafka, topics.table(settings), replication=settings.replication))
    except VenueInvalid as error:
        print(f"streams: a venue file has problems:\n{error}", file=sys.stderr)
        return 1
    except FlowmonError as error:
        print(f"streams: {error}", file=sys.stderr)
        return 1
    try:
        return work(settings, venues)
    finally:
        stop_metrics()


def work(settings: Settings, venues: Mapping[str, Venue]) -> int:
    """Run the Faust worker; the exit code is 0 when it was asked to stop."""
    app = create_app(settings, venues)
    # Faust's own objects live for ever; looking them through again and again cost a fifth of the facts a second.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)
    worker = faust.Worker(app, loglevel="INFO", quiet=True, redirect_stdouts=False)
    try:
        worker.execute_from_commandline()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

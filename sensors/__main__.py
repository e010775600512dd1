"""`python -m sensors`: the gateway between devices, by MQTT and HTTP, and Kafka; until SIGTERM or Ctrl-C."""

import asyncio
import logging
import signal
import sys

from flowmon import metrics, settings
from flowmon.clock import Clock
from flowmon.errors import FlowmonError, VenueInvalid
from flowmon.journal.kafka import KafkaJournal
from flowmon.settings import Settings
from flowmon.venue import parse
from sensors import inboxes
from sensors.gateway import Gateway
from sensors.keys import Keys
from sensors.mapping.beside import dialects_of
from sensors.routes import Routes

_log = logging.getLogger("sensors")


async def serve(chosen: Settings) -> None:
    """Run one gateway as the settings say. Raises FlowmonError when the settings or venues cannot be used."""
    clock = Clock()
    venues = {venue.id: venue for venue in parse.load_all(chosen.venues)}
    routes = Routes(venues.values(), dialects_of(venues.values(), chosen.venues))
    inbox = await inboxes.started(chosen, routes, clock)
    journal = KafkaJournal(chosen.kafka)
    gateway = Gateway(
        inbox,
        routes,
        venues,
        journal,
        journal.append_sightings,
        journal.append_rejects,
        clock,
        keys=Keys(chosen.beacon_secret),
        simulated=chosen.simulated,
        tell_every_s=60.0,
    )
    stop_metrics = metrics.start(chosen.metrics_port, chosen.metrics_host)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, gateway.stop)
    try:
        _log.info("listening for %s on %s", ", ".join(venues), ", ".join(routes.filters))
        await gateway.run()
    finally:
        await journal.close()
        stop_metrics()
    counts = gateway.counts
    _log.info(
        "stopped: %d messages, %d acknowledged, %d facts, %d sightings, %d rejects",
        counts.messages,
        counts.acknowledged,
        counts.facts,
        counts.sightings,
        counts.rejected,
    )


def main() -> int:
    """Exit code 0 after a clean stop, 1 with a sentence on stderr when it cannot run."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # a line a second for each broker that is away; the lanes say it once, and when it is over
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        asyncio.run(serve(settings.load()))
    except VenueInvalid as error:
        print(f"sensors: the venue file has problems:\n{error}", file=sys.stderr)
        return 1
    except FlowmonError as error:
        print(f"sensors: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

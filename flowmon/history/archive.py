"""`flowmon archive`: findings from Kafka into PostgreSQL.

At least once and idempotent is exactly once in rows: a batch is read, written, and only then the reading
position is stored; what is read again changes nothing. While the database is away the batch in hand is tried
again, nothing more is read, and Kafka keeps the rest.
Remaining loss: findings that Kafka has compacted away while no archive ran for longer than its compaction lag.
"""

import argparse
import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol

from flowmon import metrics
from flowmon.clock import Clock
from flowmon.errors import FlowmonError
from flowmon.findings import Published
from flowmon.history.port import History
from flowmon.settings import Settings, load

logger = logging.getLogger(__name__)

BATCH_MAX = 500
#: At least so long between two batches that are not full, seconds: findings gather meanwhile.
PACE_S = 0.25
RETRY_S = (0.5, 1.0, 2.0, 5.0)
GROUP = "flowmon-archive"


class Source(Protocol):
    """Where findings come from: `flowmon.journal.kafka.KafkaFindings`, or a stand-in for it."""

    def read(self, venue: str | None = None) -> AsyncIterator[list[Published]]:
        """Batches for ever, beginning after what was committed."""
        ...

    async def commit(self) -> None:
        """All that was yielded so far is dealt with."""
        ...


async def archive(
    source: Source,
    history: History,
    *,
    clock: Clock,
    pace_s: float = PACE_S,
    retry_s: Sequence[float] = RETRY_S,
) -> None:
    """Write everything the source yields into the history, for ever (or until the source ends).

    retry_s: seconds to wait after the first, second … failure of the history; the last one holds on.
    """
    async for batch in source.read():
        for start in range(0, len(batch), BATCH_MAX):
            await _write(history, batch[start : start + BATCH_MAX], retry_s)
        try:
            await source.commit()
        except FlowmonError as error:
            logger.warning("%s; the next commit covers it", error)
        _measure(batch, clock.now())
        if len(batch) < BATCH_MAX:
            await asyncio.sleep(pace_s)


async def _write(history: History, batch: Sequence[Published], retry_s: Sequence[float]) -> None:
    attempt = 0
    while True:
        try:
            await history.write(batch)
        except FlowmonError as error:
            if attempt % 12 == 0:
                logger.warning("%s (trying again until it works; Kafka keeps what follows)", error)
            attempt += 1
            await asyncio.sleep(retry_s[min(attempt, len(retry_s)) - 1])
        else:
            if attempt:
                logger.info("the history answers again after %d attempts", attempt)
            return


def _measure(batch: Sequence[Published], now: float) -> None:
    metrics.found(one.finding for one in batch)
    for venue, newest in {one.venue: one.finding.at for one in batch}.items():
        metrics.lag(venue, now - newest)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Everything comes from the environment: FLOWMON_KAFKA, FLOWMON_POSTGRES, FLOWMON_METRICS_PORT."""
    parser.epilog = "Where things are: FLOWMON_KAFKA, FLOWMON_POSTGRES, FLOWMON_METRICS_PORT (see README)."


def run(args: argparse.Namespace) -> int:  # noqa: ARG001 -- the interface of verbs
    """Archive until SIGTERM or Ctrl-C."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    settings = load()
    stop_metrics = metrics.start(settings.metrics_port, settings.metrics_host)
    try:
        asyncio.run(until_ended(lambda: _run(settings)))
    finally:
        stop_metrics()
    return 0


async def _run(settings: Settings) -> None:
    # Client libraries are loaded by the process that needs them, not by whoever imports this module.
    from flowmon.history.postgres import PostgresHistory  # noqa: PLC0415
    from flowmon.journal.kafka import KafkaFindings  # noqa: PLC0415

    clock = Clock()
    history = PostgresHistory(settings.postgres, clock=clock)
    try:
        await archive(KafkaFindings(settings.kafka, group=GROUP), history, clock=clock)
    finally:
        await history.close()


async def until_ended(work: Callable[[], Awaitable[None]]) -> None:
    """Run `work`; SIGTERM and Ctrl-C cancel it, which is its regular end."""
    task = asyncio.ensure_future(work())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        logger.info("ended")

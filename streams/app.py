"""The Faust application: topics, tables and agents put together. Nothing happens when this is imported.

Settings that look arbitrary were found by being bitten; each says by what.
"""

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import faust
from faust.types import TP
from mode import CrashingSupervisor

from flowmon.clock import Clock
from flowmon.journal.kafka import FindingsWriter, KafkaJournal
from flowmon.journal.kafka_client import MESSAGE_MAX
from flowmon.monitor.core import Monitor
from flowmon.monitor.presence import Presences
from flowmon.names import FACTS_TOPIC, SIGHTINGS_TOPIC
from flowmon.settings import Settings
from flowmon.venue.model import Venue
from streams import agents, ticker
from streams.assignor import TableAssignor
from streams.checkpoints import Seats
from streams.outbox import Outbox
from streams.topics import MONITORS_TABLE, PRESENCES_TABLE


def create_app(settings: Settings, venues: Mapping[str, Venue]) -> faust.App:
    """The worker of an installation: monitors, presences and the ticker of these venues (by id)."""
    app = _bare(settings)
    journal, findings = KafkaJournal(settings.kafka), FindingsWriter(settings.kafka)
    monitors: Seats[Monitor] = Seats(_table(app, settings, MONITORS_TABLE), now=time.monotonic)
    presences: Seats[Presences] = Seats(_table(app, settings, PRESENCES_TABLE), now=time.monotonic)
    known, clock = agents.Venues(venues), Clock()

    def end(partition: int) -> int:
        return int(app.monitor.tp_end_offsets.get(TP(FACTS_TOPIC, partition), 0))

    agents.attach_monitor(
        app, _topic(app, FACTS_TOPIC), agents.Monitoring(known, monitors, journal, findings, clock, end)
    )
    agents.attach_presence(app, _topic(app, SIGHTINGS_TOPIC), agents.Listening(known, presences, Outbox(journal)))
    simulated = {key: venue.simulated or settings.simulated for key, venue in venues.items()}
    ticker.attach(app, ticker.Ticker(journal, simulated, clock))

    @app.on_partitions_revoked.connect(weak=False)
    async def leave(_app: faust.App, *_: Any, **__: Any) -> None:
        monitors.leave()
        presences.leave()

    @app.on_rebalance_complete.connect(weak=False)
    async def rewind(_app: faust.App, *_: Any, **__: Any) -> None:
        # Next Faust seeks to what is committed; a partition without a commit would stay where a fetch that the
        # rebalance cut off has left it, behind messages nobody has seen.
        ours = [tp for tp in app.consumer.assignment() if tp.topic in {FACTS_TOPIC, SIGHTINGS_TOPIC}]
        for tp, offset in (await app.consumer.earliest_offsets(*ours)).items():
            await app.consumer.seek(tp, offset)

    @app.on_before_shutdown.connect(weak=False)
    async def close(_app: faust.App, **_: Any) -> None:
        monitors.close()
        presences.close()
        await findings.close()
        await journal.close()

    return app


def _bare(settings: Settings) -> faust.App:
    session = settings.worker_session_s
    return faust.App(
        settings.app,
        broker=f"kafka://{settings.kafka}",
        store="memory://",
        # Faust makes a folder even for tables in memory; nothing is ever kept there.
        datadir=Path(tempfile.gettempdir()) / f"{settings.app}-faust",
        web_enabled=False,  # metrics have a port of their own
        topic_partitions=settings.partitions,
        topic_replication_factor=settings.replication,
        consumer_auto_offset_reset="earliest",
        # A killed worker owns its venues until its session ends. Must be below the request timeout.
        broker_session_timeout=session,
        broker_heartbeat_interval=session / 4,
        broker_request_timeout=max(30.0, 2 * session),
        producer_acks=-1,
        producer_linger=0.005,  # seconds; 5 would hold every checkpoint back for five of them
        producer_max_request_size=MESSAGE_MAX,
        consumer_max_fetch_size=MESSAGE_MAX,
        table_standby_replicas=0,  # a checkpoint is restored in a moment; following it all day costs more
        stream_wait_empty=False,  # a rebalance would wait for acknowledgements that come with a later event
        PartitionAssignor=TableAssignor,  # the default forgets topics when Kafka restarts
        agent_supervisor=CrashingSupervisor,  # the default goes on behind the record that failed
    )


def _topic(app: faust.App, name: str) -> faust.TopicT:
    return app.topic(name, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")


def _table(app: faust.App, settings: Settings, name: str) -> Any:
    table: Any = app.Table(name, partitions=settings.partitions, key_type=str, value_type=bytes)
    # Table derives `json` from the types and takes no other word for it; bytes are not JSON.
    table.value_serializer = "raw"
    return table

"""The topics of an installation, as one table: name, key, partitions, and how long Kafka keeps what.

Facts, findings and the monitors' checkpoints of a venue are in partitions of the same number; so are sightings
and the presences' checkpoints. All topics therefore have the same number of partitions, which cannot be changed
once there are facts.
"""

from flowmon.journal.kafka_client import MESSAGE_MAX
from flowmon.journal.kafka_topics import TopicSpec
from flowmon.names import FACTS_TOPIC, FINDINGS_TOPIC, REJECTS_TOPIC, SIGHTINGS_TOPIC
from flowmon.settings import Settings

#: Faust names the changelog of a table after the application and the table.
MONITORS_TABLE = "monitors"
PRESENCES_TABLE = "presences"

_MINUTE = 60_000
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR

#: The largest message the producers send, and what Kafka wraps it in.
_ROOMY = {"max.message.bytes": str(MESSAGE_MAX + 65_536)}

#: The journal: what a monitor can be rebuilt from, and what recordings are cut from.
_JOURNAL = {"cleanup.policy": "delete", "retention.ms": str(14 * _DAY), **_ROOMY}

#: Beacon tokens rotate daily; nothing that was heard outlives them.
_HEARD = {"cleanup.policy": "delete", "retention.ms": str(_DAY), "segment.ms": str(_HOUR)}

_REJECTS = {"cleanup.policy": "delete", "retention.ms": str(7 * _DAY), **_ROOMY}

#: The latest of every subject; an archive that is away for less than the lag misses nothing in between, and a
#: feed reads about that much when it starts. Ended episodes leave after the retention.
_LATEST = {
    "cleanup.policy": "compact,delete",
    "retention.ms": str(7 * _DAY),
    "min.compaction.lag.ms": str(_HOUR),
    "max.compaction.lag.ms": str(2 * _HOUR),
    "segment.ms": str(10 * _MINUTE),
    "min.cleanable.dirty.ratio": "0.1",
}

#: A checkpoint a second and venue, of which only the last is of use: small segments, compacted eagerly.
_CHANGELOG = {
    "cleanup.policy": "compact",
    "segment.bytes": str(16 * 1024 * 1024),
    "segment.ms": str(10 * _MINUTE),
    "min.cleanable.dirty.ratio": "0.01",
    "max.compaction.lag.ms": str(10 * _MINUTE),
    **_ROOMY,
}


def changelog(settings: Settings, table: str) -> str:
    """The name Faust gives to a table's changelog topic."""
    return f"{settings.app}-{table}-changelog"


def table(settings: Settings) -> list[TopicSpec]:
    """Every topic of an installation."""
    rows = [
        (FACTS_TOPIC, "venue", _JOURNAL),
        (SIGHTINGS_TOPIC, "venue/beacon", _HEARD),
        (FINDINGS_TOPIC, "venue/subject", _LATEST),
        (REJECTS_TOPIC, "venue", _REJECTS),
        (changelog(settings, MONITORS_TABLE), "venue", _CHANGELOG),
        (changelog(settings, PRESENCES_TABLE), "venue/partition", _CHANGELOG),
    ]
    return [TopicSpec(name, key, settings.partitions, kafka) for name, key, kafka in rows]

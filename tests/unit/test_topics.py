"""The table of topics."""

from flowmon import names
from flowmon.journal.kafka import partition_of
from flowmon.journal.kafka_client import MESSAGE_MAX
from flowmon.settings import Settings
from streams import topics


def test_every_topic_of_the_contract_is_in_the_table() -> None:
    rows = {spec.name for spec in topics.table(Settings(app="museum"))}
    assert rows == {
        names.FACTS_TOPIC,
        names.SIGHTINGS_TOPIC,
        names.FINDINGS_TOPIC,
        names.REJECTS_TOPIC,
        "museum-monitors-changelog",
        "museum-presences-changelog",
    }


def test_a_venue_is_in_the_same_partition_of_every_topic() -> None:
    assert {spec.partitions for spec in topics.table(Settings(partitions=7))} == {7}


def test_only_what_is_superseded_is_compacted() -> None:
    policies = {spec.name: spec.settings["cleanup.policy"] for spec in topics.table(Settings())}
    assert policies[names.FACTS_TOPIC] == "delete"
    assert policies[names.SIGHTINGS_TOPIC] == "delete"
    assert policies[names.FINDINGS_TOPIC] == "compact,delete"
    assert policies["flowmon-monitors-changelog"] == "compact"


def test_the_journal_and_the_checkpoints_take_the_largest_message_a_producer_sends() -> None:
    rows = {spec.name: spec.settings for spec in topics.table(Settings())}
    for name in (names.FACTS_TOPIC, names.REJECTS_TOPIC, "flowmon-monitors-changelog"):
        assert int(rows[name]["max.message.bytes"]) > MESSAGE_MAX


def test_heard_beacons_do_not_outlive_their_tokens() -> None:
    row = next(spec for spec in topics.table(Settings()) if spec.name == names.SIGHTINGS_TOPIC)
    assert int(row.settings["retention.ms"]) <= 24 * 3600 * 1000


def test_partitions_of_keys_are_those_of_other_kafka_clients() -> None:
    # From Kafka's own UtilsTest.testMurmur2: "21" hashes to -973932308, "foobar" to -790332482.
    assert partition_of("21", 1000) == (-973932308 & 0x7FFFFFFF) % 1000
    assert partition_of("foobar", 1000) == (-790332482 & 0x7FFFFFFF) % 1000

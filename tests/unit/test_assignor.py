"""Partitions are shared out even when the leader's client has not heard of the topics yet."""

from aiokafka.cluster import ClusterMetadata

from streams.assignor import Known


def test_a_topic_not_heard_of_has_the_partitions_of_the_table() -> None:
    known = Known(ClusterMetadata(), 4)
    assert known.partitions_for_topic("flowmon.facts") == {0, 1, 2, 3}
    assert known.partitions_for_topic("flowmon-__assignor-__leader") == {0}


def test_everything_else_is_the_clusters_own() -> None:
    cluster = ClusterMetadata()
    assert Known(cluster, 4).brokers() == cluster.brokers()

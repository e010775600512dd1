"""Who works on which partition: Faust's assignor, told how many partitions our topics have.

After Kafka itself restarts, the worker that leads may be asked to share out partitions before its client has heard
of any topic again. Faust then calls every topic missing and gives nothing to anybody, for ever. The number of
partitions is known from the table of topics (streams/topics.py), so nothing has to be heard first.
"""

from typing import Any

from faust.assignor import PartitionAssignor


class Known:
    """A cluster's metadata, completed: a topic it has not heard of has `partitions` partitions."""

    def __init__(self, cluster: Any, partitions: int) -> None:
        self._cluster = cluster
        self._partitions = partitions

    def partitions_for_topic(self, topic: str) -> set[int]:
        """Partitions of a topic; Faust's own leader topic has one."""
        heard = self._cluster.partitions_for_topic(topic)
        return set(heard or range(1 if topic.endswith("-__leader") else self._partitions))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cluster, name)


class TableAssignor(PartitionAssignor):
    """Shares out the partitions that the table of topics says there are."""

    def assign(self, cluster: Any, member_metadata: Any) -> Any:
        """Called on the worker that leads the group."""
        known: Any = Known(cluster, self.app.conf.topic_partitions)
        return super().assign(known, member_metadata)

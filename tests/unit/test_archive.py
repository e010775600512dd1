"""The archive: reads, writes, and only then commits; waits for a database that is away."""

from collections.abc import AsyncIterator, Sequence

from flowmon.clock import Clock
from flowmon.errors import FlowmonError
from flowmon.findings import Published
from flowmon.history.archive import BATCH_MAX, archive
from tests.unit.test_history_sqlite import zone


class Topic:
    """Findings in batches; remembers what was committed."""

    def __init__(self, batches: list[list[Published]]) -> None:
        self.batches = batches
        self.yielded = 0
        self.committed = 0
        self.refuse_commit = False

    async def read(self, venue: str | None = None) -> AsyncIterator[list[Published]]:
        for batch in self.batches[self.committed :]:
            self.yielded += 1
            yield batch

    async def commit(self) -> None:
        if self.refuse_commit:
            raise FlowmonError("Kafka is away")
        self.committed = self.yielded


class Rows:
    """A history in memory that is out of reach for the next `away` writes."""

    def __init__(self, topic: Topic, away: int = 0) -> None:
        self.topic = topic
        self.away = away
        self.rows: dict[tuple[str, int, int], Published] = {}
        self.sizes: list[int] = []

    async def write(self, published: Sequence[Published]) -> int:
        assert self.topic.committed < self.topic.yielded, "committed before it was written"
        if self.away:
            self.away -= 1
            raise FlowmonError("PostgreSQL is away")
        self.sizes.append(len(published))
        before = len(self.rows)
        self.rows |= {(p.venue, p.offset, p.index): p for p in published}
        return len(self.rows) - before

    async def query(
        self, venue: str, subject: str, *, start: float, end: float, limit: int = 10_000
    ) -> list[Published]:
        raise NotImplementedError

    async def latest_offset(self, venue: str) -> int:
        raise NotImplementedError

    async def close(self) -> None:
        pass


async def test_batches_are_written_in_bounded_parts_then_committed() -> None:
    topic = Topic([[zone(offset) for offset in range(1200)], [], [zone(1200)]])
    rows = Rows(topic)
    await archive(topic, rows, clock=Clock(), pace_s=0)
    assert rows.sizes == [BATCH_MAX, BATCH_MAX, 200, 1]
    assert len(rows.rows) == 1201
    assert topic.committed == 3


async def test_an_outage_costs_nothing_but_time() -> None:
    topic = Topic([[zone(1)], [zone(2), zone(3)]])
    rows = Rows(topic, away=20)
    await archive(topic, rows, clock=Clock(), pace_s=0, retry_s=(0.0, 0.001))
    assert [p.offset for p in rows.rows.values()] == [1, 2, 3]
    assert topic.committed == 2


async def test_a_commit_that_fails_is_covered_by_the_next() -> None:
    topic = Topic([[zone(1)], [zone(2)]])
    topic.refuse_commit = True
    rows = Rows(topic)
    await archive(topic, rows, clock=Clock(), pace_s=0)
    assert topic.committed == 0
    topic.refuse_commit, topic.yielded = False, 0
    await archive(topic, rows, clock=Clock(), pace_s=0)
    assert len(rows.rows) == 2
    assert topic.committed == 2

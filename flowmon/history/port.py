"""History: what was known when. Two adapters: `sqlite` and `postgres`; findings in, rows out."""

from collections.abc import Sequence
from typing import Protocol

from flowmon.findings import Published


class History(Protocol):
    """Bitemporal store of findings: `at` is the time they hold for, `recorded` when the store learned them."""

    async def write(self, published: Sequence[Published]) -> int:
        """Store a batch, idempotent on `(venue, offset, index)`; returns how many were new.

        Raises FlowmonError when the store is out of reach; the caller keeps the batch and tries again.
        """
        ...

    async def query(
        self, venue: str, subject: str, *, start: float, end: float, limit: int = 10_000
    ) -> list[Published]:
        """Findings of a subject (`zone/foyer`) with start <= at < end, oldest first."""
        ...

    async def latest_offset(self, venue: str) -> int:
        """The highest journal offset stored for a venue, -1 when none."""
        ...

    async def close(self) -> None:
        """Let go of the store. Idempotent."""
        ...

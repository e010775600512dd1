"""What measures share in one run: a folder, fresh servers, one simulated day, and somebody to tell how far they are."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from deploy.services import Services
from tests.bench import child
from tests.bench.load import MUSEUM


class Bench:
    """One run. `tell` hears what is being done."""

    def __init__(self, folder: Path, tell: Callable[[str], None], *, repeats: int = 3) -> None:
        self.folder = folder
        self.tell = tell
        self.repeats = repeats
        self._numbers = itertools.count(1)
        self._day: Path | None = None

    async def day(self) -> Path:
        """A recording of the museum's normal day, nine hours open, presences and ticks included; made once."""
        if self._day is None:
            self.tell("simulating a day")
            path = self.folder / "day.jsonl"
            day = ["--venue", str(MUSEUM), "--scenario", "normal-day", "--seed", "1", "--json"]
            await child.run("simulator", "record", *day, "--out", str(path))
            self._day = path
        return self._day

    @asynccontextmanager
    async def servers(self, *, kafka: bool = False, mosquitto: bool = False) -> AsyncIterator[Services]:
        """Servers of their own, empty, for as long as the context lasts; the rest starts when its address is asked."""
        self.tell("starting servers")
        services = Services(self.folder / f"servers-{next(self._numbers)}", kafka=kafka, mosquitto=mosquitto)
        try:
            yield await asyncio.to_thread(services.__enter__)
        finally:
            await asyncio.to_thread(services.close)

"""The gateway tells each venue how much came in the last minute, how much was refused and mostly why."""

import asyncio
from typing import Any

from flowmon.clock import Clock
from flowmon.facts import DeviceStatus
from flowmon.venue.model import Counter, Venue
from sensors.dialects.port import Message
from sensors.gateway import Gateway
from sensors.rejects import REASONS_MAX
from sensors.routes import Routes
from sensors.telling import Telling
from tests.fakes import FakeInbox, MemoryJournal, until
from tests.small import T0, venue


def words(telling: Telling, now: float = T0) -> dict[str, tuple[int, int, str]]:
    return {name: (said.messages, said.rejected, said.worst) for name, said in telling.words(now)}


def test_each_venue_hears_of_its_own_messages_and_every_word_starts_again() -> None:
    telling = Telling({"small": venue(), "annex": venue(id="annex")})
    for _ in range(5):
        telling.took("small")
    telling.refused("small", "body is no JSON: line 1")
    telling.refused("small", "no number: 'x'")
    telling.refused("small", "no number: 'y'")
    telling.took("annex")
    assert words(telling) == {"small": (5, 3, "no number"), "annex": (1, 0, "")}
    assert words(telling) == {"small": (0, 0, ""), "annex": (0, 0, "")}


def test_what_no_route_leads_to_is_told_to_the_first_venue_alone() -> None:
    telling = Telling({"small": venue(), "annex": venue(id="annex")})
    telling.took(None)
    telling.refused(None, "topic of no route: 'a/b'")
    assert words(telling) == {"small": (1, 1, "topic of no route"), "annex": (0, 0, "")}


def test_the_reason_is_short_without_addresses_and_reasons_are_few() -> None:
    telling = Telling({"small": venue()})
    telling.refused("small", "AA:BB:CC:DD:EE:FF is odd " + "x" * 500)
    [(_, said)] = telling.words(T0)
    assert (said.source, said.health, said.at, said.seen) == ("gateway", "online", T0, T0)
    assert "AA:BB" not in said.worst
    assert 0 < len(said.worst) <= 100
    for n in range(10 * REASONS_MAX):
        telling.refused("small", f"reason {n}")
    assert words(telling)["small"] == (0, 10 * REASONS_MAX, "other")


def test_a_device_of_that_name_keeps_it() -> None:
    counters = {"c-1": Counter(portal="gate", towards="hall", device="gateway")}
    telling = Telling({"small": venue(counters=counters)})
    telling.took("small")
    assert words(telling) == {}


async def told(museum: Venue, *messages: Message, rate: float, **options: Any) -> list[DeviceStatus]:
    """The first two words of a gateway on a clock that starts at T0."""
    inbox, journal = FakeInbox(), MemoryJournal()
    sinks = journal.append_sightings, journal.append_rejects
    clock = Clock(T0, rate)
    gateway = Gateway(inbox, Routes([museum]), {museum.id: museum}, journal, *sinks, clock, **options)
    running = asyncio.create_task(gateway.run())
    inbox.put(*messages)

    def said() -> list[DeviceStatus]:
        return [fact for fact in journal.facts(museum.id) if isinstance(fact, DeviceStatus)]

    await until(lambda: len(inbox.acked) == len(messages) and (not options or len(said()) >= 2))
    gateway.stop()
    await asyncio.wait_for(running, 10)
    return said()


RUBBISH = [Message(topic="flowmon/v1/small/ctr-gate/count", payload=b"{", seen=T0, qos=1, mid=n) for n in (1, 2)]


async def test_it_speaks_once_a_minute_of_its_clock_also_of_nothing() -> None:
    first, second, *_ = await told(venue(), *RUBBISH, rate=600.0, tell_every_s=60.0)
    assert (first.messages, first.rejected, second.messages, second.rejected) == (2, 2, 0, 0)
    assert first.worst
    assert first.at >= T0 + 60
    assert second.at >= first.at + 59


async def test_it_marks_its_words_as_simulated_with_the_venue() -> None:
    assert all(said.simulated for said in await told(venue(simulated=True), rate=600.0, tell_every_s=60.0))


async def test_it_is_silent_unless_asked() -> None:
    assert await told(venue(), *RUBBISH, rate=6_000.0) == []


async def test_nobody_else_speaks_in_its_name() -> None:
    forged = Message(
        topic="flowmon/v1/small/gateway/status",
        payload=b'{"at": 1777730400.0, "health": "fault", "reason": "forged"}',
        seen=T0,
        qos=1,
        mid=1,
    )
    first, *_ = await told(venue(), forged, rate=600.0, tell_every_s=60.0)
    assert (first.health, first.messages, first.rejected) == ("online", 1, 1)
    assert "own name" in first.worst

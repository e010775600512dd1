"""The gateway over a fake inbox and a journal in memory: nothing acknowledged before it is written, nothing lost."""

import asyncio
import base64
import json
import tracemalloc
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from flowmon.clock import Clock
from flowmon.facts import DeviceStatus, Fact, Presence, QueueReading, Record
from flowmon.venue.model import Privacy, Queue, Route, Venue
from sensors.dialects.port import Message, Outgoing
from sensors.gateway import Gateway
from sensors.keys import Keys
from sensors.routes import Routes
from tests.fakes import FakeInbox, MemoryJournal, until
from tests.small import T0, venue


def count(seq: int, *, device: str = "ctr-gate", venue_id: str = "small", **message: Any) -> Message:
    body = {"at": T0 + seq, "seq": seq, "kind": "event", "forward": 1}
    fields: dict[str, Any] = {"seen": T0 + seq, "qos": 1, "mid": seq % 65_535 + 1} | message
    return Message(topic=f"flowmon/v1/{venue_id}/{device}/count", payload=json.dumps(body).encode(), **fields)


def heard(second: float, beacon: str = "iBeacon:426c-1-7", *, pushed: bool = False) -> Message:
    topic = f"espresense/devices/{beacon}/ble-hall"
    return Message(topic=topic, payload=b'{"rssi":-70.5}', seen=T0 + second, qos=1, mid=9, pushed=pushed)


class Rig:
    """A running gateway and both its ends."""

    def __init__(self, *venues: Venue, journal: MemoryJournal | None = None, **options: Any) -> None:
        known = {each.id: each for each in (venues or (venue(),))}
        self.inbox = FakeInbox()
        self.journal = journal or MemoryJournal()
        self.gateway = Gateway(
            self.inbox,
            Routes(known.values()),
            known,
            self.journal,
            self.journal.append_sightings,
            self.journal.append_rejects,
            Clock(),
            **options,
        )


@asynccontextmanager
async def running(*venues: Venue, **options: Any) -> AsyncIterator[Rig]:
    rig = Rig(*venues, **options)
    task = asyncio.create_task(rig.gateway.run())
    try:
        yield rig
    finally:
        rig.gateway.stop()
        await asyncio.wait_for(task, 10)


async def test_what_arrives_together_is_one_record() -> None:
    async with running() as rig:
        rig.inbox.put(*(count(n) for n in range(40)))
        await until(lambda: len(rig.inbox.acked) == 40)
    [entry] = rig.journal.entries["small"]
    assert [fact.seq for fact in entry.record] == list(range(40))
    assert rig.gateway.counts.appended == 1


async def test_a_record_has_five_hundred_facts_at_most() -> None:
    many = [{"at": T0 + n, "seq": n, "kind": "event"} for n in range(1_234)]
    message = Message(topic="flowmon/v1/small/ctr-gate/count", payload=json.dumps(many).encode(), seen=T0, qos=1, mid=1)
    async with running() as rig:
        rig.inbox.put(message)
        await until(lambda: rig.inbox.acked == [message])
    assert [len(entry.record) for entry in rig.journal.entries["small"]] == [500, 500, 234]
    assert [fact.seq for fact in rig.journal.facts("small")] == list(range(1_234))


async def test_nothing_is_acknowledged_before_it_is_written() -> None:
    async with running() as rig:
        rig.journal.hold()
        rig.inbox.put(*(count(n) for n in range(5)))
        await until(lambda: rig.journal.attempts == 1)
        assert rig.inbox.acked == []
        assert rig.gateway.counts.in_flight == 5
        rig.journal.release()
        await until(lambda: len(rig.inbox.acked) == 5)
        assert rig.gateway.counts.in_flight == 0


async def test_a_failing_journal_is_tried_again_in_order() -> None:
    async with running(journal=MemoryJournal(failures=3)) as rig:
        for n in range(20):
            rig.inbox.put(count(n))
            await asyncio.sleep(0)
        await until(lambda: len(rig.inbox.acked) == 20)
    assert [fact.seq for fact in rig.journal.facts("small")] == list(range(20))
    assert [message.mid for message in rig.inbox.acked] == list(range(1, 21))


async def test_one_venue_that_cannot_be_written_does_not_hold_up_another() -> None:
    class OnlyAnnex(MemoryJournal):
        async def append(self, venue: str, record: Record) -> int:
            if venue != "annex":
                await asyncio.Event().wait()
            return await super().append(venue, record)

    journal = OnlyAnnex()
    rig = Rig(venue(), venue(id="annex", receivers={}), journal=journal, drain_s=0.05)
    task = asyncio.create_task(rig.gateway.run())
    rig.inbox.put(count(1), count(2, venue_id="annex"))
    await until(lambda: len(journal.facts("annex")) == 1)
    # acknowledgements keep to the order of arrival, as MQTT demands
    assert rig.inbox.acked == []
    rig.gateway.stop()
    await asyncio.wait_for(task, 5)
    assert rig.inbox.closed
    assert rig.inbox.acked == []


async def test_back_pressure_while_nothing_can_be_written() -> None:
    async with running(held_max=1_000) as rig:
        rig.journal.hold()
        rig.inbox.put(*(count(n) for n in range(20_000)))
        await until(lambda: rig.gateway.counts.messages >= 1_000)
        for _ in range(50):
            await asyncio.sleep(0)
        assert rig.gateway.counts.messages <= 1_500
        rig.journal.release()
        await until(lambda: len(rig.inbox.acked) == 20_000)
    assert [fact.seq for fact in rig.journal.facts("small")] == list(range(20_000))


async def test_stopping_finishes_what_was_taken_and_leaves_the_rest() -> None:
    rig = Rig()
    task = asyncio.create_task(rig.gateway.run())
    rig.journal.hold()
    rig.inbox.put(*(count(n) for n in range(10)))
    await until(lambda: rig.gateway.counts.messages == 10)
    rig.gateway.stop()
    rig.inbox.put(count(99))
    rig.journal.release()
    await asyncio.wait_for(task, 5)
    assert len(rig.inbox.acked) == 10
    assert len(rig.inbox.waiting) == 1
    assert rig.inbox.closed


async def test_stopping_does_not_wait_for_a_dead_journal_for_ever() -> None:
    rig = Rig(drain_s=0.05)
    task = asyncio.create_task(rig.gateway.run())
    rig.journal.hold()
    rig.inbox.put(count(1))
    await until(lambda: rig.journal.attempts == 1)
    rig.gateway.stop()
    await asyncio.wait_for(task, 5)
    assert rig.inbox.acked == []


async def test_a_reject_says_what_and_why_without_secrets_and_is_acknowledged() -> None:
    payload = b'{"username":"anna","password":"geheim","mac":"58:78:20:76:BC:24","forward":"1","at":5,"kind":"event"}'
    message = Message(topic="flowmon/v1/small/ctr-gate/count", payload=payload, seen=T0, qos=1, mid=3)
    async with running() as rig:
        rig.inbox.put(message)
        await until(lambda: rig.inbox.acked == [message])
    [reject] = rig.journal.rejects["small"]
    raw = base64.b64decode(reject.raw)
    assert b"forward" in raw
    for secret in (b"anna", b"geheim", b"58:78:20"):
        assert secret not in raw
    assert (reject.dialect, reject.topic, reject.at) == ("native", message.topic, T0)
    assert "`int`" in reject.reason
    assert rig.gateway.counts.rejects == {"count": 1}


async def test_unknown_topics_and_large_payloads_are_rejects() -> None:
    large = Message(topic="flowmon/v1/small/ctr-gate/count", payload=b"x" * 1_000_001, seen=T0, qos=1, mid=1)
    cut = Message(topic="flowmon/v1/small/ctr-gate/count", payload=b"x", size=5_000_000, seen=T0, qos=1, mid=2)
    lost = Message(topic="homeassistant/status", payload=b"online", seen=T0, qos=1, mid=3)
    async with running() as rig:
        rig.inbox.put(large, cut, lost)
        await until(lambda: len(rig.inbox.acked) == 3)
    assert rig.journal.entries == {}
    reasons = [reject.reason for reject in rig.journal.rejects["small"]]
    assert ["1 MB" in reason for reason in reasons] == [True, True, False]
    assert all(len(reject.raw) <= 5_500 for reject in rig.journal.rejects["small"])


async def test_a_burst_of_rubbish_is_counted_exactly_and_kept_in_part() -> None:
    burst = 20_000
    async with running() as rig:
        rig.inbox._batch = 1_000
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        for start in range(0, burst, 1_000):
            rubbish = (
                Message(topic=f"flowmon/v1/small/d{n}/x{n}", payload=b"%d rubbish" % n, seen=T0, qos=1, mid=1)
                for n in range(start, start + 1_000)
            )
            rig.inbox.put(*rubbish)
            await until(lambda: not rig.inbox.waiting)
            rig.inbox.acked.clear()
        grown = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        counts = rig.gateway.counts
        assert counts.rejected == burst
        assert sum(counts.rejects.values()) == burst
        assert len(counts.rejects) <= 2
        assert grown < 5_000_000
    assert counts.in_flight == 0
    assert len(rig.journal.rejects["small"]) == counts.rejects_kept == 20


async def test_simulated_comes_from_payload_venue_or_settings() -> None:
    async with running() as rig:
        body = json.dumps({"at": T0, "kind": "event", "simulated": True}).encode()
        rig.inbox.put(Message(topic="flowmon/v1/small/ctr-gate/count", payload=body, seen=T0, qos=1, mid=1), count(2))
        await until(lambda: len(rig.inbox.acked) == 2)
    assert [fact.simulated for fact in rig.journal.facts("small")] == [True, False]
    for options in ({"venues": (venue(simulated=True),)}, {"venues": (), "simulated": True}):
        venues: Any = options.pop("venues")
        async with running(*venues, **options) as rig:
            rig.inbox.put(count(1), heard(1.0))
            rig.inbox.put(Message(topic="flowmon/v1/small/x/nonsense", payload=b"", seen=T0, qos=1))
            await until(lambda rig=rig: len(rig.inbox.acked) == 3)
        marked = [*rig.journal.facts("small"), *rig.journal.sightings["small"], *rig.journal.rejects["small"]]
        assert [fact.simulated for fact in marked] == [True, True, True]


async def test_retained_state_is_historical() -> None:
    will = Message(
        topic="flowmon/v1/small/ctr-gate/status", payload=b'{"health":"offline"}', seen=T0, qos=1, retained=True
    )
    async with running() as rig:
        rig.inbox.put(will)
        await until(lambda: rig.inbox.acked == [will])
    [fact] = rig.journal.facts("small")
    assert isinstance(fact, DeviceStatus)
    assert fact.historical


async def test_sightings_are_thinned_tokens() -> None:
    async with running(keys=Keys("secret")) as rig:
        rig.inbox.put(*(heard(n / 10) for n in range(30)), heard(0.0, beacon="dd8812345678"))
        await until(lambda: len(rig.inbox.acked) == 31)
    sightings = rig.journal.sightings["small"]
    assert [sighting.at - T0 for sighting in sightings] == [0.0, 1.0, 2.0]
    [token] = {sighting.beacon for sighting in sightings}
    assert token.startswith("tok-")
    counts = rig.gateway.counts
    assert (counts.sightings, counts.thinned, counts.unwanted, counts.rejected) == (3, 27, 1, 0)
    assert "small" not in rig.journal.rejects  # a passer-by's address is stored nowhere


async def test_presences_of_a_device_are_tokens_too() -> None:
    body = json.dumps({"at": T0, "beacon": "raw-id", "zone": "hall", "probability": 0.9, "expires": T0 + 60}).encode()
    async with running() as rig:
        rig.inbox.put(Message(topic="flowmon/v1/small/ble-hall/presence", payload=body, seen=T0, qos=1))
        await until(lambda: len(rig.inbox.acked) == 1)
    [fact] = rig.journal.facts("small")
    assert isinstance(fact, Presence)
    assert fact.beacon.startswith("tok-")


@pytest.mark.parametrize("pushed", [False, True])
async def test_a_thinned_repeat_waits_for_what_it_repeats(pushed: bool) -> None:
    routes = [Route(path="espresense/devices/+/+", dialect="espresense", auth="none")]
    async with running(venue(routes=routes)) as rig:
        rig.journal.hold()
        rig.inbox.put(heard(0.0, pushed=pushed), heard(0.1, pushed=pushed))
        await until(lambda: rig.gateway.counts.thinned == 1)
        for _ in range(20):
            await asyncio.sleep(0)
        assert rig.inbox.acked == []
        rig.journal.release()
        await until(lambda: len(rig.inbox.acked) == 2)
        rig.inbox.put(heard(0.2, pushed=pushed))  # what it repeats is safe already
        await until(lambda: len(rig.inbox.acked) == 3)


async def test_what_is_posted_is_acknowledged_in_any_order() -> None:
    class OnlyAnnex(MemoryJournal):
        async def append(self, venue: str, record: Record) -> int:
            if venue != "annex":
                await asyncio.Event().wait()
            return await super().append(venue, record)

    routes = [Route(path="flowmon/v1/small/+/count", dialect="native", auth="none")]
    other = [Route(path="flowmon/v1/annex/+/count", dialect="native", auth="none")]
    museums = venue(routes=routes), venue(id="annex", receivers={}, routes=other)
    async with running(*museums, journal=OnlyAnnex(), drain_s=0.05) as rig:
        first, posted, last = count(1, pushed=True), count(2, venue_id="annex", pushed=True), count(3, venue_id="annex")
        rig.inbox.put(first, posted, last)
        await until(lambda: rig.inbox.acked == [posted, last])
        assert rig.gateway.counts.in_flight == 1
    assert rig.inbox.acked == [posted, last]


async def test_an_inbox_is_told_what_cannot_be_read_before_it_is_acknowledged() -> None:
    async with running() as rig:
        rig.journal.hold()
        bad = Message(topic="flowmon/v1/small/ctr-gate/count", payload=b"rubbish", seen=T0, qos=1, mid=3)
        packed = Message(topic=bad.topic, payload=b"{}", seen=T0, headers={"content-encoding": "br"}, mid=4)
        stranger = count(1, pushed=True)  # by HTTP, where no route of HTTP is
        rig.inbox.put(bad, packed, stranger)
        await until(lambda: len(rig.inbox.rejected) == 3)
        reasons = [reason.partition(":")[0] for _, reason in rig.inbox.rejected]
        assert reasons == ["not JSON", "body cannot be unpacked as its content-encoding says", "path of no route"]
        assert rig.inbox.acked == []
        rig.journal.release()
        await until(lambda: len(rig.inbox.acked) == 3)


async def test_a_venue_that_only_counts_keeps_no_beacons() -> None:
    async with running(venue(privacy=Privacy(mode="count-only"))) as rig:
        rig.inbox.put(heard(0.0))
        await until(lambda: len(rig.inbox.acked) == 1)
    assert rig.journal.sightings == {}
    assert rig.gateway.counts.unwanted == 1


async def test_a_sensor_that_measures_one_queue_need_not_know_its_name() -> None:
    small = venue(
        queues={"tickets": Queue(zone="hall", desks=2, device="80:1F")},
        routes=[Route(topic="xovis/+/logics", dialect="xovis")],
    )
    record = {"from": T0 * 1000, "to": (T0 + 60) * 1000, "counts": [{"id": 1, "name": "queue-length", "value": 4}]}
    logic = {"id": 1, "name": "Queue statistics 1", "info": "XLT_QUEUE_STATISTICS", "records": [record]}
    payload = json.dumps({"logics_data": {"logics": [logic]}}).encode()
    async with running(small) as rig:
        rig.inbox.put(Message(topic="xovis/80:1F/logics", payload=payload, seen=T0, qos=1))
        await until(lambda: len(rig.inbox.acked) == 1)
    [fact] = rig.journal.facts("small")
    assert isinstance(fact, QueueReading)
    assert (fact.queue, fact.length) == ("tickets", 4)


async def test_a_defect_of_a_dialect_is_a_reject_and_not_the_end() -> None:
    class Broken:
        def decode(self, message: Message, device: str) -> list[Fact]:
            raise KeyError(message.topic, device)

        def encode(self, facts: Sequence[Fact], *, venue: str, device: str) -> list[Outgoing]:
            raise NotImplementedError

    async with running(dialects={"native": Broken()}) as rig:
        rig.inbox.put(count(1), count(2))
        await until(lambda: len(rig.inbox.acked) == 2)
    assert ["defect" in reject.reason for reject in rig.journal.rejects["small"]] == [True, True]

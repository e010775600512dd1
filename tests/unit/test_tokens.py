"""Beacon tokens and how long their keys live."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from flowmon.clock import Clock
from flowmon.facts import Sighting
from flowmon.venue.model import Privacy
from sensors import tokens
from sensors.dialects.port import Message
from sensors.gateway import Gateway
from sensors.keys import Keys
from sensors.marking import Marking
from sensors.routes import Routes
from tests.fakes import FakeInbox, MemoryJournal, until
from tests.small import venue


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_a_token_needs_its_key_and_hides_its_beacon() -> None:
    one, other = tokens.token(b"k" * 32, "iBeacon:1-2-3"), tokens.token(b"l" * 32, "iBeacon:1-2-3")
    assert one != other
    assert tokens.is_token(one)
    assert tokens.token(b"k" * 32, "ibeacon:1-2-3") == one
    assert tokens.token(b"k" * 32, one) != one


@pytest.mark.parametrize(
    ("mode", "earlier", "later", "same"),
    [
        ("pseudo-24h", "2026-05-02T08:00", "2026-05-03T01:59", True),  # 03:59 in Paris: still the same night
        ("pseudo-24h", "2026-05-02T08:00", "2026-05-03T02:01", False),
        ("anon-5min", "2026-05-02T08:00", "2026-05-02T08:04", True),
        ("anon-5min", "2026-05-02T08:04", "2026-05-02T08:05", False),
        ("consent", "2026-05-02T08:00", "2027-05-02T08:00", True),
    ],
)
@pytest.mark.parametrize("secret", ["", "s3cret"])
def test_a_key_lives_as_long_as_the_privacy_mode_says(
    mode: str, earlier: str, later: str, same: bool, secret: str
) -> None:
    museum = venue(privacy=Privacy(mode=mode))  # type: ignore[arg-type]
    keys = Keys(secret)
    assert (keys.at(museum, at(earlier)) == keys.at(museum, at(later))) is same


def test_a_secret_makes_gateways_agree_and_none_keeps_them_apart() -> None:
    museum, now = venue(), at("2026-05-02T08:00")
    assert Keys("s3cret").at(museum, now) == Keys("s3cret").at(museum, now)
    assert Keys().at(museum, now) != Keys().at(museum, now)
    assert Keys("s3cret").at(museum, now) != Keys("s3cret").at(venue(id="annex"), now)


def test_a_key_without_a_secret_is_gone_after_its_period() -> None:
    museum, keys = venue(), Keys()
    first = keys.at(museum, at("2026-05-02T08:00"))
    keys.at(museum, at("2026-05-03T08:00"))
    assert keys.at(museum, at("2026-05-02T08:00")) != first


def heard(beacon: str, **more: Any) -> Sighting:
    return Sighting(at=T, source="ble-hall", receiver="ble-hall", beacon=beacon, rssi_dbm=-70.0, **more)


T = at("2026-05-02T08:00")


def test_a_key_is_gone_at_the_end_of_its_period_though_nobody_is_heard() -> None:
    museum, keys = venue(), Keys()
    first = keys.at(museum, T)
    keys.forget(at("2026-05-03T01:59"))
    assert keys.at(museum, T) == first
    keys.forget(at("2026-05-03T02:00"))
    assert keys._now == {}
    assert keys.at(museum, T) != first


def test_a_clock_set_back_a_little_splits_no_visit() -> None:
    museum, keys = venue(privacy=Privacy(mode="anon-5min")), Keys()
    first = keys.at(museum, 600.0)
    assert keys.at(museum, 590.0) == keys.at(museum, 899.9) == first
    assert keys.at(museum, 500.0) != first


def test_without_receivers_nothing_is_kept_of_beacons() -> None:
    assert tokens.mode(venue()) == "pseudo-24h"
    assert tokens.mode(venue(receivers={}, privacy=Privacy(mode="consent", beacons=["iBeacon:a"]))) == "count-only"


@pytest.mark.parametrize(
    ("beacon", "kept"),
    [("iBeacon:e2c5-1-7", True), ("ibeacon:E2C5-1-8", True), ("iBeacon:e2c5-12-7", False), ("iBeacon:e2c5", False),
     ("known:x", False), ("eddy:00", True), ("eddy:001", False), ("tok-" + "a" * 20, False)],
)  # fmt: skip
def test_consent_keeps_listed_beacons_and_no_other(beacon: str, kept: bool) -> None:
    listed = venue(privacy=Privacy(mode="consent", beacons=["iBeacon:e2c5-1", "eddy:00"]))
    assert tokens.keeps(listed, beacon) is kept
    marking = Marking({"small": listed}, Keys(), simulated=False)
    assert marking.keeps(heard(beacon), listed) is kept
    assert not tokens.keeps(venue(privacy=Privacy(mode="consent")), beacon)


def test_a_real_token_is_hashed_again_and_a_simulated_one_stays() -> None:
    museum, own = venue(), "tok-" + "a" * 20
    marking = Marking({"small": museum}, Keys(), simulated=False)
    message = Message(topic="t", payload=b"", seen=T)
    real = marking.mark(heard(own), museum, message)
    truth = marking.mark(heard(own, simulated=True), museum, message)
    assert isinstance(real, Sighting)
    assert isinstance(truth, Sighting)
    assert real.beacon != own
    assert truth.beacon == own


async def test_count_only_writes_neither_sightings_nor_presences() -> None:
    museum = venue(privacy=Privacy(mode="count-only"))
    inbox, journal = FakeInbox(), MemoryJournal()
    sink = journal.append_sightings, journal.append_rejects
    gateway = Gateway(inbox, Routes([museum]), {"small": museum}, journal, *sink, Clock())
    running = asyncio.create_task(gateway.run())
    place = b'{"beacon":"b","zone":"hall","probability":1,"at":5,"expires":9}'
    told = [
        Message(topic="espresense/devices/iBeacon:e2c5-1-7/ble-hall", payload=b'{"rssi":-70}', seen=T, qos=1, mid=1),
        Message(topic="flowmon/v1/small/ble-hall/presence", payload=place, seen=T, qos=1, mid=2),
        Message(topic="flowmon/v1/small/ctr-gate/status", payload=b'{"health":"online"}', seen=T, qos=1, mid=3),
    ]
    inbox.put(*told)
    await until(lambda: len(inbox.acked) == 3)
    gateway.stop()
    await asyncio.wait_for(running, 10)
    assert [type(fact).__name__ for fact in journal.facts("small")] == ["DeviceStatus"]
    assert (journal.sightings, journal.rejects, gateway.counts.unwanted) == ({}, {}, 2)

"""One sighting per beacon, receiver and second."""

import msgspec

from flowmon.facts import Sighting, identity
from sensors.thinning import Thinning


def heard(at: float, beacon: str = "tok-1", receiver: str = "r1") -> Sighting:
    return Sighting(at=at, source=receiver, beacon=beacon, receiver=receiver, rssi_dbm=-70.0)


def test_the_first_of_a_second_is_kept() -> None:
    thinning = Thinning()
    assert [thinning.keeps(heard(at)) for at in (10.0, 10.2, 10.9, 11.0, 11.5, 12.0)] == [
        True, False, False, True, False, True,
    ]  # fmt: skip


def test_beacons_and_receivers_are_apart_and_order_does_not_matter() -> None:
    thinning = Thinning()
    assert thinning.keeps(heard(10.0))
    assert thinning.keeps(heard(10.0, beacon="tok-2"))
    assert thinning.keeps(heard(10.0, receiver="r2"))
    assert thinning.keeps(heard(9.0))
    assert not thinning.keeps(heard(10.5))


def test_memory_is_bounded() -> None:
    thinning = Thinning(memory=100)
    assert all(thinning.keeps(heard(10.0, beacon=f"tok-{number}")) for number in range(1_000))
    assert len(thinning._heard) == 100
    assert not thinning.keeps(heard(10.5, beacon="tok-999"))


def test_a_minute_later_a_sighting_is_forgotten() -> None:
    thinning = Thinning()
    assert all(thinning.keeps(heard(float(second))) for second in range(1_000))
    assert len(thinning._heard) <= 62


def test_a_receiver_whose_clock_stands_is_heard_every_ten_seconds() -> None:
    thinning = Thinning()
    told = [msgspec.structs.replace(heard(10.0), seen=1_000.0 + n) for n in range(60)]
    assert sum(thinning.keeps(sighting) for sighting in told) == 6


def test_what_a_broker_delivers_again_after_a_reconnect_is_kept_once() -> None:
    thinning = Thinning()
    told = [msgspec.structs.replace(heard(10.0 + n), seen=11.0 + n) for n in range(5)]
    again = [msgspec.structs.replace(sighting, seen=sighting.seen + 4.0) for sighting in told]
    assert [thinning.keeps(sighting) for sighting in [*told, *again]] == 5 * [True] + 5 * [False]


def test_a_restart_forgets_and_what_comes_again_has_the_same_identity() -> None:
    first, second = heard(10.0), msgspec.structs.replace(heard(10.0), seen=99.0)
    assert Thinning().keeps(first)
    assert Thinning().keeps(second)
    assert identity(first) == identity(second)

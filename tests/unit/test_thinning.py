"""One sighting per beacon, receiver and second."""

from flowmon.facts import Sighting
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

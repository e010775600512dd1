"""Checkpoints: what is skipped, what is acknowledged, and what is refused."""

from typing import Any, cast

import pytest

from streams.checkpoints import Checkpoint, Seat, Seats, pack, unpack


class Sum:
    """A state that can be held."""

    def __init__(self, total: int = 0) -> None:
        self.total = total

    def snapshot(self) -> bytes:
        return str(self.total).encode()

    @classmethod
    def restore(cls, data: bytes) -> "Sum":
        return cls(int(data))


class Event:
    """An event that remembers whether it was acknowledged."""

    def __init__(self) -> None:
        self.acknowledged = False

    def ack(self) -> bool:
        self.acknowledged = True
        return True


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def take(seats: Seats[Sum], key: str = "museum", fingerprint: str = "aa") -> Seat[Sum]:
    return seats.take(key, fingerprint, build=Sum, restore=Sum.restore)


def handle(seat: Seat[Sum], offset: int) -> Event:
    event = Event()
    seat.state.total += offset
    seat.offset = offset
    seat.events.append(cast("Any", event))
    return event


def test_a_checkpoint_survives_its_packing() -> None:
    checkpoint = Checkpoint(42, "aa", b"\x00state" * 1000)
    assert unpack(pack(checkpoint)) == checkpoint
    assert len(pack(checkpoint)) < 1000


@pytest.mark.parametrize("data", [b"", b"rubbish", pack(Checkpoint(1, "aa", b""))[:-3]])
def test_bytes_that_are_no_checkpoint_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        unpack(data)


def test_a_new_worker_goes_on_from_the_checkpoint() -> None:
    table: dict[str, bytes] = {}
    seats: Seats[Sum] = Seats(table, now=Time())
    seat = take(seats)
    handle(seat, 7)
    handle(seat, 9)
    seats.save(seat)
    handle(seat, 11)  # not saved: the next worker gets it again

    restored = take(Seats(table, now=Time()))
    assert (restored.state.total, restored.offset, restored.complete) == (16, 9, False)


def test_without_a_checkpoint_everything_is_still_to_come() -> None:
    seat = take(Seats({}, now=Time()))
    assert (seat.state.total, seat.offset, seat.publish_after) == (0, -1, -1)


def test_saving_acknowledges_this_seat_only() -> None:
    seats: Seats[Sum] = Seats({}, now=Time())
    museum, gallery = take(seats, "museum"), take(seats, "gallery")
    ours, theirs = handle(museum, 1), handle(gallery, 2)
    seats.save(museum)
    assert ours.acknowledged
    assert not theirs.acknowledged, "the gallery's state is not safe yet"


def test_another_venue_file_means_rebuilding(caplog: pytest.LogCaptureFixture) -> None:
    table: dict[str, bytes] = {}
    seats: Seats[Sum] = Seats(table, now=Time())
    seat = take(seats)
    handle(seat, 7)
    seats.save(seat)
    changed = take(Seats(table, now=Time()), fingerprint="bb")
    assert (changed.state.total, changed.offset) == (0, -1)
    assert changed.publish_after == 7, "what the old file said of these records has been published"
    assert "rebuilding from the journal" in caplog.text


@pytest.mark.parametrize("data", [b"rubbish", pack(Checkpoint(5, "aa", b"no number"))])
def test_a_checkpoint_that_cannot_be_used_means_rebuilding(data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    seat = take(Seats({"museum": data}, now=Time()))
    assert (seat.state.total, seat.offset) == (0, -1)
    assert "rebuilding from the journal" in caplog.text


def test_a_seat_given_up_is_never_saved() -> None:
    table: dict[str, bytes] = {}
    seats: Seats[Sum] = Seats(table, now=Time())
    seat = take(seats)
    event = handle(seat, 3)
    seats.leave()
    seats.save(seat)
    assert table == {}
    assert not event.acknowledged
    assert take(seats) is not seat


def test_a_closing_worker_saves_nothing_more() -> None:
    table: dict[str, bytes] = {}
    seats: Seats[Sum] = Seats(table, now=Time())
    seat = take(seats)
    event = handle(seat, 3)
    seats.close()
    seats.save(seat)
    assert table == {}
    assert not event.acknowledged


def test_checkpoints_are_a_second_apart_and_rarer_when_they_take_long() -> None:
    time = Time()

    class Slow(Sum):
        def snapshot(self) -> bytes:
            time.now += 0.3
            return super().snapshot()

    seats: Seats[Sum] = Seats({}, now=time)
    seat = seats.take("museum", "aa", build=Slow, restore=Sum.restore)
    assert not seats.due(seat)
    time.now += 1.0
    assert seats.due(seat)
    seats.save(seat)
    time.now += 5.0
    assert not seats.due(seat), "0.3 s of work every second is too much"
    time.now += 6.0
    assert seats.due(seat)

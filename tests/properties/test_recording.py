"""Recordings: what is written is read, and no bytes whatever crash the reader."""

import gzip
import tempfile
from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from flowmon.errors import JournalError
from flowmon.facts import Acknowledged, Count, DeviceStatus, Fact, Record, Sighting, Tick
from flowmon.journal.files import Header, read_recording, write_entries, write_recording

on_disk = settings(deadline=None)  # how fast the disk is, is not what is tested

times = st.floats(min_value=0, max_value=4e9)
words = st.text(max_size=20)
facts: st.SearchStrategy[Fact] = st.one_of(
    st.builds(Tick, at=times, source=words, seq=st.integers(-1, 2**40)),
    st.builds(
        Count,
        at=times,
        source=words,
        seen=times,
        counter=words,
        kind=st.sampled_from(["event", "window", "cumulative"]),
        forward=st.integers(0, 2**31),
        backward=st.integers(0, 2**31),
        simulated=st.booleans(),
    ),
    st.builds(Sighting, at=times, source=words, beacon=words, receiver=words, rssi_dbm=st.floats(-150, 20)),
    st.builds(DeviceStatus, at=times, source=words, health=st.just("fault"), reason=words),
    st.builds(Acknowledged, at=times, source=words, episode=words, revision=st.integers(0, 9), by=words),
)
records = st.lists(st.lists(facts, min_size=1, max_size=5), max_size=8)
headers = st.builds(
    Header,
    venue=words,
    fingerprint=words,
    simulated=st.booleans(),
    first_offset=st.integers(0, 2**40),
    more=st.dictionaries(st.sampled_from(["seed", "scenario", "é"]), st.one_of(st.integers(0, 9), words, st.none())),
)
names = st.sampled_from(["r.jsonl", "r.jsonl.gz"])


@on_disk
@given(headers, records, names)
def test_what_is_written_is_read(header: Header, written: list[Record], name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        assert write_recording(path, header, written) == len(written)
        found, entries = read_recording(path)
        assert found == header
        assert list(entries) == list(enumerate(written, start=header.first_offset))
        first = path.read_bytes()
        write_recording(path, header, written)
        assert path.read_bytes() == first
        assert [item.name for item in Path(folder).iterdir()] == [name]


@on_disk
@given(headers, st.dictionaries(st.integers(0, 10**6), st.lists(facts, min_size=1, max_size=2), max_size=6), names)
def test_gaps_between_offsets_are_kept(header: Header, by_offset: dict[int, Record], name: str) -> None:
    entries = [(header.first_offset + offset, by_offset[offset]) for offset in sorted(by_offset)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write_entries(path, header, entries)
        assert list(read_recording(path)[1]) == entries


def read_all(data: bytes) -> int:
    """How many records come out before the end, or before a JournalError, of any bytes."""
    count = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any.jsonl"
        path.write_bytes(data)
        try:
            for _ in read_recording(path)[1]:
                count += 1
        except JournalError as error:
            assert str(path) in str(error)  # noqa: PT017 -- either way is right
    return count


HEADER = b'{"flowmon":"recording","version":1,"venue":"museum"}\n'
GOOD = b'[{"type":"tick","at":1.0,"source":"ticker"}]\n'


@on_disk
@given(st.binary(max_size=200))
def test_no_bytes_crash_the_reader(data: bytes) -> None:
    for whole in (data, HEADER + data, HEADER + GOOD + data, b"\x1f\x8b" + data):
        read_all(whole)


@on_disk
@given(st.integers(0, 400), st.binary(min_size=1, max_size=4), st.booleans())
def test_no_damage_crashes_the_reader(place: int, damage: bytes, zipped: bool) -> None:
    data = HEADER + GOOD * 5
    if zipped:
        data = gzip.compress(data)
    read_all(data[:place] + damage + data[place + len(damage) :])
    read_all(data[:place])


@on_disk
@given(st.dictionaries(st.text(max_size=12), st.none() | st.integers() | st.text(max_size=5) | st.just([]), max_size=5))
def test_any_json_header_is_read_or_refused(fields: dict[str, object]) -> None:
    fields = {"flowmon": "recording", "version": 1, **fields}
    try:
        data = msgspec.json.encode(fields)
    except (OverflowError, UnicodeEncodeError):
        return
    read_all(data + b"\n" + GOOD)

"""Packed bodies: unpacked whole, or refused, within a bound."""

import contextlib
import gzip
import time
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors.http_bodies import ENCODINGS, Broken, TooLarge, unpack


@given(st.binary(max_size=5_000), st.integers(0, 9))
def test_what_was_packed_comes_out(data: bytes, level: int) -> None:
    for packed, encoding in [
        (gzip.compress(data, level), "gzip"),
        (gzip.compress(data[:9]) + gzip.compress(data[9:]), "x-gzip"),
        (zlib.compress(data, level), "deflate"),
        (zlib.compress(data, level)[2:-4], "deflate"),
    ]:
        assert unpack(packed, encoding, len(data)) == data


@given(st.binary(max_size=2_000), st.sampled_from(sorted(ENCODINGS)))
def test_any_bytes_end_in_a_word(data: bytes, encoding: str) -> None:
    with contextlib.suppress(Broken, TooLarge):
        assert len(unpack(data, encoding, 10_000)) <= 10_000


@given(st.binary(min_size=1, max_size=2_000), st.data())
def test_half_a_body_is_broken(data: bytes, choice: st.DataObject) -> None:
    packed = gzip.compress(data)
    with pytest.raises(Broken):
        unpack(packed[: choice.draw(st.integers(1, len(packed) - 1))], "gzip", 10_000)


def test_exactly_the_bound_is_allowed() -> None:
    assert len(unpack(gzip.compress(bytes(1_000)), "gzip", 1_000)) == 1_000
    with pytest.raises(TooLarge):
        unpack(gzip.compress(bytes(1_001)), "gzip", 1_000)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_bomb_costs_little(encoding: str) -> None:
    pack = gzip.compress if encoding == "gzip" else zlib.compress
    bomb = pack(bytes(200 << 20))
    tracemalloc.start()
    began = time.perf_counter()
    with pytest.raises(TooLarge):
        unpack(bomb, encoding, 1_000_000)
    took, peak = time.perf_counter() - began, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000
    assert took < 1.0


def test_a_chain_of_empty_parts_is_refused() -> None:
    with pytest.raises(Broken, match="more than 16"):
        unpack(gzip.compress(b"") * 10_000, "gzip", 1_000)

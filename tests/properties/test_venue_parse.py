"""No bytes, and no values in the right places, make the parser do anything but return or raise VenueInvalid."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowmon.errors import VenueInvalid
from flowmon.venue.audit import audit
from flowmon.venue.model import Venue, fingerprint
from flowmon.venue.parse import parse, problems
from flowmon.venue.shape import Shape

TEXT = (Path(__file__).parents[2] / "deploy/venues/museum.toml").read_text(encoding="utf-8")
KEYS = sorted(Venue.__struct_fields__)

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["foyer", "outside", "ground", "zone", "", "\x00", "é"])
)
words = st.text(max_size=6) | st.sampled_from(
    [*KEYS, "foyer", "outside", "floor", "capacity", "outline", "between", "at", "portal", "towards", "zone", "desks",
     "watches", "severity", "above", "clear", "only", "opens", "closes", "days", "topic", "dialect", "mode"]
)  # fmt: skip
points = st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50)).map(list), max_size=6)
values = st.recursive(
    scalars | points,
    lambda deeper: st.lists(deeper, max_size=4) | st.dictionaries(words, deeper, max_size=5),
    max_leaves=30,
)


def survives(data: bytes) -> None:
    venue, found = problems(data)
    assert all(problem.message and problem.hint for problem in found)
    if venue is not None:
        assert fingerprint(parse(data)) == fingerprint(venue)
        return
    with pytest.raises(VenueInvalid) as caught:
        parse(data)
    assert caught.value.problems == [problem for problem in found if problem.severity == "error"]


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    survives(data)


@given(st.text(alphabet="[]{}=.\"#,\n abz01-:'\\", max_size=200))
def test_anything_that_looks_like_toml(text: str) -> None:
    survives(text.encode())


@given(st.data())
def test_the_museum_with_a_hole_or_noise(data: st.DataObject) -> None:
    raw = TEXT.encode()
    start = data.draw(st.integers(0, len(raw)))
    length = data.draw(st.integers(0, 60))
    noise = data.draw(
        st.binary(max_size=12) | st.sampled_from([b"\n", b"0", b'"', b"[", b"]", b"-", b"1e400", b"inf", b" = "])
    )
    survives(raw[:start] + noise + raw[start + length :])


@given(st.dictionaries(words, values, max_size=8))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_any_values_in_any_place(table: dict[str, Any]) -> None:
    shape = Shape()
    venue = shape.struct(Venue, table, "")
    found = audit(venue, uncertain=frozenset(problem.path for problem in shape.problems))
    assert isinstance(venue, Venue)
    assert all(problem.hint for problem in [*shape.problems, *found])


@given(st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50)), min_size=0, max_size=9))
def test_any_outline_is_judged(outline: list[tuple[float, float]]) -> None:
    text = "[[18, 0], [32, 0], [32, 18], [18, 18]]"
    drawn = str([list(point) for point in outline])
    venue, found = problems(TEXT.replace(text, drawn, 1).encode())
    assert (venue is None) == any(problem.severity == "error" for problem in found)


@pytest.mark.parametrize("cut", range(0, len(TEXT), 997))
def test_a_torn_file(cut: int) -> None:
    survives(TEXT[:cut].encode())

"""TOML and shape: every mismatch with its path, in words of the person who wrote the file."""

from pathlib import Path

import pytest

from flowmon.errors import VenueInvalid
from flowmon.venue.model import Problem, fingerprint
from flowmon.venue.parse import SIZE_MAX, load, load_all, parse, problems, read

MUSEUM = Path(__file__).parents[2] / "deploy/venues/museum.toml"
TEXT = MUSEUM.read_text(encoding="utf-8")


def found(old: str, new: str) -> list[Problem]:
    assert old in TEXT
    return problems(TEXT.replace(old, new, 1).encode())[1]


def test_the_museum_is_what_it_says() -> None:
    venue = load(MUSEUM)
    assert (venue.id, venue.timezone) == ("museum", "Europe/Paris")
    counts = (len(venue.floors), len(venue.zones), len(venue.portals), len(venue.counters), len(venue.receivers))
    assert counts == (2, 12, 16, 16, 10)
    assert list(venue.queues) == ["entrance", "tickets"]
    assert {counter.portal for counter in venue.counters.values()} == set(venue.portals)
    assert sum(counter.dialect == "xovis" for counter in venue.counters.values()) == 2
    assert venue.zones["star-room"].outline[0] == (18.0, 0.0)
    assert fingerprint(venue) == fingerprint(parse(TEXT.encode()))


@pytest.mark.parametrize(
    ("old", "new", "path", "message", "hint"),
    [
        ("capacity = 120 ", 'capacity = "120" ', "zones.foyer.capacity", "whole number, not a text", "without quotes"),
        ("capacity = 120 ", "capacity = 120.5 ", "zones.foyer.capacity", "a whole number, not a decimal one", "120"),
        ("capacity = 120 ", "capacty = 120 ", "zones.foyer.capacty", "unknown key", "did you mean capacity?"),
        ("capacity = 120 ", "# ", "zones.foyer.capacity", "missing", "capacity = 120"),
        ('profile = "hall"', 'profile = "hal"', "zones.foyer.profile", "'hal'", "did you mean hall?"),
        ('severity = "medium"', 'severity = "mild"', "rules.device-silent.severity", "'mild'", "critical"),
        ('["outside", "entrance-queue"]', '["outside"]', "portals.entrance.between", "length 2", "two zones"),
        ("at = [6, 32]", "at = [6, nan]", "portals.entrance.at", "finite", "ordinary number"),
        ("at = [6, 32]", "at = [6, inf]", "portals.entrance.at", "finite", "ordinary number"),
        ("at = [6, 32]", "at = 6", "portals.entrance.at", "a list, not a whole number", "points in metres"),
        ("days = [4]", 'days = ["fri"]', "hours[1].days[0]", "a whole number, not a text", "whole numbers"),
        ("above = 0.8", "above = 2026-11-24", "rules.zone-near.above", "a number", "2.5"),
        ("[zones.foyer]", '[zones.foyer]\nnmae = "x"', "zones.foyer.nmae", "unknown key", "did you mean name?"),
        ('id = "museum"', 'id = "museum"\ncolour = 3', "colour", "unknown key", "the keys here are"),
        ('id = "museum"', "", "id", "missing", 'id = "museum"'),
        ('id = "museum"', 'id = "museum"\nprivacy = 3', "privacy", "should be a table", "[privacy]"),
        ("capacity = 700", "capacity = 7" + "0" * 30, "capacity", "out of range", "most people"),
        ("order = 1\n", "order = 1" + "0" * 30 + "\n", "floors.upper.order", "out of range", "basement"),
    ],
)  # fmt: skip
def test_shape(old: str, new: str, path: str, message: str, hint: str) -> None:
    matching = [problem for problem in found(old, new) if problem.path == path]
    assert matching, found(old, new)
    assert message in matching[0].message
    assert hint in matching[0].hint


def test_missing_key_of_a_whole_file_is_each_said_once() -> None:
    assert [problem.path for problem in problems(b"")[1]][:6] == [
        "id",
        "name",
        "timezone",
        "floors",
        "zones",
        "portals",
    ]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"zones = [1,\n", "is no TOML"),
        (b"a = 1\nb = \n", "line 2"),
        (b"[zones.a]\n[zones.a]\n", "line 2"),
        (b"a = 1\nb = '\xff'\n", "UTF-8 text (line 2)"),
        (b"a = " + b"[" * 20_000, "nested too deeply"),
        (b"a" + b".a" * 400_000 + b" = 1", "64 parts"),
        (b"a = " + b"9" * 5_000, "is no TOML"),
        (b"#" * (SIZE_MAX + 1), "too large"),
    ],
)
def test_bytes_that_are_no_toml(data: bytes, words: str) -> None:
    venue, (problem,) = problems(data, "x.toml")
    assert venue is None
    assert words in problem.message
    assert problem.hint
    assert problem.file == "x.toml"


def test_a_row_of_dots_is_no_endless_key() -> None:
    assert problems((TEXT + "\n# " + "." * 200 + "\n").encode())[1] == []


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        venue, (problem,) = read(path)
        assert venue is None
        assert problem.file == str(path)
        assert "cannot be read" in problem.message
        with pytest.raises(VenueInvalid):
            load(path)


def test_an_endless_file_is_refused() -> None:
    zero = Path("/dev/zero")
    if not zero.exists():
        pytest.skip("no /dev/zero here")
    assert "too large" in read(zero)[1][0].message


def test_the_error_holds_only_errors_and_says_them_all() -> None:
    text = TEXT.replace("at = [25, 9]", "at = [40, 9]", 1).replace("capacity = 50 ", "capacity = 0 ", 1)
    with pytest.raises(VenueInvalid) as caught:
        parse(text.encode(), file="m.toml")
    assert [(problem.path, problem.file) for problem in caught.value.problems] == [
        ("zones.star-room.capacity", "m.toml")
    ]
    assert "zones.star-room.capacity" in str(caught.value)


def test_all_files_are_read_and_all_their_problems_said(tmp_path: Path) -> None:
    good, twin, bad = tmp_path / "good.toml", tmp_path / "twin.toml", tmp_path / "bad.toml"
    good.write_text(TEXT)
    twin.write_text(TEXT)
    bad.write_text(TEXT.replace("capacity = 50 ", "capacity = 0 ", 1))
    assert [venue.id for venue in load_all([good])] == [parse(TEXT.encode()).id]
    with pytest.raises(VenueInvalid) as caught:
        load_all([good, bad, twin, tmp_path / "none.toml"])
    said = str(caught.value).splitlines()
    assert len(said) == 3
    assert said[0].startswith(f"{bad}: zones.star-room.capacity: ")
    assert said[1].startswith(f"{twin}: id: another file has the same id")
    assert "cannot be read" in said[2]

"""What `flowmon learn` says of recordings in which it is known which hypothesis is true."""

import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flowmon.__main__ import main
from flowmon.facts import Count, CountKind, Fact
from flowmon.journal.files import Header, write_recording
from flowmon.venue.model import Counter, Venue
from tests.small import venue

DAY = 86_400.0
START = datetime(2026, 10, 5, tzinfo=UTC).timestamp()
DEVICE = "6537F28545220003"

Told = dict[str, object]


def passages(days: int = 3) -> Iterator[tuple[float, int, int]]:
    """Ends of five-minute periods from 08:00 to 17:00 UTC with people in and out; all are out in the evening."""
    dice = random.Random(1)
    for day in range(days):
        inside = 0
        for n in range(108):
            into = dice.randrange(2, 8) if n < 80 else 0
            out = min(inside, dice.randrange(0, 7) if n < 80 else 30)
            inside += into - out
            yield START + day * DAY + 8 * 3_600 + n * 300, into, out


def count(kind: CountKind, at: float, forward: int, backward: int, *, offset: float = 0.0, line: str = "1") -> Count:
    stamp = at - offset
    start, end = (stamp - 300.0, stamp) if kind == "window" else (0.0, 0.0)
    return Count(
        at=stamp,
        seen=at + 0.7,
        source=DEVICE,
        counter=DEVICE,
        line=line,
        kind=kind,
        forward=forward,
        backward=backward,
        start=start,
        end=end,
    )


def windows(offset: float = 0.0) -> list[Fact]:
    return [count("window", at, into, out, offset=offset) for at, into, out in passages()]


def register(reset_hour: int | None = None) -> list[Fact]:
    facts: list[Fact] = []
    forward, backward, last = 700, 650, -1
    for at, into, out in passages():
        hour = int((at - START) % DAY // 3_600)
        if reset_hour is not None and hour == reset_hour and last != hour:
            forward = backward = 0
        last = hour
        forward, backward = forward + into, backward + out
        facts.append(count("cumulative", at, forward, backward))
    return facts


def events() -> list[Fact]:
    return [
        count("event", at - n, int(n < into), int(n >= into)) for at, into, out in passages() for n in range(into + out)
    ]


def plan(credit: CountKind = "event", towards: str = "hall") -> Venue:
    return venue(counters={"ctr-gate": Counter(portal="gate", towards=towards, device=DEVICE, credit=credit)})


@pytest.fixture
def learn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., list[Told]]:
    """The verb on a recording of some facts, as JSON."""

    def of(facts: list[Fact], plan: Venue | None = None) -> list[Told]:
        path = tmp_path / "rec.jsonl"
        write_recording(path, Header(venue="small", plan=plan), [[fact] for fact in facts])
        assert main(["learn", str(path), "--json"]) == 0
        return list(json.loads(capsys.readouterr().out))

    return of


def test_windows_are_told_with_direction_clock_and_a_snippet(learn: Callable[..., list[Told]]) -> None:
    (line,) = learn(windows(), plan())
    assert (line["credit"], line["inverted"], line["offset_s"]) == ("window", False, 0.0)
    assert line["snippet"] == '[counters.ctr-gate]\ncredit = "window"'
    assert any("324 messages" in sentence for sentence in line["evidence"])  # type: ignore[attr-defined]


def test_events_that_the_file_has_right_need_no_change(learn: Callable[..., list[Told]]) -> None:
    (line,) = learn(events(), plan())
    assert (line["credit"], line["inverted"], line["snippet"]) == ("event", False, "")


def test_a_line_mounted_the_other_way_round_is_inverted(learn: Callable[..., list[Told]]) -> None:
    (line,) = learn(windows(), plan("window", towards="outside"))
    assert line["inverted"] is True
    assert line["snippet"] == "[counters.ctr-gate]\ninvert = true"


def test_a_register_and_the_local_hour_of_its_restarts(learn: Callable[..., list[Told]]) -> None:
    (steady,) = learn(register(), plan())
    (daily,) = learn(register(reset_hour=9), plan())
    assert (steady["credit"], steady["reset_hour"]) == ("cumulative", None)
    assert (daily["credit"], daily["reset_hour"]) == ("cumulative", 11)  # Paris in October


def test_a_register_that_is_called_a_window_is_not_credited(learn: Callable[..., list[Told]]) -> None:
    facts = [count("window", fact.at, fact.forward, fact.backward) for fact in register() if isinstance(fact, Count)]
    (line,) = learn(list(facts), plan())
    assert line["credit"] == ""
    assert any("look like a register" in sentence for sentence in line["evidence"])  # type: ignore[attr-defined]


@pytest.mark.parametrize("offset", [7_200.0, -3_600.0])
def test_a_clock_that_is_off(learn: Callable[..., list[Told]], offset: float) -> None:
    assert learn(windows(offset))[0]["offset_s"] == offset


def test_a_device_that_sends_several_kinds_is_told_which_to_credit(learn: Callable[..., list[Told]]) -> None:
    (line,) = learn([*windows(), *register()], plan())
    assert line["credit"] == "cumulative"
    assert any("they agree; credit only one" in sentence for sentence in line["evidence"])  # type: ignore[attr-defined]


def test_too_little_is_said_to_be_too_little(learn: Callable[..., list[Told]]) -> None:
    (line,) = learn(windows()[:10], plan())
    assert (line["credit"], line["snippet"], line["offset_s"]) == ("", "", None)
    assert any("not enough data" in sentence for sentence in line["evidence"])  # type: ignore[attr-defined]


def test_text_is_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rec.jsonl"
    write_recording(path, Header(venue="small"), [[fact] for fact in windows()])
    assert main(["learn", str(path)]) == 0
    said = capsys.readouterr().out
    assert f"small: device {DEVICE}, line 1: window" in said
    assert 'credit = "window"' in said
    assert main(["learn", str(tmp_path / "none.jsonl")]) == 2

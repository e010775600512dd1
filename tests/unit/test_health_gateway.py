"""The gateway as a device of the monitor: known by its word, suspect while it refuses, silent when it is away."""

from flowmon.facts import DeviceStatus
from flowmon.findings import DeviceState
from flowmon.monitor.core import Monitor
from flowmon.venue.model import Counter
from tests.small import T0, venue
from tests.unit.pitfalls import live, states


def word(at: float, messages: int = 40, rejected: int = 0, worst: str = "", *, old: bool = False) -> DeviceStatus:
    return DeviceStatus(
        at=T0 + at,
        seen=T0 + at,
        source="gateway",
        health="online",
        messages=messages,
        rejected=rejected,
        worst=worst,
        historical=old,
    )


def heard(*words: DeviceStatus, until_s: float) -> list[DeviceState]:
    return states(live(Monitor(venue()), words, until_s), "gateway")


def test_nothing_is_said_of_a_gateway_that_never_spoke() -> None:
    assert heard(until_s=300) == []
    assert heard(word(5, old=True), until_s=300) == []


def test_refused_messages_make_it_suspect_until_a_minute_without_any() -> None:
    told = heard(word(5), word(65, 200, 7, "topic of no route"), word(125, 90), until_s=130)
    assert [state.health for state in told] == ["good", "suspect", "good"]
    assert (told[0].kind, told[0].messages, told[0].rejected, told[0].worst, told[0].zones) == (
        "gateway",
        40,
        0,
        "",
        [],
    )
    reason = "7 of 200 messages refused in the last minute: topic of no route; see flowmon rejects"
    assert (told[1].reason, told[1].messages, told[1].rejected) == (reason, 200, 7)
    assert told[1].worst == "topic of no route"
    assert (told[2].reason, told[2].messages, told[2].rejected, told[2].worst) == ("", 90, 0, "")


def test_the_figures_shown_are_those_of_its_last_word() -> None:
    told = heard(*(word(5.0 + 60 * n, 100 + n) for n in range(4)), until_s=200)
    assert [state.messages for state in told] == [100, 101, 102, 103]
    assert all(0 <= state.at - T0 - 5.0 - 60 * n <= 2 for n, state in enumerate(told))


def test_it_is_silent_after_three_minutes_and_good_with_its_next_word() -> None:
    told = heard(word(5), word(300), until_s=310)
    turns = [(state.health, state.at - T0) for state in told if state.health != "good"]
    assert turns[0][0] == "silent"
    assert 180 < turns[0][1] < 190
    assert told[-1].health == "good"


def test_what_it_says_is_bounded() -> None:
    told = heard(word(5, -3, 2, "x" * 5_000), until_s=8)
    assert (told[-1].messages, told[-1].rejected, len(told[-1].worst)) == (0, 2, 100)


def test_it_is_remembered_over_a_checkpoint() -> None:
    monitor = Monitor(venue())
    live(monitor, [word(5, 9, 4, "no number")], 8)
    again = Monitor.restore(venue(), monitor.snapshot())
    [state] = states(again.current(), "gateway")
    assert (state.kind, state.health, state.messages, state.rejected) == ("gateway", "suspect", 9, 4)


def test_a_counter_called_gateway_stays_a_counter() -> None:
    counters = {"gateway": Counter(portal="gate", towards="hall")}
    told = states(live(Monitor(venue(counters=counters)), [word(5, 9, 4)], 8), "gateway")
    assert {(state.kind, state.messages, state.rejected) for state in told} == {("counter", None, None)}

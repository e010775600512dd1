"""Whatever is published, subscribed, written and acknowledged in whatever order: a client that has caught up knows
exactly what the hub knows, was told every event once and in order, and never skipped a number."""

import math
from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from flowmon.feed.credit import UNACKNOWLEDGED_MAX
from flowmon.feed.hub import Hub
from flowmon.feed.messages import KEYED_CHANNELS
from flowmon.feed.state import EVENTS_MAX, TOMBSTONE_MS
from flowmon.findings import Published
from tests.unit.feed_samples import T0, Line, Names, Screen, episode, known, queue, venue, zone

ZONES = st.sampled_from(["foyer", "hall", "attic"])
PEOPLE = st.one_of(st.none(), st.integers(0, 9).map(float))
WHERE = st.fixed_dictionaries(
    {},
    optional={
        "floor": st.lists(st.sampled_from(["ground", "first", "moon"]), max_size=2),
        "id": st.lists(st.sampled_from(["foyer", "attic", "tickets", "e1"]), max_size=2),
    },
)
CHANNELS = st.sampled_from(["zones", "queues", "alerts"])


class Interleaving(RuleBasedStateMachine):
    """One hub, one client that loses its connection and comes back."""

    def __init__(self) -> None:
        super().__init__()
        self.hub = Hub(venue(), "e1")
        self.names = Names()
        self.sent: list[Published] = []
        self.now_ms = 0
        self.wanted: dict[str, dict[str, Any]] = {}
        self.events: list[tuple[str, int]] = []
        self.revision = 0

    @initialize()
    def connect(self) -> None:
        self.line = Line(self.hub)

    def publish(self, *findings: Any) -> None:
        published = self.names(*findings)
        self.sent = [*self.sent[-20:], *published]
        self.hub.publish(published, self.now_ms)

    @rule(name=ZONES, people=PEOPLE, at=st.integers(0, 3), simulated=st.booleans())
    def zone_changes(self, name: str, people: float | None, at: int, *, simulated: bool) -> None:
        self.publish(zone(name, people, T0 + at, simulated=simulated))

    @rule(length=st.integers(0, 3))
    def queue_changes(self, length: int) -> None:
        self.publish(queue(float(length)))

    @rule(name=st.sampled_from(["e1", "e2"]), state=st.sampled_from(["UNACK", "ACKED", "NORM"]))
    def episode_changes(self, name: str, state: Any) -> None:
        self.revision += 1
        self.events.append((name, self.revision))
        self.publish(episode(name, self.revision, state))

    @rule(index=st.integers(0, 20))
    def something_is_told_again(self, index: int) -> None:
        self.hub.publish(self.sent[index : index + 3], self.now_ms)

    @rule(name=ZONES)
    def zone_is_removed(self, name: str) -> None:
        self.hub.keyed["zones"].remove(name, self.now_ms)

    @rule()
    def ten_minutes_pass(self) -> None:
        self.now_ms += TOMBSTONE_MS + 1
        self.hub.publish([], self.now_ms)

    @rule(channel=CHANNELS, where=WHERE, hz=st.sampled_from([None, 0.5, 20.0]))
    def subscribe(self, channel: str, where: dict[str, Any], hz: float | None) -> None:
        if where != self.wanted.get(channel, where):
            # What was hidden until now is not known: as a page does, start over.
            self.line.screen.seq.pop(channel, None)
        self._subscribe(channel, where, hz)

    def _subscribe(self, channel: str, where: dict[str, Any], hz: float | None) -> None:
        screen = self.line.screen
        epoch = screen.epoch.get(channel, "e1")
        since = {"epoch": epoch, "seq": screen.seq[channel]} if channel in screen.seq else None
        self.line.now += 0.1
        self.line.say(t="sub", ch=channel, where=where, max_hz=hz, since=since)
        self.wanted[channel] = where

    @rule(seconds=st.sampled_from([0.01, 0.6, 2.5]))
    def write(self, seconds: float) -> None:
        self.line.after(seconds)

    @rule()
    def acknowledge(self) -> None:
        self.line.now += 0.1
        self.line.say(t="ok", seq=self.line.screen.seq)

    @rule()
    def come_back(self) -> None:
        """The connection breaks; the page resumes what it had on a new one."""
        screen, now = self.line.screen, self.line.now
        self.line = Line(self.hub, now=now)
        self.line.screen = screen
        for channel, where in list(self.wanted.items()):
            self._subscribe(channel, where, None)

    @rule()
    def the_journal_starts_anew(self) -> None:
        self.hub.reset(f"e{self.now_ms}-{self.revision}-{self.hub.epoch}")
        self.names = Names()
        self.sent = []
        self.events = []
        for channel in self.wanted:
            self.line.screen.events.pop(channel, None)

    @precondition(lambda self: self.line.code is None)
    @invariant()
    def little_is_under_way(self) -> None:
        assert self.line.session._credit.size < UNACKNOWLEDGED_MAX + 16 * 1024
        assert len(self.hub.logs["alerts"].events) <= EVENTS_MAX

    def teardown(self) -> None:
        if self.line.code == 4410:  # cut, as whoever never acknowledges is
            self.come_back()
        self.line.say(t="ok", seq=self.line.screen.seq)
        self.line.after(60.0 if self.line.code else 4.5)  # 0.5 Hz, halved for who lags
        assert self.line.code is None
        for channel, where in self.wanted.items():
            told = self.line.screen.state.get(channel, {})
            if channel in KEYED_CHANNELS:
                assert told == known(self.hub, channel, **{name: tuple(v) for name, v in where.items()})
        assert self.line.session.next_wake(self.line.now) > self.line.now


Interleaving.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestInterleaving = Interleaving.TestCase


@pytest.mark.parametrize("losses", [0, 1, 5])
def test_no_episode_is_lost_or_told_twice_however_often_the_connection_breaks(losses: int) -> None:
    hub, names = Hub(venue(), "e1"), Names()
    line = Line(hub)
    line.say(t="sub", ch="alerts")
    for number in range(600):
        hub.publish(names(episode(f"e{number % 7}", number + 1, "NORM" if number % 3 else "UNACK")), 0)
        if losses and number % (600 // losses) == 50:
            screen, now = line.screen, line.now
            line = Line(hub, now=now)
            line.screen = screen
            line.say(t="sub", ch="alerts", since={"epoch": "e1", "seq": screen.seq["alerts"]})
        if number % 111 == 0:
            line.after(0.06)
            line.say(t="ok", seq=line.screen.seq)
    while line.session.next_wake(line.now) <= line.now:
        line.hear()
    assert [event["alert"]["rev"] for event in line.screen.events["alerts"]] == list(range(1, 601))


def test_a_client_costs_the_same_however_much_it_missed() -> None:
    hub, names = Hub(venue(), "e1"), Names()
    line = Line(hub)
    line.say(t="sub", ch="zones")
    line.say(t="sub", ch="alerts")
    for number in range(20_000):
        hub.publish(names(zone(people=float(number)), episode(f"e{number % 5}", number)), 0)
    (box, log) = line.session._boxes.values()
    assert all(isinstance(value, (int, float, str, type(None))) for value in (box.told, box.due, log.told))
    heard = line.after(1.0)
    assert {m["t"] for m in heard} == {"delta", "snap"}
    assert sum(len(msgspec.json.encode(m)) for m in heard) < 10_000
    assert line.session.next_wake(line.now) < math.inf


def test_a_screen_merges_as_the_protocol_says() -> None:
    screen = Screen()
    screen.hear(b'{"t":"snap","ch":"zones","seq":1,"z":{"a":{"occ":1,"q":"good"},"b":{"occ":2}}}')
    screen.hear(b'{"t":"delta","ch":"zones","from":2,"to":4,"z":{"a":{"occ":null},"b":null}}')
    assert screen.state["zones"] == {"a": {"q": "good"}}

from typing import Any

import pytest

from flowmon.commands import Acknowledge
from flowmon.facts import Acknowledged, Recounted, Shelved
from flowmon.feed.hub import Hub
from flowmon.feed.messages import HELLO_S, KEYED_CHANNELS, LOG_CHANNELS, MESSAGES_PER_S, SUBSCRIPTIONS_MAX
from flowmon.findings import Correction, Rejected
from tests.unit.feed_samples import T0, T0_MS, Line, Names, episode, venue, zone

CHANNELS = (*KEYED_CHANNELS, *LOG_CHANNELS)


@pytest.fixture
def hub() -> Hub:
    return Hub(venue(), "e1")


@pytest.fixture
def names() -> Names:
    return Names()


# -- arriving


def test_a_hello_is_welcomed(hub: Hub) -> None:
    line = Line(hub, role="agent", hello=False)
    (welcome,) = line.say(t="hello", v=1, app={"name": "floor", "ver": "0.4.1"}, lang="fr", unheard_of=1)
    assert welcome["t"] == "welcome"
    assert (welcome["epoch"], welcome["hb_ms"], welcome["mode"]) == ("e1", 2000, "live")
    assert (welcome["at"], welcome["now"]) == (T0_MS, "2027-01-15T08:00:00.000Z")
    assert (welcome["simulated"], welcome["venue"], welcome["rate"]) == (False, "museum", 1.0)
    assert (welcome["role"], welcome["can"]) == ("agent", ["ack", "recount"])


@pytest.mark.parametrize(
    ("role", "can"),
    [("viewer", []), ("manager", ["ack", "shelve", "recount"]), ("admin", ["ack", "shelve", "recount", "change_rule"])],
)
def test_a_welcome_says_what_one_may_do(hub: Hub, role: str, can: list[str]) -> None:
    (welcome,) = Line(hub, role=role).screen.others
    assert welcome["can"] == can


def test_whoever_says_nothing_is_closed_after_ten_seconds(hub: Hub) -> None:
    line = Line(hub, hello=False)
    assert line.session.next_wake(line.now) == line.now + HELLO_S
    line.after(HELLO_S - 0.1)
    assert line.code is None
    line.after(0.1)
    assert line.code == 4408


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("", 4400),
        ("{", 4400),
        ("[]", 4400),
        ("null", 4400),
        ('{"t":7}', 4400),
        ('{"t":"hello"}', 4400),
        ('{"t":"hello","v":"one"}', 4400),
        ('{"t":"sub","ch":"zones"}', 4400),
        ("[" * 5_000, 4400),
        (b'{"t":"hello","v":1}', 4400),
        ('{"t":"hello","v":0}', 4426),
        ('{"t":"hello","v":1,"app":{"ver":"0.0.1"}}', 4426),
        ('{"t":"hello","v":2}', 4406),
        ('{"t":"hello","v":1,"token":"wrong"}', 4401),
    ],
)
def test_a_first_message_that_is_no_good_closes_with_its_code(hub: Hub, said: str | bytes, code: int) -> None:
    line = Line(hub, token="secret", hello=False)
    line.say_raw(said)
    assert line.code == code
    assert line.session.closing is not None
    assert len(line.session.closing.reason.encode()) <= 123
    assert line.say(t="hello", v=1, token="secret") == []
    assert line.session.next_wake(line.now) == 0.0


def test_hello_is_said_once(hub: Hub) -> None:
    line = Line(hub)
    line.say(t="hello", v=1)
    assert line.code == 4400


def test_unknown_types_are_ignored(hub: Hub) -> None:
    line = Line(hub)
    assert line.say(t="dance", id=4) == []
    assert line.code is None


def test_a_flood_is_closed_and_a_page_that_opens_is_not(hub: Hub) -> None:
    line = Line(hub)
    for _ in range(30):
        line.say(t="ok", seq={})
    assert line.code is None
    for _ in range(MESSAGES_PER_S):
        line.say(t="ok", seq={})
    assert line.code == 4429
    steady = Line(hub)
    for _ in range(200):
        steady.after(1 / MESSAGES_PER_S)
        steady.say(t="ok", seq={})
    assert steady.code is None


# -- subscriptions


def test_a_subscription_gets_its_snapshot_then_deltas(hub: Hub, names: Names) -> None:
    hub.publish(names(zone()), 0)
    line = Line(hub)
    (snap,) = line.say(t="sub", id=1, ch="zones", max_hz=2)
    assert (snap["t"], snap["id"], snap["epoch"], snap["seq"]) == ("snap", 1, "e1", 1)
    hub.publish(names(zone(people=12)), 0)
    assert line.hear() == []  # 2 Hz
    (delta,) = line.after(0.5)
    assert (delta["from"], delta["to"], delta["z"]["foyer"]["occ"]) == (2, 2, 12)


@pytest.mark.parametrize(
    ("sub", "code"),
    [
        ({"ch": "weather"}, "unknown_channel"),
        ({"ch": "zones", "venue": "elsewhere"}, "unknown_venue"),
    ],
)
def test_a_subscription_to_nothing_is_answered(hub: Hub, sub: dict[str, Any], code: str) -> None:
    (answer,) = Line(hub).say(t="sub", id=8, **sub)
    assert (answer["t"], answer["id"], answer["ok"], answer["code"]) == ("res", 8, False, code)


def test_unsubscribing_ends_it(hub: Hub, names: Names) -> None:
    line = Line(hub)
    line.say(t="sub", ch="zones")
    (answer,) = line.say(t="unsub", id=2, ch="zones")
    assert answer["ok"]
    hub.publish(names(zone()), 0)
    assert line.after(1.0) == []
    (answer,) = line.say(t="unsub", id=3, ch="zones")
    assert answer["code"] == "not_subscribed"


def test_subscribing_again_replaces(hub: Hub, names: Names) -> None:
    line = Line(hub)
    line.say(t="sub", ch="zones")
    hub.publish(names(zone("foyer"), zone("attic")), 0)
    (snap,) = line.say(t="sub", id=2, ch="zones", where={"floor": ["first"]})
    assert list(snap["z"]) == ["attic"]


def test_a_socket_can_watch_several_venues(names: Names) -> None:
    hubs = [Hub(venue(name), f"e-{name}") for name in ("museum", "annex")]
    line = Line(*hubs)
    hubs[1].publish(Names("annex")(zone()), 0)
    (snap,) = line.say(t="sub", ch="zones", venue="annex")
    assert (snap["venue"], snap["epoch"]) == ("annex", "e-annex")
    (own,) = line.say(t="sub", ch="zones", venue="museum")
    assert "venue" not in own
    (beat,) = line.after(2.0)
    assert beat["seq"] == {"annex/zones": 1, "zones": 0}


def test_subscriptions_are_bounded() -> None:
    hubs = [Hub(venue(f"m{number}"), "e") for number in range(6)]
    line = Line(*hubs)
    answers: list[dict[str, Any]] = []
    for hub in hubs:
        for channel in CHANNELS:
            line.now += 0.06
            answers += line.say(t="sub", ch=channel, venue=hub.venue.id)
    refusals = [answer for answer in answers if answer["t"] == "res"]
    assert len(refusals) == 6 * len(CHANNELS) - SUBSCRIPTIONS_MAX
    assert {answer["code"] for answer in refusals} == {"too_many"}


def test_a_heartbeat_every_two_seconds_says_what_was_told(hub: Hub, names: Names) -> None:
    line = Line(hub)
    line.say(t="sub", ch="zones", max_hz=0.1)
    line.say(t="sub", ch="alerts")
    hub.publish(names(zone(at=T0 - 0.34), episode(at=T0 - 0.34)), 0)
    assert line.session.next_wake(line.now) <= line.now
    line.hear()
    assert line.session.next_wake(line.now) == line.now + 2.0
    (beat,) = line.after(2.0)
    assert beat == {"t": "hb", "at": T0_MS, "seq": {"zones": 0, "alerts": 1}, "lag_ms": 340}
    assert [m["t"] for m in line.after(2.0)] == ["hb"]


def test_a_simulated_venue_says_so_with_every_heartbeat(names: Names) -> None:
    line = Line(Hub(venue(simulated=True), "e1"))
    (beat,) = line.after(2.0)
    assert beat["simulated"] is True
    assert beat["lag_ms"] is None


# -- credit


def test_a_client_that_acknowledges_is_never_behind(hub: Hub, names: Names) -> None:
    line = Line(hub)
    line.say(t="sub", ch="zones")
    for step in range(200):
        hub.publish(names(zone(people=step)), 0)
        line.after(0.5)
        line.say(t="ok", seq=line.screen.seq, seen_ms=20)
    assert line.code is None
    assert line.session.paint_s == 0.02


def test_a_client_that_does_not_is_slowed_then_cut(hub: Hub, names: Names) -> None:
    line = Line(hub)
    line.say(t="sub", ch="zones", max_hz=2)
    deltas = []
    while line.code is None and line.now < 200:
        hub.publish(names(zone(people=line.now)), 0)
        deltas += [line.now for m in line.after(0.1) if m["t"] == "delta"]
    assert line.code == 4410
    assert 29.9 < line.now - 100.0 < 30.3
    early = [at for at in deltas if at < 105.0]
    late = [at for at in deltas if 106.0 < at < 116.0]
    assert 9 <= len(early) <= 11
    assert 9 <= len(late) <= 11  # half the rate


def test_without_credit_nothing_is_sent_and_then_one_delta_says_it_all(hub: Hub, names: Names) -> None:
    line = Line(hub)
    line.say(t="sub", ch="alerts")
    line.say(t="sub", ch="zones")
    line.say(t="ok", seq={"alerts": 0, "zones": 0})
    for number in range(400):
        hub.publish(names(episode(f"e{number}", note="x" * 300), zone(people=number)), 0)
    heard = line.after(1.0)
    assert 64 * 1024 < sum(len(str(m)) for m in heard) < 3 * 64 * 1024
    assert line.after(0.5) == []
    assert [m["t"] for m in line.after(2.0)] == ["hb"]
    while line.screen.seq["alerts"] < 400:
        assert line.say(t="ok", seq=line.screen.seq)
        line.now += 0.5
    line.say(t="ok", seq=line.screen.seq)
    assert [event["alert"]["id"] for event in line.screen.events["alerts"]] == [f"e{n}" for n in range(400)]
    assert line.screen.state["zones"]["foyer"]["occ"] == 399


def test_acknowledging_what_was_never_sent_does_no_harm(hub: Hub) -> None:
    line = Line(hub)
    line.say(t="sub", ch="zones")
    line.say(t="ok", seq={"zones": 10**15, "weather": -4})
    assert line.code is None


# -- commands


def ack(line: Line, number: int = 9, **more: Any) -> list[dict[str, Any]]:
    return line.say(**({"t": "cmd", "do": "ack", "id": number, "alert": "full.1", "rev": 1, "idem": "k1"} | more))


def test_a_command_is_answered_when_the_core_has_spoken(hub: Hub, names: Names) -> None:
    hub.publish(names(episode()), 0)
    line = Line(hub)
    assert ack(line, note="agent sent") == []
    (accepted,) = line.session.take_accepted()
    assert accepted.fact == Acknowledged(
        at=T0, seen=T0, source="user:dupont", episode="full.1", revision=1, by="dupont", command="k1", note="agent sent"
    )
    assert line.session.take_accepted() == []
    hub.publish(names(episode(revision=2, state="ACKED", cause="k1")), 0)
    assert line.hear() == [{"t": "res", "id": 9, "ok": True, "rev": 2}]


def test_the_same_key_gets_the_same_answer_on_any_socket(hub: Hub, names: Names) -> None:
    hub.publish(names(episode()), 0)
    line = Line(hub)
    ack(line)
    hub.publish(names(episode(revision=2, state="ACKED", cause="k1")), 0)
    first = line.hear()
    again = Line(hub)
    assert ack(again) == first  # although the revision has moved on
    assert again.session.take_accepted() == []
    line.session.take_accepted()
    assert ack(line, number=10) == [first[0] | {"id": 10}]
    assert line.session.take_accepted() == []


def test_two_sockets_waiting_for_one_key_write_one_fact(hub: Hub, names: Names) -> None:
    hub.publish(names(episode()), 0)
    one, two = Line(hub), Line(hub)
    ack(one)
    ack(two, number=3)
    assert len(one.session.take_accepted()) == 1
    assert two.session.take_accepted() == []
    hub.publish(names(episode(revision=2, state="ACKED", cause="k1")), 0)
    assert one.hear()[0]["id"] == 9
    assert two.hear()[0]["id"] == 3


def test_a_key_belongs_to_its_command(hub: Hub, names: Names) -> None:
    hub.publish(names(episode()), 0)
    ack(Line(hub))
    (answer,) = ack(Line(hub), note="something else")
    assert answer["code"] == "idem_reused"


def test_the_core_refuses_with_its_own_words(hub: Hub, names: Names) -> None:
    hub.publish(names(episode()), 0)
    line = Line(hub)
    ack(line)
    hub.publish(names(Rejected(at=T0, source="user:dupont", reason="stale_rev: look again", cause="k1")), 0)
    assert line.hear() == [
        {"t": "res", "id": 9, "ok": False, "code": "stale_rev", "reason": "look again", "retry": False}
    ]


def test_silence_of_the_core_is_said_after_five_seconds_and_may_be_tried_again(hub: Hub, names: Names) -> None:
    hub.publish(names(episode()), 0)
    line = Line(hub)
    ack(line)
    line.session.take_accepted()
    heard = line.after(5.0)
    (answer,) = [m for m in heard if m["t"] == "res"]
    assert (answer["ok"], answer["code"], answer["retry"]) == (False, "timeout", True)
    assert ack(line, number=10) == []
    assert len(line.session.take_accepted()) == 1  # the core knows a command twice told
    hub.publish(names(episode(revision=2, state="ACKED", cause="k1")), 0)
    assert line.hear() == [{"t": "res", "id": 10, "ok": True, "rev": 2}]


def test_a_late_answer_is_kept_for_whoever_asks_again(hub: Hub, names: Names) -> None:
    hub.publish(names(episode()), 0)
    line = Line(hub)
    ack(line)
    line.after(5.0)
    hub.publish(names(episode(revision=2, state="ACKED", cause="k1")), 0)
    line.session.take_accepted()
    assert [m["ok"] for m in ack(line, number=10)] == [True]
    assert line.session.take_accepted() == []


def test_whoever_leaves_waits_for_nothing(hub: Hub, names: Names) -> None:
    hub.publish(names(episode()), 0)
    line = Line(hub)
    ack(line)
    line.session.leave()
    hub.publish(names(episode(revision=2, state="ACKED", cause="k1")), 0)
    assert line.hear() == []


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"alert": "full.2"}, "unknown_alert"),
        ({"rev": 7}, "stale_rev"),
        ({"idem": ""}, "bad_request"),
        ({"idem": "x" * 65}, "bad_request"),
        ({"note": "x" * 2001}, "bad_request"),
        ({"rev": "one"}, "bad_request"),
        ({"do": "dance"}, "bad_request"),
        ({"venue": "elsewhere"}, "unknown_venue"),
        ({"do": "shelve", "minutes": 0, "reason": "works"}, "bad_request"),
        ({"do": "shelve", "minutes": 121, "reason": "works"}, "bad_request"),
        ({"do": "shelve", "minutes": 10, "reason": " "}, "bad_request"),
        ({"do": "recount", "zone": "cellar", "people": 3}, "unknown_zone"),
        ({"do": "recount", "zone": "foyer", "people": -1}, "bad_request"),
        ({"do": "recount", "zone": "foyer", "people": 10**9}, "bad_request"),
        ({"do": "change_rule", "rule": "zone-full", "above": 1, "clear": 0.9}, "forbidden"),
    ],
)
def test_a_command_that_makes_no_sense_is_refused_at_once(
    hub: Hub, names: Names, said: dict[str, Any], code: str
) -> None:
    hub.publish(names(episode()), 0)
    line = Line(hub)
    (answer,) = ack(line, **said)
    assert (answer["t"], answer["id"], answer["ok"], answer["code"]) == ("res", 9, False, code)
    assert answer["reason"]
    assert line.session.take_accepted() == []
    assert line.code is None
    assert ("cur" in answer) == (code == "stale_rev")


def test_a_viewer_may_look_only(hub: Hub, names: Names) -> None:
    hub.publish(names(episode()), 0)
    (answer,) = ack(Line(hub, role="viewer"))
    assert answer["code"] == "forbidden"


@pytest.mark.parametrize(("above", "clear", "code"), [(1.0, 1.0, "bad_request"), (1.0, -0.1, "bad_request")])
def test_limits_need_a_band(hub: Hub, above: float, clear: float, code: str) -> None:
    line = Line(hub, role="admin")
    (answer,) = ack(line, do="change_rule", rule="zone-full", above=above, clear=clear)
    assert answer["code"] == code
    (answer,) = ack(line, do="change_rule", rule="nothing", above=1.0, clear=0.5)
    assert answer["code"] == "unknown_rule"
    assert ack(line, do="change_rule", rule="zone-full", above=1.0, clear=0.5) == []


def test_other_commands_become_facts(hub: Hub, names: Names) -> None:
    hub.publish(names(episode()), 0)
    line = Line(hub)
    ack(line, do="shelve", minutes=30, reason="works", idem="k2")
    ack(line, do="recount", zone="foyer", people=42, idem="k3")
    shelved, recounted = [accepted.fact for accepted in line.session.take_accepted()]
    assert isinstance(shelved, Shelved)
    assert shelved.until == T0 + 1800
    assert isinstance(recounted, Recounted)
    assert recounted.people == 42
    hub.publish(
        names(Correction(at=T0, zone="foyer", before=1, after=42, reason="recount", by="dupont", cause="k3")), 0
    )
    assert line.hear() == [{"t": "res", "id": 9, "ok": True}]


def test_too_many_open_commands_are_put_off(hub: Hub) -> None:
    line = Line(hub)
    answers = []
    for number in range(40):
        line.now += 0.06
        answers += ack(line, do="recount", zone="foyer", people=1, idem=f"k{number}", number=number)
    busy = [answer["code"] for answer in answers if answer["t"] == "res"]
    assert busy == ["busy"] * 8


def test_answers_are_remembered_without_end_of_memory(hub: Hub) -> None:
    for number in range(5_000):
        hub.answers.ask(Acknowledge(id=1, idem=f"k{number}", alert="a", rev=1), "dupont", lambda *_: None)
        hub.answers.learn(episode(cause=f"k{number}"))
    assert len(hub.answers._asked) <= 2_000
    assert len(hub.answers._answered) <= 2_000

"""Alerts in Chromium: acknowledged by click and by key, announced, standing still under the pointer."""

import json
import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from tests.screens import museum
from tests.screens.museum import NOW
from tests.screens.stage import FakeFeed, until

Open = Callable[..., Page]
STAR = museum.alert()["id"]


def inbox(visit: Open) -> Page:
    """The inbox once its alerts are there: keys act on what is shown."""
    page = visit("/alerts?lang=en")
    expect(page.locator(f'[data-alert="{STAR}"]')).to_be_visible()
    return page


def confirm(feed: FakeFeed, **fields: Any) -> None:
    """What the core says once it has taken the acknowledgement of the star room's alert."""
    feed.say({"t": "res", "id": feed.commands()[-1]["id"], "ok": True, "rev": 2})
    feed.raise_alert(museum.alert(state="ACKED", rev=2, by="desk", at=NOW + 1_000, **fields))


def test_acknowledge_by_click_and_shown_only_when_confirmed(visit: Open, feed: FakeFeed) -> None:
    page = inbox(visit)
    card = page.locator(f'[data-alert="{STAR}"]')
    card.locator(".ack").click()
    until(page, lambda: bool(feed.commands()), "the command")
    (command,) = feed.commands()
    assert {k: command[k] for k in ("do", "alert", "rev")} == {"do": "ack", "alert": STAR, "rev": 1}
    assert re.fullmatch(r"[0-9a-f]{16}", command["idem"])
    expect(card.locator(".pending")).to_have_text("Waiting for the monitor…")
    expect(card).not_to_have_class(re.compile("s-ACKED"))
    confirm(feed)
    expect(card).to_have_class(re.compile("s-ACKED"))
    expect(card).to_contain_text("taken by desk at 14:03")


def test_acknowledge_by_key_with_and_without_choosing(visit: Open, feed: FakeFeed) -> None:
    page = inbox(visit)
    page.keyboard.press("a")
    until(page, lambda: len(feed.commands()) == 1, "the command")
    assert feed.commands()[0]["alert"] == STAR  # the most urgent one
    confirm(feed)
    expect(page.locator(f'[data-alert="{STAR}"]')).to_have_count(0)
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator('[data-alert="device-silent.ctr-painting-modern.1"]')).to_be_focused()
    page.keyboard.press("A")
    until(page, lambda: len(feed.commands()) == 2, "the second command")
    assert feed.commands()[1]["alert"] == "device-silent.ctr-painting-modern.1"


def test_acknowledge_on_the_floor_screen(visit: Open, feed: FakeFeed) -> None:
    page = visit("/floor?lang=fr", locale="fr-FR")
    page.get_by_role("button", name="Prendre en charge, Star room").click()
    until(page, lambda: bool(feed.commands()), "the command")
    assert feed.commands()[0]["alert"] == STAR


def test_a_note_travels_with_the_acknowledgement(visit: Open, feed: FakeFeed) -> None:
    page = inbox(visit)
    page.keyboard.press("j")
    page.keyboard.press("n")
    field = page.get_by_label("Note with the acknowledgement")
    until(page, lambda: field.evaluate("e => e === document.activeElement"), "focus in the note")
    page.keyboard.type("agent a sent & <b>")  # its letters are no shortcuts
    page.keyboard.press("Enter")
    until(page, lambda: bool(feed.commands()), "the command")
    assert feed.commands()[0]["note"] == "agent a sent & <b>"
    confirm(feed, note="agent a sent & <b>")
    expect(page.locator(f'[data-alert="{STAR}"] .note')).to_have_text("“agent a sent & <b>”")


def test_a_refusal_is_told_in_words(visit: Open, feed: FakeFeed) -> None:
    page = inbox(visit)
    page.keyboard.press("a")
    until(page, lambda: bool(feed.commands()), "the command")
    feed.say(
        {"t": "res", "id": feed.commands()[0]["id"], "ok": False, "code": "stale_rev", "reason": "", "retry": False}
    )
    expect(page.locator(f'[data-alert="{STAR}"] .refused')).to_contain_text("the alert has changed meanwhile")


def test_a_viewer_sees_no_button(visit: Open, feed: FakeFeed) -> None:
    feed.can = []
    page = inbox(visit)
    expect(page.locator(f'[data-alert="{STAR}"]')).to_contain_text("may look, not acknowledge")
    expect(page.locator(".ack")).to_have_count(0)
    page.keyboard.press("a")
    page.keyboard.press("1")
    expect(page.locator(f'.attention [data-alert="{STAR}"]')).to_be_visible()
    expect(page.locator(".ack")).to_have_count(0)
    page.keyboard.press("a")
    page.locator('.plan [data-zone="star-room"]').press("Enter")
    expect(page.locator(".room h2")).to_have_text("Star room")
    expect(page.locator(".recount")).to_have_count(0)
    page.clock.run_for(500)
    assert feed.commands() == []


def test_the_list_stands_still_under_the_pointer(visit: Open, feed: FakeFeed) -> None:
    page = inbox(visit)
    first = page.locator(".inbox [data-alert]").first
    first.hover()
    page.clock.run_for(100)
    feed.raise_alert(museum.alert(id="new.1", subject="cafe", raised=NOW - 999_000))
    feed.raise_alert(museum.alert(id="new.2", subject="shop", raised=NOW - 998_000))
    expect(page.locator(".fresh")).to_have_text(re.compile(r"2 new"))
    expect(first).to_have_attribute("data-alert", STAR)
    page.locator(".fresh").click()
    expect(page.locator(".inbox [data-alert]").first).to_have_attribute("data-alert", "new.1")
    page.mouse.move(0, 0)
    expect(page.locator(".fresh")).to_have_count(0)


def test_new_alerts_are_announced_grouped_and_old_ones_are_not(visit: Open, feed: FakeFeed) -> None:
    page = visit("/queues?lang=en")
    feed.beat()
    page.clock.run_for(600)
    speech = page.locator("#speech")
    assert speech.text_content() == ""
    feed.raise_alert(museum.alert(id="new.1", subject="cafe", raised=NOW))
    expect(speech).to_have_text("New alert, critical: Cafe, 52 people, limit 50")
    feed.raise_alert(museum.alert(id="new.2", subject="shop", raised=NOW))
    page.clock.run_for(1_000)
    expect(speech).to_contain_text("Cafe")  # at most one announcement in ten seconds
    feed.beat()
    page.clock.run_for(10_000)
    expect(speech).to_have_text("New alert, critical: Shop, 52 people, limit 50")


def test_live_regions_are_there_from_the_start(visit: Open, feed: FakeFeed) -> None:
    page = visit("/alerts?tab=history&lang=en")
    assert page.locator('[role="alert"]').count() == 1
    expect(page.locator("#feed-status")).to_have_text("The feed is live.")
    expect(page.locator("#inbox")).to_have_attribute("role", "log")


def test_odd_alerts_are_drawn_as_text(visit: Open, feed: FakeFeed) -> None:
    feed.raise_alert(
        museum.alert(id='odd"]\\', subject="no-such-room", text="never_heard_of", rule="<b>rule</b>", unit="lux")
    )
    page = inbox(visit)
    expect(page.locator(".inbox")).to_contain_text("<b>rule</b>: 52.0 lux, limit 50.0 lux")
    page.keyboard.press("j")
    feed.say({"t": "ev", "ch": "alerts", "seq": 99, "alert": json.loads('{"id": "bare", "rev": 1, "state": "UNACK"}')})
    page.get_by_role("button", name="1 new").click()
    expect(page.locator('[data-alert="bare"]')).to_be_attached()

"""The screens in Chromium, on a feed that says what the test wants. The page's clock is in the test's hands."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.screens import museum
from tests.screens.museum import NOW
from tests.screens.stage import FakeFeed, until

Open = Callable[..., Page]
ZONES = museum.venue()["zones"]


def numbers(page: Page) -> list[str]:
    """Every number that claims to say how things are."""
    return page.locator(".zone-number, .zone-range, .figure .number, .kpi-list dd, .interval").all_text_contents()


def test_floor_draws_every_zone_with_number_interval_and_label(visit: Open, feed: FakeFeed) -> None:
    page = visit("/floor?floor=all&lang=en")
    feed.beat()
    for name, zone in ZONES.items():
        room = page.locator(f'.plan [data-zone="{name}"]')
        told = feed.channels["zones"][name]
        label = room.get_attribute("aria-label") or ""
        assert label.startswith(zone["name"])
        assert f"{told['occ']} people, between {told['lo']} and {told['hi']}, capacity {told['cap']}" in label
        expect(room.locator(".zone-number")).to_contain_text(str(told["occ"]))
    star = page.locator('.plan [data-zone="star-room"]').get_attribute("aria-label") or ""
    assert "over capacity" in star
    assert "critical alert, not taken" in star
    expect(page.locator(".alarm.critical .badge.critical")).to_have_count(1)


def test_a_change_reaches_the_plan_and_credit_goes_back(visit: Open, feed: FakeFeed) -> None:
    page = visit("/floor")
    feed.change("zones", {"shop": {"occ": 77, "lo": 75, "hi": 79}})
    expect(page.locator('.plan [data-zone="shop"] .zone-number')).to_have_text("77")
    feed.change("zones", {"shop": {"occ": 78}})

    def credited() -> bool:
        return any(m["t"] == "ok" and m["seq"].get("zones") == feed.seq["zones"] for m in feed.heard)

    until(page, credited, "credit for the last delta")


@pytest.mark.parametrize(
    "path", ["/floor?floor=all", "/floor?room=star-room", "/floor?view=table&floor=all", "/queues"]
)
def test_numbers_are_withdrawn_after_ten_seconds_of_silence(visit: Open, feed: FakeFeed, path: str) -> None:
    page = visit(path + ("&" if "?" in path else "?") + "lang=en")
    feed.beat()
    page.clock.run_for(600)
    assert any(re.search(r"\d", text) for text in numbers(page))
    feed.refuses = True
    page.clock.run_for(5_500)
    expect(page.locator(".chip")).to_have_class(re.compile("stale"))
    page.clock.run_for(5_000)
    expect(page.locator(".chip")).to_have_class(re.compile("offline"))
    left = [text for text in numbers(page) if re.search(r"\d", text.replace("of 700", ""))]
    assert left == []
    if "table" in path:
        cells = page.locator("tbody td:nth-child(2), tbody td:nth-child(3), tbody td:nth-child(6)").all_inner_texts()
        assert set(cells) == {"—"}
    expect(page.locator(".banner.bad")).to_contain_text("Numbers are withdrawn")


def test_after_a_loss_the_page_is_fresh_without_a_reload(visit: Open, feed: FakeFeed) -> None:
    page = visit("/floor")
    expect(page.locator('.plan [data-zone="shop"] .zone-number')).to_have_text("31")
    feed.drop()
    page.clock.run_for(12_000)
    expect(page.locator('.plan [data-zone="shop"] .zone-number')).to_have_text("—")
    feed.refuses = False
    feed.epoch = "another"
    feed.channels["zones"]["shop"]["occ"] = 12
    shop = page.locator('.plan [data-zone="shop"] .zone-number')
    # By then the page waits up to ten seconds between two attempts.
    until(page, lambda: shop.text_content() == "12", "the new number", within_s=11)
    expect(page.locator(".chip")).to_have_class(re.compile("live"))
    again = [m for m in feed.heard if m["t"] == "sub" and m["ch"] == "zones"][-1]
    assert again["since"] == {"epoch": "k7Qp", "seq": 10}


def test_a_silent_monitor_behind_a_living_feed_withdraws_the_numbers(visit: Open, feed: FakeFeed) -> None:
    page = visit("/floor?lang=en")
    feed.say({"t": "hb", "at": NOW + 30_000, "seq": feed.seq, "lag_ms": 30_000})
    expect(page.locator(".banner.bad")).to_contain_text("its monitor has been silent")
    expect(page.locator('.plan [data-zone="shop"] .zone-number')).to_have_text("—")


def test_arrow_keys_walk_through_doors_and_enter_opens_a_room(visit: Open, feed: FakeFeed) -> None:
    page = visit("/floor?lang=en")
    page.locator('.plan [data-zone="antiquity"]').focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator('.plan [data-zone="star-room"]')).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    expect(page.locator('.plan [data-zone="shop"]')).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".room h2")).to_have_text("Shop")
    assert "room=shop" in page.url
    expect(page.locator('.plan [data-zone="shop"]')).to_be_focused()


def test_a_recount_is_sent(visit: Open, feed: FakeFeed) -> None:
    page = visit("/floor?room=shop&lang=en")
    page.get_by_label("I counted").fill("33")
    page.get_by_role("button", name="Correct the number").click()
    until(page, lambda: bool(feed.commands()), "the command")
    assert {k: feed.commands()[0][k] for k in ("do", "zone", "people")} == {
        "do": "recount",
        "zone": "shop",
        "people": 33,
    }


def test_frozen_display_says_so_and_lets_nobody_act(visit: Open, feed: FakeFeed) -> None:
    page = visit("/floor?lang=en")
    feed.beat()
    page.keyboard.press("f")
    expect(page.locator(".chip")).to_have_class(re.compile("frozen"))
    feed.change("zones", {"shop": {"occ": 83}})
    feed.raise_alert(museum.alert(id="new.1", subject="cafe", raised=NOW))
    expect(page.locator(".banner.frozen")).to_contain_text("1 new alert since")
    expect(page.locator('.plan [data-zone="shop"] .zone-number')).to_have_text("31")
    expect(page.locator(".ack").first).to_be_disabled()
    page.keyboard.press("f")
    expect(page.locator('.plan [data-zone="shop"] .zone-number')).to_have_text("83")


def test_the_simulated_mark_is_everywhere_and_sticks(visit: Open, feed: FakeFeed) -> None:
    for path in ("/floor?kiosk=1", "/queues?kiosk=1&freeze=1", "/alerts"):
        page = visit(path)
        expect(page.locator(".simulated")).to_be_visible()
        assert page.title().startswith("[SIMULATED]")


def test_one_simulated_number_marks_the_screen(visit: Open, feed: FakeFeed) -> None:
    feed.simulated = False
    page = visit("/floor")
    expect(page.locator(".simulated")).to_have_count(0)
    feed.change("zones", {"shop": {"occ": 5, "sim": True}})
    expect(page.locator(".simulated")).to_be_visible()


def test_replay_is_never_taken_for_live(visit: Open, feed: FakeFeed) -> None:
    page = visit("/floor?lang=en")
    feed.say({"t": "clock", "mode": "replay", "t2": NOW, "rate": 8, "state": "playing"})
    expect(page.locator(".banner.replay")).to_have_text("REPLAY – NOT LIVE")
    expect(page.locator(".chip")).to_have_class(re.compile("replay"))


def test_keys_switch_screens_and_can_be_turned_off(visit: Open, feed: FakeFeed) -> None:
    page = visit("/floor?lang=en")
    page.keyboard.press("2")
    expect(page.locator('[data-queue="entrance"]')).to_be_visible()
    assert "/queues" in page.url
    page.go_back()
    expect(page.locator(".plan")).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.get_by_label("Single-letter shortcuts").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("3")
    page.clock.run_for(300)
    assert "/floor" in page.url


def test_language_and_theme_live_in_the_address(visit: Open, feed: FakeFeed) -> None:
    page = visit("/floor", locale="fr-FR", color_scheme="light")
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    page.get_by_role("button", name="EN", exact=True).click()
    page.get_by_role("button", name="Theme, Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert "lang=en" in page.url
    assert "theme=dark" in page.url
    page.reload()
    expect(page.locator(".kpi-main h2")).to_have_text("In the building")


def test_loading_and_missing_pages_are_told_in_words(visit: Open, feed: FakeFeed) -> None:
    feed.channels = {name: {} for name in feed.channels}
    page = visit("/floor?lang=en")
    expect(page.locator('.plan [data-zone="shop"]')).to_have_attribute("aria-label", re.compile("no data yet"))
    expect(page.locator(".attention")).to_contain_text("Nothing needs attention")
    page = visit("/alerts?lang=fr")
    expect(page.locator(".inbox")).to_contain_text("Toutes les alertes ont été prises")

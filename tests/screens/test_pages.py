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
    shown = (
        ".zone-number, .zone-range, .zone-origin, .figure .number, .kpi-list dd, .interval, .why td, .expected-number"
    )
    return page.locator(shown).all_text_contents()


def test_floor_draws_every_zone_with_number_interval_and_label(visit: Open, feed: FakeFeed) -> None:
    page = visit("/floor?floor=all&lang=en")
    feed.beat()
    for name, zone in ZONES.items():
        room = page.locator(f'.plan [data-zone="{name}"]')
        told = feed.channels["zones"][name]
        expect(room.locator(".zone-number")).to_contain_text(str(told["occ"]))
        label = room.get_attribute("aria-label") or ""
        assert label.startswith(zone["name"])
        assert f"{told['occ']} people, between {told['lo']} and {told['hi']}, " in label
        assert f"capacity {told['cap']}" in label
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


def test_every_room_of_the_floor_says_value_interval_method_and_age(visit: Open, feed: FakeFeed) -> None:
    page = visit("/floor?floor=all&lang=en", viewport={"width": 1920, "height": 1080})
    feed.beat()
    page.clock.run_for(600)
    for name in ZONES:
        room, told = page.locator(f'.plan [data-zone="{name}"]'), feed.channels["zones"][name]
        shown = " ".join(room.locator("text").all_text_contents())
        for part in (str(told["occ"]), f"{told['lo']}–{told['hi']}", "in − out" if name == "cloakroom" else "model"):
            assert part in shown, (name, part, shown)
        assert "4 h 23" in shown, (name, shown)
        assert "certain 4 h 23 ago" in (room.get_attribute("aria-label") or "")
    feed.change("zones", {"shop": {"occ": None, "lvl": "unknown"}})
    shop = page.locator('.plan [data-zone="shop"]')
    expect(shop.locator(".zone-number")).to_have_text("—")
    assert shop.locator(".zone-origin").count() == 0


def test_the_room_says_why_its_number_is_what_it_is(visit: Open, feed: FakeFeed) -> None:
    page = visit("/floor?room=star-room&lang=en")
    feed.beat()
    page.clock.run_for(600)
    told = feed.channels["why"]["star-room"]
    why = page.locator(".why")
    rows = why.locator("tbody td").all_inner_texts()
    assert sum(float(text.replace("−", "-")) for text in rows) == pytest.approx(told["v"], abs=0.1 * len(rows))
    expect(why).to_contain_text("in 206 counted × 1.02 = 210")
    expect(why.locator("tfoot")).to_contain_text("58.0")
    expect(why.locator("tfoot")).to_contain_text("of counters, beacons, the empty night")
    expect(why.locator(".fixes li")).to_have_count(2)
    expect(why.locator(".fixes li").first).to_contain_text("55.0 → 57.4 · a certain number next door")
    feed.seq["audit"] += 1
    line = feed.audit[1] | {"at": NOW, "reason": "recount", "by": "ines", "note": "twice"}
    feed.say({"t": "ev", "ch": "audit", "seq": feed.seq["audit"], "audit": line})
    expect(why.locator(".fixes li").first).to_contain_text("somebody counted · ines")
    expect(page.locator(".unwell-list")).to_contain_text("loses one in five of those who go in")
    expect(page.locator(".unwell-list")).to_contain_text("its clock is off by 41 s")
    feed.change("why", {"star-room": {"v": -1.2}})
    expect(why.locator("tfoot")).to_contain_text("0.0")
    expect(why).to_contain_text("fewer than nobody is shown as nobody")


def test_a_base_ends_the_corrections_of_before(visit: Open, feed: FakeFeed) -> None:
    page = visit("/floor?room=star-room&lang=fr")
    expect(page.locator(".fixes li")).to_have_count(2)
    feed.change("why", {"star-room": {"by": "recount", "t": NOW - 300_000}})
    expect(page.locator(".fixes li")).to_have_count(1)
    expect(page.locator(".why")).to_contain_text("Quelqu’un a compté")


def test_the_room_shows_what_is_expected_while_it_is_worth_something(visit: Open, feed: FakeFeed) -> None:
    page = visit("/floor?room=star-room&lang=en")
    feed.beat()
    expect(page.locator(".expected li")).to_have_count(3)
    first = page.locator(".expected li").first
    for part in ("in 15 min", "58", "52–65", "model", "full: 35%"):
        expect(first).to_contain_text(part)
    feed.beat(NOW + 16 * 60_000)
    expect(page.locator(".expected")).to_have_count(0)


def test_where_to_count_next_leads_to_its_form(visit: Open, feed: FakeFeed) -> None:
    page = visit("/floor?room=star-room&lang=en", viewport={"width": 360, "height": 740})
    page.get_by_role("button", name="Sculpture", exact=True).click()
    expect(page.locator(".room h2")).to_have_text("Sculpture")
    expect(page.locator(".count-here")).to_contain_text("Count here next")
    page.get_by_role("button", name="I counted this room").click()
    field = page.get_by_label("I counted", exact=True)
    expect(field).to_be_focused()
    expect(field).to_be_in_viewport()
    for target in (field, page.get_by_role("button", name="Correct the number")):
        box = target.bounding_box()
        assert box is not None
        assert box["height"] >= 44
    field.fill("41")
    page.get_by_role("button", name="Correct the number").click()
    until(page, lambda: bool(feed.commands()), "the command")
    assert (feed.commands()[0]["zone"], feed.commands()[0]["people"]) == ("sculpture", 41)


def test_a_queue_says_its_method_and_what_the_sign_may_promise(visit: Open, feed: FakeFeed) -> None:
    page = visit("/queues?lang=en")
    feed.beat()
    entrance = page.locator('[data-queue="entrance"]')
    expect(entrance.locator(".queue-method")).to_have_text("Method · learned from waits")
    expect(entrance).to_contain_text("30 min")
    feed.change("queues", {"entrance": {"m": "a-new-one", "sign": None}})
    expect(entrance.locator(".queue-method")).to_have_text("Method · a-new-one")


def test_the_sensors_screen_shows_how_much_is_refused_and_why(visit: Open, feed: FakeFeed) -> None:
    page = visit("/sensors?lang=en")
    feed.beat()
    line = page.locator(".refusals")
    expect(line).to_have_text("Messages refused: 0 of 1,284 in the last minute")
    expect(line).to_have_class(re.compile("none"))
    reason = "31 of 1290 messages refused in the last minute: topic of no route; see flowmon rejects"
    refused = {"msgs": 1290, "rej": 31, "worst": "topic of no route", "health": "suspect", "reason": reason}
    feed.change("sensors", {"gateway": refused})
    expect(line).to_have_text("Messages refused: 31 of 1,290 in the last minute, most because: topic of no route")
    expect(line).not_to_have_class(re.compile("none"))
    expect(page.locator('[data-device="gateway"]')).to_contain_text("see flowmon rejects")
    feed.change("sensors", {"gateway": {"health": "silent"}})
    expect(line).to_contain_text("the gateway is silent")


def test_the_sensors_screen_lists_trouble_first_in_words_and_signs(visit: Open, feed: FakeFeed) -> None:
    page = visit("/floor?lang=en")
    feed.beat()
    page.keyboard.press("4")
    rows = page.locator("tr[data-device]")
    expect(rows).to_have_count(len(feed.channels["sensors"]))
    expect(rows.nth(0)).to_have_attribute("data-device", "ctr-painting-modern")
    expect(rows.nth(0)).to_contain_text("nothing heard for 400 s")
    expect(rows.nth(1)).to_have_attribute("data-device", "ctr-antiquity-star")
    signs = page.locator(".device-state path").evaluate_all(
        "found => found.slice(0, 3).map((e) => e.getAttribute('d'))"
    )
    assert len(set(signs)) == 3
    states = page.locator(".device-state").all_inner_texts()[:3]
    assert states == ["silent", "suspect", "good"]
    feed.refuses = True
    page.clock.run_for(11_000)
    expect(page.locator(".device-state")).to_have_count(0)
    expect(page.locator(".refusals")).to_have_text("Unknown while the feed is silent.")


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

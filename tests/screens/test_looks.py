"""How the screens look, measured: contrast, targets, overflow at every size, motion, forced colours."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.screens.stage import FakeFeed

Open = Callable[..., Page]
CONTRAST = (Path(__file__).parent / "contrast.js").read_text()

SIZES = {"phone": (360, 740), "tablet": (820, 1180), "desk": (1280, 800), "wall": (1920, 1080)}


PATHS = [
    "/floor",
    "/floor?view=table",
    "/floor?room=star-room&floor=upper",
    "/queues",
    "/alerts",
    "/alerts?tab=history",
    "/sensors",
]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("lang", ["fr", "en"])
def test_nothing_runs_out_of_the_window(visit: Open, feed: FakeFeed, size: str, lang: str) -> None:
    width, height = SIZES[size]
    page = visit(f"/floor?lang={lang}", viewport={"width": width, "height": height})
    for path in PATHS:
        page.goto(page.url.split("/floor")[0].split("/queues")[0].split("/alerts")[0].split("/sensors")[0] + path)
        page.wait_for_selector("main > *")
        page.clock.run_for(100)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_scale_for_a_distance_keeps_the_layout_whole(visit: Open, feed: FakeFeed) -> None:
    page = visit("/queues?dist=5&kiosk=1&lang=fr", viewport={"width": 1920, "height": 1080})
    page.clock.run_for(300)
    size = page.locator(".queue-wait .number").first.evaluate("e => parseFloat(getComputedStyle(e).fontSize)")
    assert size >= 66  # twenty minutes of arc at five metres
    assert page.evaluate("document.documentElement.scrollWidth") <= 1920
    expect(page.locator(".simulated")).to_be_visible()


@pytest.mark.parametrize("path", ["/floor?kiosk", "/floor?kiosk&dist=4&floor=all", "/floor?kiosk&dist=5"])
def test_a_wall_shows_the_plan_and_what_needs_attention_without_scrolling(
    visit: Open, feed: FakeFeed, path: str
) -> None:
    page = visit(path, viewport={"width": 1920, "height": 1080})
    page.clock.run_for(600)
    for part in (".plan", ".attention .alert-card", ".kpi-number", ".simulated"):
        box = page.locator(part).first.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 1080, part


def test_the_floor_buttons_of_a_phone_stand_in_one_row(visit: Open, feed: FakeFeed) -> None:
    page = visit("/floor?lang=fr", viewport={"width": 360, "height": 740})
    page.clock.run_for(300)
    floors, views = page.locator(".plan-head > .segmented").all()
    first, second = floors.bounding_box(), views.bounding_box()
    assert first is not None
    assert second is not None
    assert abs(first["y"] - second["y"]) < 4
    assert second["x"] + second["width"] <= 360
    expect(page.get_by_role("button", name="Tableau")).to_be_visible()


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize(
    "path",
    ["/floor?floor=all&room=star-room", "/floor?view=table", "/queues", "/alerts", "/sensors", "/floor?freeze=1"],
)
def test_every_text_has_contrast_also_in_the_plan(visit: Open, feed: FakeFeed, theme: str, path: str) -> None:
    page = visit(f"{path}{'&' if '?' in path else '?'}theme={theme}", reduced_motion="reduce")
    feed.beat()
    page.clock.run_for(600)
    for _ in ("live", "late", "gone"):
        found = page.evaluate(CONTRAST)
        assert len(found) > 20
        assert [f for f in found if f["ratio"] < f["least"] - 0.005] == []
        page.clock.run_for(6_000)


def test_targets_are_large_enough(visit: Open, feed: FakeFeed) -> None:
    page = visit("/alerts", viewport={"width": 360, "height": 740})
    page.clock.run_for(300)
    small = page.evaluate(
        """() => [...document.querySelectorAll("button, a[href], input")]
            .filter((e) => e.checkVisibility() && !e.closest(".skip"))
            .map((e) => [e.textContent.trim(), e.getBoundingClientRect()])
            .filter(([, r]) => r.width && (r.width < 24 || r.height < 24))
            .map(([text]) => text)"""
    )
    assert small == []
    box = page.locator(".ack").first.bounding_box()
    assert box is not None
    assert box["height"] >= 44


def test_motion_stops_for_those_who_ask(visit: Open, feed: FakeFeed) -> None:
    page = visit("/floor", reduced_motion="reduce")
    line = page.locator(".alarm.unacked .alarm-line").first
    assert line.evaluate("e => getComputedStyle(e).animationName") == "none"
    assert line.evaluate("e => getComputedStyle(e).strokeDasharray") != "none"


def test_forced_colours_keep_rooms_and_alarms_apart(visit: Open, feed: FakeFeed) -> None:
    page = visit("/floor", forced_colors="active")
    shape = page.locator('.plan [data-zone="shop"] .zone-shape')
    assert shape.evaluate("e => getComputedStyle(e).stroke") != shape.evaluate("e => getComputedStyle(e).fill")
    expect(page.locator(".alarm.critical")).to_have_count(1)

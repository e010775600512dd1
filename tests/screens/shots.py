"""Pictures of every screen, to look at: `python -m tests.screens.shots FOLDER [NAME…]`."""

import math
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.screens.museum import NOW
from tests.screens.stage import FakeFeed, chromium, opened, site

SIZES = {"phone": (360, 740), "tablet": (820, 1180), "desk": (1280, 800), "wall": (1920, 1080)}
SHOTS: list[tuple[str, str, str, str, str]] = [
    # name, path, size, theme, language
    ("floor-desk-dark", "/floor", "desk", "dark", "fr"),
    ("floor-desk-light", "/floor", "desk", "light", "en"),
    ("floor-upper-desk-light", "/floor?floor=upper", "desk", "light", "fr"),
    ("floor-all-wall-dark", "/floor?floor=all", "wall", "dark", "fr"),
    ("floor-wall-light", "/floor?scale=1.4&kiosk", "wall", "light", "fr"),
    ("floor-phone-dark", "/floor", "phone", "dark", "fr"),
    ("floor-phone-light", "/floor?floor=upper", "phone", "light", "en"),
    ("floor-tablet-dark", "/floor?room=star-room", "tablet", "dark", "en"),
    ("room-desk-dark", "/floor?room=star-room", "desk", "dark", "fr"),
    ("room-phone-light", "/floor?room=sculpture", "phone", "light", "fr"),
    ("table-desk-light", "/floor?view=table&floor=all", "desk", "light", "fr"),
    ("table-phone-dark", "/floor?view=table", "phone", "dark", "en"),
    ("queues-desk-dark", "/queues", "desk", "dark", "en"),
    ("queues-wall-light", "/queues?dist=5", "wall", "light", "fr"),
    ("queues-phone-light", "/queues", "phone", "light", "fr"),
    ("sensors-desk-dark", "/sensors", "desk", "dark", "en"),
    ("sensors-phone-light", "/sensors", "phone", "light", "fr"),
    ("alerts-desk-dark", "/alerts", "desk", "dark", "fr"),
    ("alerts-desk-light", "/alerts?tab=active", "desk", "light", "en"),
    ("alerts-phone-dark", "/alerts", "phone", "dark", "fr"),
    ("gone-desk-dark", "/floor", "desk", "dark", "fr"),
    ("late-desk-light", "/floor", "desk", "light", "en"),
    ("frozen-desk-dark", "/floor?freeze", "desk", "dark", "en"),
    ("help-desk-light", "/alerts", "desk", "light", "fr"),
    ("help-phone-dark", "/alerts", "phone", "dark", "en"),
]


def _history(feed: FakeFeed) -> None:
    """Half an hour of queues and a room filling up, so that curves have something to show."""
    for i in range(170):
        at = NOW - (170 - i) * 10_000
        x = i / 170
        wait = 420 + 980 * x * x + 70 * math.sin(i / 9) + 25 * math.sin(i / 2.3)
        feed.change(
            "queues",
            {
                "entrance": {"p50": wait, "p90": wait * 1.3, "at": at},
                "tickets": {"p50": 260 - 30 * x, "p90": 380 - 40 * x, "at": at},
            },
        )
        if i % 2 == 0:
            occ = 20 + 34 * x + 4 * math.sin(i / 8)
            feed.change("zones", {"star-room": {"occ": occ, "lo": occ - 4, "hi": occ + 4, "at": at}})
    feed.change("queues", feed.channels["queues"])
    feed.change("zones", feed.channels["zones"])


def _pose(page: Page, feed: FakeFeed, name: str) -> None:
    feed.beat()
    if name.startswith("gone"):
        feed.drop()
        page.clock.run_for(14_000)
    elif name.startswith("late"):
        page.clock.run_for(7_000)
    elif name.startswith("help"):
        page.keyboard.press("?")
    page.clock.run_for(600)


def main(folder: str, *names: str) -> None:
    """Take the pictures."""
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    with site() as served, chromium() as browser:
        for name, path, size, theme, lang in SHOTS:
            if names and name not in names:
                continue
            width, height = SIZES[size]
            feed = FakeFeed()
            for entries in (feed.channels["zones"], feed.channels["queues"]):
                for one in entries.values():
                    one["at"] = one["at"] - 3_600_000
            context: dict[str, Any] = {
                "viewport": {"width": width, "height": height},
                "color_scheme": theme,
                "locale": {"fr": "fr-FR", "en": "en-GB"}[lang],
            }
            with opened(browser, served, path, feed, **context) as page:
                page.clock.run_for(200)
                for entries in (feed.channels["zones"], feed.channels["queues"]):
                    for one in entries.values():
                        one["at"] = one["at"] + 3_600_000
                _history(feed)
                page.clock.run_for(300)
                _pose(page, feed, name)
                page.wait_for_timeout(0)
                page.screenshot(path=out / f"{name}.png", full_page=size in {"phone", "tablet"})
                print(out / f"{name}.png")


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Chromium on the whole chain: MQTT, gateway, Kafka, Faust worker, PostgreSQL, feed, and three people at screens.

A simulated crowd passes a room's limit. Who sees it takes it over, by click and by key, and everybody else sees that.
The feed is killed: no screen keeps a number. It comes back: the numbers are fresh, and no page was loaded again.
"""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from deploy.services import Services, free_port
from deploy.stack import Process, Stack

pytestmark = pytest.mark.integration

CHROMIUM = Path("/usr/bin/chromium")
QUIET = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-gpu",
    "--host-resolver-rules=MAP elsewhere.test 127.0.0.1",  # a screen that is not at the machine itself
]
PATIENCE_MS = 20_000
# Ten seconds without proof of life, half a second to the next paint, and what two busy cores add.
WITHDRAWN_S = 13.0
NUMBERS = ".zone-number, .zone-range, .figure .number, .kpi-list dd, .interval, .alert-sentence, .load"
REFUSED = re.compile(r"WebSocket connection to '\S+' failed")

VENUE = """
id = "screens"
name = "Small Museum"
timezone = "Europe/Paris"
[floors.ground]
name = "Ground floor"
outline = [[0, 0], [20, 0], [20, 10], [0, 10]]
[zones.hall]
name = "Hall"
floor = "ground"
capacity = 1000
outline = [[0, 0], [10, 0], [10, 10], [0, 10]]
[zones.cabinet]
name = "Cabinet"
floor = "ground"
capacity = 5
outline = [[10, 0], [20, 0], [20, 10], [10, 10]]
[portals.gate]
between = ["outside", "hall"]
[portals.door]
between = ["hall", "cabinet"]
[counters.ctr-gate]
portal = "gate"
towards = "hall"
[counters.ctr-door]
portal = "door"
towards = "cabinet"
[queues.desk]
name = "Desk"
zone = "hall"
desks = 1
[rules.full]
watches = "zone"
only = ["cabinet"]
severity = "critical"
hold_s = 0
clear_hold_s = 0
"""


class Crowd:
    """Simulated people at the venue's two counters; returns when the broker has confirmed them."""

    def __init__(self, url: str) -> None:
        host, _, port = url.removeprefix("mqtt://").partition(":")
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="test-crowd", protocol=mqtt.MQTTv5)
        self._client.connect(host, int(port))
        self._client.loop_start()
        self._number = 0

    def arrive(self, people: int) -> None:
        """From outside into the hall."""
        self._cross("ctr-gate", people, 0)

    def gather(self, people: int) -> None:
        """From the hall into the cabinet."""
        self._cross("ctr-door", people, 0)

    def disperse(self, people: int) -> None:
        """From the cabinet back into the hall."""
        self._cross("ctr-door", 0, people)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _cross(self, device: str, forward: int, backward: int) -> None:
        self._number += 1
        body = {
            "at": time.time(),  # noqa: TID251 -- the devices' own clock
            "seq": self._number,
            "kind": "event",
            "forward": forward,
            "backward": backward,
            "simulated": True,
        }
        self._client.publish(f"flowmon/v1/screens/{device}/count", json.dumps(body), qos=1).wait_for_publish(20)


@pytest.fixture
def stack(services: Services, tmp_path: Path) -> Iterator[Stack]:
    path = tmp_path / "screens.toml"
    path.write_text(VENUE)
    running = Stack(services, tmp_path / "logs", [path], app="screens")
    try:
        running.start()
        yield running
    finally:
        running.close()


@pytest.fixture
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip("Chromium is not installed: run `make test`, which installs it")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=str(CHROMIUM), args=QUIET)
        try:
            yield running
        finally:
            running.close()


class Person:
    """Somebody at a screen of their own, and everything their browser complained of or asked a stranger for."""

    def __init__(self, browser: Browser, home: str, path: str, locale: str) -> None:
        self.complaints: list[str] = []
        self.strangers: list[str] = []
        self._context: BrowserContext = browser.new_context(locale=locale, viewport={"width": 1280, "height": 800})
        self._home = home
        self.page: Page = self._context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self._context.on("request", lambda request: self._asked(request.url))
        self.page.on("websocket", lambda socket: self._asked(socket.url.replace("ws://", "http://")))
        self.page.goto(home + path)
        self.page.evaluate("window.opened = 'once'")

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.text} ({message.location['url']})")

    def _asked(self, url: str) -> None:
        if not url.startswith(self._home + "/"):
            self.strangers.append(url)

    def sees(self, selector: str, text: str | re.Pattern[str]) -> None:
        """Wait until the first element of a selector says something."""
        expect(self.page.locator(selector).first).to_contain_text(text, timeout=PATIENCE_MS)

    def counts(self, zone: str, number: str) -> None:
        """Wait until the plan shows a number in a zone, measured or estimated."""
        shown = self.page.locator(f'.plan [data-zone="{zone}"] .zone-number')
        expect(shown).to_have_text(re.compile(f"^≈?{number}$"), timeout=PATIENCE_MS)

    def numbers(self) -> list[str]:
        """What the screen says of now, without the limits, which are no measurements."""
        said = self.page.locator(NUMBERS).all_text_contents()
        return [re.sub(r"(limit|limite) \d+", "", text) for text in said]

    def alert(self, state: str) -> None:
        """Wait until the inbox has a card of an alert in some state."""
        expect(self.page.locator(f".inbox .alert-card.s-{state}")).to_have_count(1, timeout=PATIENCE_MS)

    def close(self) -> None:
        self._context.close()


def viewers(stack: Stack, folder: Path) -> tuple[Process, str]:
    """A second feed of the same chain that is told of no simulation: guests there may look and not touch."""
    port = free_port()
    environment = stack.environment | {"FLOWMON_FEED_PORT": str(port), "FLOWMON_SIMULATED": "0"}
    return Process("feed-2", stack.feed.command, environment, folder / "feed-2.log"), f"http://elsewhere.test:{port}"


def test_a_crowd_an_acknowledgement_and_a_dead_feed_on_real_screens(
    services: Services, stack: Stack, browser: Browser, tmp_path: Path
) -> None:
    with ExitStack() as ending:
        second, elsewhere = viewers(stack, tmp_path)
        ending.callback(second.stop)
        second.start()

        def person(home: str, path: str, locale: str) -> Person:
            opened = Person(browser, home, path, locale)
            ending.callback(opened.close)
            return opened

        crowd = Crowd(services.mqtt_url)
        ending.callback(crowd.close)
        crowd.arrive(40)
        claire = person(stack.url, "/floor", "fr-FR")
        emma = person(stack.url, "/alerts?tab=active", "en-GB")
        claire.counts("hall", "40")
        claire.sees(".simulated", "SIMULATION")
        emma.sees(".simulated", "SIMULATED")
        emma.sees(".inbox", "No alert is active")

        _taken_by_click(crowd, claire, emma)
        _guest_looks_and_cannot_touch(lambda: person(elsewhere, "/alerts?tab=active", "en-GB"))
        _taken_by_key(crowd, claire, emma)
        assert (claire.complaints, emma.complaints) == ([], [])
        _withdrawn(stack, claire, emma)
        _fresh_again(stack, crowd, claire, emma)


def _taken_by_click(crowd: Crowd, claire: Person, emma: Person) -> None:
    crowd.gather(9)
    claire.sees('.attention .alert-card.critical.s-UNACK[aria-label*="Cabinet"]', "9 personnes, limite 5")
    claire.counts("cabinet", "9")
    expect(claire.page.locator(".alarm.critical.unacked")).to_have_count(1)
    emma.alert("UNACK")
    emma.sees(".inbox .alert-card", "9 people, limit 5")
    claire.page.get_by_role("button", name="Prendre en charge, Cabinet").click()
    claire.sees(".attention .alert-card.s-ACKED", "prise par")
    expect(claire.page.locator(".alarm.critical.acked")).to_have_count(1)
    expect(claire.page.locator(".attention .ack")).to_have_count(0)
    emma.alert("ACKED")
    emma.sees(".inbox .alert-card.s-ACKED", "taken by demo")
    expect(emma.page.locator(".inbox .ack")).to_have_count(0)


def _guest_looks_and_cannot_touch(arrive: Callable[[], Person]) -> None:
    guest = arrive()
    guest.alert("ACKED")
    guest.sees(".simulated", "SIMULATED")  # the numbers themselves are marked
    for key in ("1", "3"):
        guest.page.keyboard.press(key)
        expect(guest.page.locator(".ack, .note-form, .recount")).to_have_count(0)
    assert (guest.complaints, guest.strangers) == ([], [])


def _taken_by_key(crowd: Crowd, claire: Person, emma: Person) -> None:
    crowd.disperse(9)
    claire.counts("cabinet", "0")
    expect(claire.page.locator(".attention .alert-card")).to_have_count(0, timeout=PATIENCE_MS)
    emma.sees(".inbox", "No alert is active")
    crowd.gather(7)
    claire.sees(".attention .alert-card.s-UNACK", "7 personnes, limite 5")
    emma.alert("UNACK")
    emma.page.keyboard.press("a")
    emma.alert("ACKED")
    claire.sees(".attention .alert-card.s-ACKED", "prise par")


def _withdrawn(stack: Stack, claire: Person, emma: Person) -> None:
    """The feed dies: floor, queues and alerts keep no number."""
    stack.feed.kill()
    killed = time.monotonic()
    claire.counts("cabinet", "—")
    assert time.monotonic() - killed < WITHDRAWN_S
    claire.sees(".banner.bad", "Les nombres sont retirés")
    for key, shown in (("1", ".plan"), ("2", "[data-queue]"), ("3", ".inbox")):
        for one in (claire, emma):
            one.page.keyboard.press(key)
            expect(one.page.locator(shown).first).to_be_visible()
            expect(one.page.locator(".chip.offline")).to_be_visible()
            assert [text for text in one.numbers() if re.search(r"\d", text)] == []


def _fresh_again(stack: Stack, crowd: Crowd, claire: Person, emma: Person) -> None:
    """The feed is back: the pages that were open show what happened meanwhile, and were not loaded again."""
    crowd.gather(2)
    claire.page.keyboard.press("1")
    stack.feed.start()
    claire.counts("cabinet", "9")
    claire.sees(".kpi-number", "40")
    emma.sees(".inbox", "9 people, limit 5")
    crowd.gather(1)
    claire.counts("cabinet", "10")
    for one in (claire, emma):
        expect(one.page.locator(".chip.live")).to_be_visible(timeout=PATIENCE_MS)
        assert one.page.evaluate("window.opened") == "once"
        assert [text for text in one.complaints if not REFUSED.search(text)] == []
        assert one.strangers == []
        expect(one.page.locator(".simulated")).to_be_visible()

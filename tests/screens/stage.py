"""A stage for the screens: the real files behind the real policy, a feed that says what a test wants, and Chromium."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, WebSocketRoute, sync_playwright

from flowmon.feed.assets import Assets, load
from flowmon.feed.messages import SUBPROTOCOL
from tests.screens import museum
from tests.screens.museum import NOW, Fields

CHROMIUM = "/usr/bin/chromium"
QUIET = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--metrics-recording-only",
    "--disable-gpu",
]


class Site:
    """The screens' files on a free port, with the policy the feed serves them with."""

    def __init__(self, assets: Assets, venue: Fields) -> None:
        class Pages(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = urlsplit(self.path).path
                asset = assets.find(path)
                if path == "/api/venue":
                    self._answer(200, json.dumps(venue).encode(), "application/json")
                elif asset is None:
                    self._answer(404, b"nothing here", "text/plain")
                else:
                    self._answer(200, asset.body, asset.content_type)

            def _answer(self, status: int, body: bytes, content_type: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Content-Security-Policy", assets.policy)
                self.send_header("X-Content-Type-Options", "nosniff")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class FakeFeed:
    """Answers a page's socket as a feed does; what the page sends is kept in `heard`.

    at: the feed's clock, ms. channels: what each snapshot holds. Nothing is sent unless a test says so (`beat`, `say`).
    """

    def __init__(self, *, at: int = NOW, simulated: bool = True) -> None:
        self.at = at
        self.simulated = simulated
        self.channels: dict[str, dict[str, Fields]] = {
            "zones": museum.zones(at),
            "kpi": museum.building(at),
            "queues": museum.queues(at),
            "sensors": museum.sensors(at),
            "alerts": museum.alerts(),
            "why": museum.reasons(at),
            "forecast": museum.forecasts(at),
        }
        self.audit = museum.corrections(at)
        self.can = ["ack", "recount", "shelve"]
        self.heard: list[Fields] = []
        self.subprotocols: list[str] = []
        self.seq: dict[str, int] = dict.fromkeys([*self.channels, "audit"], 10)
        self.epoch = "k7Qp"
        self.refuses = False
        self._sockets: list[WebSocketRoute] = []

    def connect(self, route: WebSocketRoute) -> None:
        """Take a page's socket (for `page.route_web_socket`)."""
        if self.refuses:
            route.close(code=1013)
            return
        self._sockets.append(route)
        route.on_message(lambda text: self._hear(route, json.loads(text)))

    def _hear(self, route: WebSocketRoute, said: Fields) -> None:
        self.heard.append(said)
        if said["t"] == "hello":
            head = {"t": "welcome", "sid": "c-1", "epoch": self.epoch, "now": self.at, "hb_ms": 2000, "mode": "live"}
            route.send(json.dumps(head | {"rate": 1.0, "simulated": self.simulated, "can": self.can}))
        elif said["t"] == "sub":
            ch = said["ch"]
            if ch == "audit" and said.get("last"):
                for number, line in enumerate(self.audit, self.seq[ch] - len(self.audit) + 1):
                    route.send(json.dumps({"t": "ev", "ch": ch, "seq": number, "audit": line}))
            snap = {"t": "snap", "id": said["id"], "ch": ch, "epoch": self.epoch, "seq": self.seq[ch], "at": self.at}
            route.send(json.dumps(snap | {"z": self.channels.get(ch, {})}))

    def say(self, message: Fields) -> None:
        """Send a message to every page."""
        for socket in self._sockets:
            socket.send(json.dumps(message))

    def beat(self, at: int | None = None) -> None:
        """Proof of life."""
        self.at = self.at if at is None else at
        self.say({"t": "hb", "at": self.at, "seq": self.seq, "lag_ms": 300})

    def change(self, ch: str, z: dict[str, Any]) -> None:
        """A delta of one step."""
        self.seq[ch] += 1
        self.say({"t": "delta", "ch": ch, "from": self.seq[ch], "to": self.seq[ch], "at": self.at, "z": z})

    def raise_alert(self, alert: Fields) -> None:
        """An alert, or a change of one."""
        self.seq["alerts"] += 1
        self.channels["alerts"][alert["id"]] = alert
        self.say({"t": "ev", "ch": "alerts", "seq": self.seq["alerts"], "alert": alert})

    def drop(self) -> None:
        """The feed is gone: sockets close, new ones are turned away."""
        self.refuses = True
        sockets, self._sockets = self._sockets, []
        for socket in sockets:
            socket.close(code=1001)

    def commands(self) -> list[Fields]:
        """The commands heard so far."""
        return [said for said in self.heard if said["t"] == "cmd"]


@contextmanager
def site() -> Iterator[Site]:
    """The screens, served."""
    served = Site(load(), museum.venue())
    try:
        yield served
    finally:
        served.close()


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(
    browser: Browser, site: Site, path: str, feed: FakeFeed, complaints: list[str] | None = None, **context: Any
) -> Iterator[Page]:
    """A page on the stage, its clock in the test's hands, from NOW on. What the console says goes to `complaints`."""
    options = {"locale": "en-GB", "color_scheme": "dark", "viewport": {"width": 1280, "height": 800}} | context
    held = browser.new_context(**options)
    page = held.new_page()
    page.clock.install(time=NOW / 1000)
    if complaints is not None:
        page.on("console", lambda m: complaints.append(m.text) if m.type in {"error", "warning"} else None)
        page.on("pageerror", lambda e: complaints.append(str(e)))
        page.on("request", lambda r: None if r.url.startswith(site.url) else complaints.append(f"asks {r.url}"))
    page.route_web_socket("**/feed", feed.connect)
    try:
        page.goto(site.url + path)
        page.wait_for_selector("main > *")
        yield page
    finally:
        held.close()


def until(page: Page, happened: Callable[[], bool], what: str, within_s: int = 5) -> None:
    """Let the page's own clock run until something has happened; fails after so many seconds of it."""
    for _ in range(within_s * 10):
        if happened():
            return
        page.clock.run_for(100)
    raise AssertionError(f"not seen within {within_s} seconds: {what}")


__all__ = ["SUBPROTOCOL", "FakeFeed", "Site", "chromium", "opened", "site", "until"]

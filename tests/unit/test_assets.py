import gzip
from http import HTTPStatus
from pathlib import Path

import msgspec
import pytest

from flowmon.errors import FlowmonError
from flowmon.feed import access
from flowmon.feed.assets import PAGES, Assets, load
from flowmon.feed.hub import Hub
from flowmon.feed.pages import Pages, Request
from tests.unit.feed_samples import Names, episode, queue, venue, zone

INDEX = b'<!doctype html><script type="importmap">{"imports":{}}</script><script type="module" src="/js/a.js"></script>'


@pytest.fixture
def files() -> dict[str, bytes]:
    return {"/index.html": INDEX, "/js/a.js": b"let a = 1;\n" * 200, "/secret.py": b"x", "/icon.png": bytes(range(256))}


class Site:
    """Pages over two hubs, asked like a browser would."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.hubs = {name: Hub(venue(name), f"e-{name}") for name in ("museum", "annex")}
        self.ready = True
        self.pages = Pages(self.hubs, Assets(files), "live", lambda: (self.ready, {"ready": self.ready}))

    def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        answer = self.pages.answer(Request(path, {name.replace("_", "-"): value for name, value in headers.items()}))
        return answer.status.value, answer.headers, answer.body


@pytest.fixture
def site(files: dict[str, bytes]) -> Site:
    return Site(files)


def test_every_screen_is_the_one_page(site: Site) -> None:
    assert {site.get(page)[2] for page in PAGES} == {INDEX}
    assert site.get("/floor?theme=dark")[2] == INDEX


@pytest.mark.parametrize(
    "path", ["/nothing", "/../settings.py", "/js/../../hub.py", "/secret.py", "/js/", "//x", "/%00"]
)
def test_nothing_else_is_there(site: Site, path: str) -> None:
    status, headers, body = site.get(path)
    assert status == 404
    assert b"screens are at /" in body
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_types_and_headers(site: Site) -> None:
    for path, kind in {"/": "text/html; charset=utf-8", "/js/a.js": "text/javascript; charset=utf-8"}.items():
        _, headers, body = site.get(path)
        assert headers["Content-Type"] == kind
        assert headers["Content-Length"] == str(len(body))
        assert headers["Cache-Control"] == "no-cache"
        assert not [name for name in headers if name.lower().startswith("access-control")]


def test_the_policy_lets_in_nothing_but_this_host_and_the_import_map(site: Site) -> None:
    policy = site.get("/")[1]["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self' 'sha256-")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


def test_files_are_compressed_for_whoever_can(site: Site) -> None:
    _, plain, body = site.get("/js/a.js")
    _, zipped, small = site.get("/js/a.js", accept_encoding="br, gzip;q=0.8")
    assert gzip.decompress(small) == body
    assert zipped["Content-Encoding"] == "gzip"
    assert zipped["ETag"] != plain["ETag"]
    assert plain["Vary"] == zipped["Vary"] == "Accept-Encoding"
    assert "Content-Encoding" not in site.get("/js/a.js", accept_encoding="gzip;q=0, br")[1]
    assert "Content-Encoding" not in site.get("/icon.png", accept_encoding="gzip")[1]


def test_whoever_has_it_gets_304(site: Site) -> None:
    etag = site.get("/js/a.js")[1]["ETag"]
    for held in (etag, f"W/{etag}", f'"x", {etag}', "*"):
        status, headers, body = site.get("/js/a.js", if_none_match=held)
        assert (status, body, headers["ETag"]) == (304, b"", etag)
    assert site.get("/js/a.js", if_none_match='"x"')[0] == 200


def test_screens_that_are_missing_are_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(FlowmonError, match="install flowmon again"):
        load(tmp_path)


def test_files_are_read_from_a_folder(tmp_path: Path) -> None:
    (tmp_path / "js").mkdir()
    (tmp_path / "index.html").write_bytes(INDEX)
    (tmp_path / "js" / "a.js").write_bytes(b"1")
    found = load(tmp_path).find("/js/a.js")
    assert found is not None
    assert found.body == b"1"


def test_the_state_document_has_the_feeds_own_keys(site: Site) -> None:
    hub, names = site.hubs["museum"], Names()
    hub.publish(names(zone(), queue(), episode("a"), episode("b")), 5)
    hub.publish(names(episode("b", revision=2, state="NORM")), 7)
    status, headers, body = site.get("/api/state")
    document = msgspec.json.decode(body)
    assert status == 200
    assert (document["epoch"], document["at"], document["mode"], document["simulated"]) == (
        "e-museum",
        7,
        "live",
        False,
    )
    assert document["zones"] == hub.snapshot("zones")
    assert document["queues"] == hub.snapshot("queues")
    assert [alert["id"] for alert in document["alerts"]] == ["a"]
    assert document["seq"] == {
        "zones": 1,
        "queues": 1,
        "sensors": 0,
        "forecast": 0,
        "kpi": 0,
        "why": 0,
        "alerts": 3,
        "audit": 0,
    }
    assert site.get("/api/state", if_none_match=headers["ETag"])[0] == 304
    hub.publish(names(zone(people=11)), 8)
    assert site.get("/api/state", if_none_match=headers["ETag"])[0] == 200


def test_the_venue_document_is_what_is_needed_to_draw(site: Site) -> None:
    document = msgspec.json.decode(site.get("/api/venue")[2])
    assert (document["id"], document["timezone"], document["simulated"]) == ("museum", "Europe/Paris", False)
    assert document["zones"]["foyer"] == {
        "floor": "ground",
        "capacity": 100,
        "outline": [[0, 0], [10, 0], [10, 10], [0, 10]],
        "name": "Foyer",
        "profile": "gallery",
    }
    assert document["zones"]["hall"]["name"] == "hall"
    assert document["floors"]["first"]["order"] == 1
    assert document["portals"]["arch"]["between"] == ["foyer", "hall"]
    assert document["queues"]["tickets"] == {"name": "tickets", "zone": "foyer", "desks": 2}
    assert document["receivers"]["rx-1"] == {"zone": "hall", "at": [1, 1]}
    assert document["rules"]["zone-full"]["severity"] == "critical"


def test_a_venue_that_turns_out_to_be_simulated_says_so(site: Site) -> None:
    site.hubs["museum"].publish(Names()(zone(simulated=True)), 0)
    assert msgspec.json.decode(site.get("/api/venue")[2])["simulated"] is True


def test_documents_of_another_venue(site: Site) -> None:
    assert msgspec.json.decode(site.get("/api/state?venue=annex")[2])["epoch"] == "e-annex"
    assert site.get("/api/state?venue=moon")[0] == 404


def test_no_numbers_before_they_are_loaded(site: Site) -> None:
    site.ready = False
    assert site.get("/api/state")[0] == 503
    assert site.get("/healthz")[0] == 503
    assert site.get("/")[0] == 200
    site.ready = True
    assert site.get("/healthz")[0] == 200


def test_metrics_are_served(site: Site) -> None:
    status, headers, body = site.get("/metrics")
    assert status == HTTPStatus.OK
    assert headers["Content-Type"].startswith("text/plain")
    assert b"flowmon_feed_clients" in body


@pytest.mark.parametrize(
    ("origin", "host", "same"),
    [
        (None, "museum:8080", True),
        ("http://museum:8080", "museum:8080", True),
        ("http://MUSEUM:8080", "museum:8080", True),
        ("http://museum", "museum", True),
        ("http://museum:80", "museum", True),
        ("https://museum", "museum", True),
        ("https://museum", "museum:443", True),
        ("http://[::1]:8080", "[::1]:8080", True),
        ("http://museum:8081", "museum:8080", False),
        ("http://museum.evil", "museum", False),
        ("http://evil", "museum", False),
        ("null", "museum", False),
        ("", "museum", False),
        ("http://museum:x", "museum", False),
    ],
)
def test_only_pages_of_this_host_may_connect(origin: str | None, host: str, *, same: bool) -> None:
    assert access.same_origin(origin, host) is same


@pytest.mark.parametrize(
    ("peer", "host", "forwarded", "local"),
    [
        ("127.0.0.1", "localhost:8080", False, True),
        ("::1", "[::1]:8080", False, True),
        ("127.0.0.1", "127.0.0.1", False, True),
        ("127.0.0.1", "evil.example", False, False),
        ("127.0.0.1", "localhost", True, False),
        ("192.168.1.9", "localhost", False, False),
        ("", "localhost", False, False),
    ],
)
def test_who_is_at_the_machine(peer: str, host: str, *, forwarded: bool, local: bool) -> None:
    assert access.is_local(peer, host, forwarded=forwarded) is local


@pytest.mark.parametrize(
    ("token", "expected", "local", "demo", "role"),
    [
        ("", "", True, False, "manager"),
        ("", "", False, False, "viewer"),
        ("", "", False, True, "manager"),
        ("", "s3cret", True, False, "viewer"),
        ("s3cret", "s3cret", False, False, "manager"),
        ("wrong", "s3cret", True, True, None),
        ("any", "", False, False, "viewer"),
    ],
)
def test_who_is_who(token: str, expected: str, *, local: bool, demo: bool, role: str | None) -> None:
    who = access.identify(token, expected=expected, local=local, demo=demo)
    assert (who.role if who else None) == role

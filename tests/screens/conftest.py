"""One browser and one server for all tests of the screens."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.screens.stage import CHROMIUM, FakeFeed, Site, chromium, opened, site

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium of the system; ended with its module, as its event loop would be in the way of others."""
    if not Path(CHROMIUM).exists():
        pytest.skip("Chromium is not installed: run `make test`, which installs it")
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def served() -> Iterator[Site]:
    """The screens' files."""
    with site() as running:
        yield running


@pytest.fixture
def feed() -> FakeFeed:
    """A feed that says what the test wants."""
    return FakeFeed()


@pytest.fixture
def visit(browser: Browser, served: Site, feed: FakeFeed) -> Iterator[Open]:
    """Open a page: `visit("/floor?lang=fr", viewport=…)`. Its console must stay empty, its requests at home."""
    complaints: list[str] = []
    with ExitStack() as stack:

        def visit_page(path: str, **context: Any) -> Page:
            held: AbstractContextManager[Page] = opened(browser, served, path, feed, complaints=complaints, **context)
            return stack.enter_context(held)

        yield partial(visit_page)
    assert complaints == []

"""A real browser on pages as people have them: two widths, two colour schemes, and what went wrong.

``open_page`` opens a page and watches it. With ``SCREENSHOTS=FOLDER`` in the environment the pages
are kept as pictures. Where there is no Chromium, or Playwright is not installed, these tests are
skipped.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WIDTHS = {"phone": 390, "desktop": 1280}
# Each width and each scheme once; the other two crossings are the long form.
LOOKS = [
    ("phone", "dark"),
    ("desktop", "light"),
    pytest.param("phone", "light", marks=pytest.mark.long),
    pytest.param("desktop", "dark", marks=pytest.mark.long),
]
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_PATIENCE_MS = 20_000


@dataclass
class Watched:
    """A page with what it did wrong: console errors, and requests to other hosts than its own."""

    page: Page
    errors: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    def accessibility_faults(self) -> list[str]:
        """What axe finds serious or critical, each with the markup that it is about."""
        # Run in the page's own world, which a security policy of the page's does not bar.
        self.page.evaluate(_axe())
        return list(self.page.evaluate(_FAULTS))

    def keep(self, name: str) -> None:
        """A screenshot in the folder that the variable SCREENSHOTS names, for whoever wants one."""
        folder = os.environ.get("SCREENSHOTS")
        if folder:
            self.page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)

    def is_wider_than_its_window(self) -> bool:
        """Whether one would have to scroll sideways."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, started once."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        pytest.skip("no Chromium found; name one in the environment variable CHROMIUM")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(_OPTIONS))
        yield started
        started.close()


# What is fine would be by far the most of what axe finds, and is not written down nor sent here.
# Styles are read as the page has them: asked for once more, a folder does not answer.
_FAULTS = """
axe.run({resultTypes: ["violations"], preload: false}).then(found => found.violations
  .filter(each => ["serious", "critical"].includes(each.impact))
  .map(each => `${each.impact}: ${each.id}: ${each.nodes[0].html.slice(0, 200)}`))
"""


OpenPage = Callable[..., Watched]


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Open an address at a width and in a scheme: ``open_page(url, "phone", "dark")``."""
    contexts: list[Any] = []

    def make(url: str, width: str = "desktop", scheme: str = "light", **options: Any) -> Watched:
        context = browser.new_context(
            viewport={"width": WIDTHS[width], "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
            reduced_motion="reduce",
            **options,
        )
        context.set_default_timeout(_PATIENCE_MS)
        contexts.append(context)
        watched = Watched(context.new_page())
        own = urlsplit(url).netloc

        def on_request(request: Any) -> None:
            target = urlsplit(request.url)
            if target.scheme not in ("data", "blob") and target.netloc != own:
                watched.elsewhere.append(request.url)

        def on_console(message: Any) -> None:
            if message.type in ("error", "warning"):
                watched.errors.append(message.text)

        watched.page.on("request", on_request)
        watched.page.on("console", on_console)
        watched.page.on("pageerror", lambda error: watched.errors.append(str(error)))
        watched.page.goto(url)
        return watched

    yield make
    for context in contexts:
        context.close()


@cache
def _axe() -> str:
    pytest.importorskip("axe_playwright_python", reason="axe is not installed")
    return (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")

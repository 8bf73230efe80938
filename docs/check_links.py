"""Whether each link of the built site leads somewhere, without the network.

    python docs/check_links.py docs/_build/html

A link inside the site has to name a file that is there, and a part of it that has that name. What a
page loads has to be of the site: scripts, styles and pictures of other hosts are faults too.
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {("link", "href"), ("script", "src"), ("img", "src"), ("source", "src")}


class _Page(HTMLParser):
    """What a page points at, what it loads, and the names of its parts."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.loaded: list[str] = []
        self.parts: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what one element adds."""
        given = dict(attrs)
        for key in ("id", "name"):
            if given.get(key):
                self.parts.add(str(given[key]))
        for key in ("href", "src"):
            if given.get(key):
                self.targets.append(str(given[key]))
                if (tag, key) in LOADED:
                    self.loaded.append(str(given[key]))


def _read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def faults(site: Path) -> list[str]:
    """Each dead link of the pages in a folder, and each thing that is loaded from elsewhere."""
    found: list[str] = []
    pages = {path.resolve(): _read(path) for path in sorted(site.rglob("*.html"))}
    if not pages:
        return [f"no page in {site}"]
    for path, page in pages.items():
        here = path.relative_to(site.resolve())
        found += [f"{here}: loads {each}" for each in page.loaded if urlsplit(each).netloc]
        for each in dict.fromkeys(page.targets):
            parts = urlsplit(each)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file():
                found.append(f"{here}: no file {each}")
                continue
            other = pages.get(target)
            if other and parts.fragment and unquote(parts.fragment) not in other.parts:
                found.append(f"{here}: no part {each}")
    return found


if __name__ == "__main__":
    wrong = faults(Path(sys.argv[1]))
    sys.stderr.write("".join(f"{each}\n" for each in wrong))
    sys.exit(1 if wrong else 0)

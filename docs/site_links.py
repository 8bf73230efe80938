"""Links between documents: relative files in the repository, pages on the site.

The documents are read in two places. In the repository a link names a file beside it; on the site
what is no page is told by its place in the repository instead.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
MADE = DOCS / "_made"

BESIDE = {
    "README.md": ("readme", "What it is"),
    "CHANGELOG.md": ("changelog", None),
    "ARCHITECTURE.md": ("architecture", None),
    "CONTRIBUTING.md": ("contributing", None),
    "SECURITY.md": ("security", None),
    "action/README.md": ("action", None),
    "examples/README.md": ("examples", None),
    "examples/deployment/README.md": ("deployment", None),
    "benchmarks/README.md": ("measurements", None),
}
"""Documents that lie elsewhere: the name of the page that each is, and a heading of its own."""

_LINK = re.compile(r"(!?)\[([^\]\[]*)\]\((?!https?:|mailto:|#)([^)#\s]+)(#[^)\s]*)?\)")


def page_of(path: Path) -> Path | None:
    """The source of the page that shows this file, or None if there is none."""
    if path.is_relative_to(DOCS):
        return path
    beside = BESIDE.get(path.relative_to(ROOT).as_posix()) if path.is_relative_to(ROOT) else None
    return MADE / f"{beside[0]}.md" if beside else None


def relinked(text: str, file: Path, page: Path) -> str:
    """A document's text with the links that its page on the site needs.

    A link to what is not there is left, so that Sphinx says so.
    """

    def moved(match: re.Match[str]) -> str:
        image, words, place, part = match[1], match[2], match[3], match[4] or ""
        target = Path(os.path.normpath(file.parent / place))
        shown = page_of(target)
        if not target.exists():
            return match[0]
        if shown is None:
            inside = target.relative_to(ROOT).as_posix()
            plain = words.strip("`")
            return f"`{inside}`" if plain.rstrip("/") == inside else f"{plain} (`{inside}`)"
        return f"{image}[{words}]({os.path.relpath(shown, page.parent)}{part})"

    return _LINK.sub(moved, text)


def write_beside() -> None:
    """The documents that lie elsewhere, as pages."""
    for place, (name, heading) in BESIDE.items():
        file, page = ROOT / place, MADE / f"{name}.md"
        text = relinked(file.read_text(encoding="utf-8"), file, page)
        if heading is not None:
            text = re.sub(r"\A# .*$", f"# {heading}", text, count=1, flags=re.MULTILINE)
        write(page, text)


def write(page: Path, text: str) -> None:
    """Write a page only if it says something else now: Sphinx then reads the changed ones alone."""
    if not page.exists() or page.read_text(encoding="utf-8") != text:
        page.write_text(text, encoding="utf-8")

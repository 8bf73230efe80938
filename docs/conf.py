"""How `make docs` builds the site: the repository's Markdown, docstrings, and --help.

What a command makes is made here, at each build: the commands' own help, and the figures. None of
it is in the repository.
"""

from __future__ import annotations

import sys
from importlib.metadata import version as installed
from importlib.util import find_spec
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

project = "unsilent"
author = copyright = "The unsilent authors"
release = version = installed("unsilent")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_heading_anchors = 4
# Two hyphens before an option are two.
smartquotes = False

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
# Signatures say `Path` and `MonitoringPlan`, not where these are from.
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
autodoc_mock_imports = [name for name in ("nvflare",) if find_spec(name) is None]
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = f"unsilent {version}"
html_show_sphinx = False
html_copy_source = False
html_static_path = ["static"]
html_css_files = ["site.css"]
# Nothing is fetched from anywhere, and the search is a script of the site: it works from a folder.


def _read(app: Any, name: str, source: list[str]) -> None:
    from site_links import DOCS, MADE, relinked

    file = DOCS / f"{name}.md"
    # What was made here has its links already.
    if not file.is_relative_to(MADE):
        source[0] = relinked(source[0], file, file)


def _made(app: Any) -> None:
    from made import write_commands, write_figures
    from site_links import MADE, write_beside

    MADE.mkdir(exist_ok=True)
    write_beside()
    write_commands(MADE / "commands.md")
    write_figures(MADE)


_FOR_ALL = {
    # What scrolls sideways has to be reached by keyboard, and a heading has to have its level.
    "<pre>": '<pre tabindex="0">',
    '<div class="table-wrapper': '<div tabindex="0" class="table-wrapper',
    '<p class="caption" role="heading">': '<p class="caption" role="heading" aria-level="2">',
}


def _finished(app: Any, error: Exception | None) -> None:
    """Mend what the theme leaves to be mended for those who read by keyboard or by ear."""
    if error is None and app.builder.format == "html":
        for page in Path(app.outdir).rglob("*.html"):
            text = page.read_text(encoding="utf-8")
            for found, better in _FOR_ALL.items():
                text = text.replace(found, better)
            page.write_text(text, encoding="utf-8")


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("builder-inited", _made)
    app.connect("source-read", _read)
    app.connect("build-finished", _finished)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

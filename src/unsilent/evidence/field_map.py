"""Where the parts of a pack belong in what regulators and standards ask for.

A map of evidence, never a claim of compliance: what a text asks for is in our words, and each entry
is to be checked against the current text.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

DISCLAIMER = (
    "A map of evidence, not a claim of compliance. What each text asks for is put in our own words "
    "and may have changed: check the current text."
)


@cache
def field_map() -> dict[str, Any]:
    """Framework, reference, what it is about, and the files and fields that bear on it."""
    text = (files("unsilent.evidence") / "field_map.toml").read_text(encoding="utf-8")
    return {"disclaimer": DISCLAIMER, "entries": tomllib.loads(text)["entry"]}


def field_map_words() -> str:
    """The map as Markdown."""
    rows = "\n".join(
        f"| {e['framework']} | {e['reference']} | {e['about']} | {', '.join(e['evidence'])} |"
        for e in field_map()["entries"]
    )
    return (
        f"{DISCLAIMER}\n\n"
        "| text | place | what it is about, check the current text | in this pack |\n"
        f"| --- | --- | --- | --- |\n{rows}\n"
    )

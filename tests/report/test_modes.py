"""The modes' pages in the documentation are what the taxonomy says."""

from pathlib import Path

import pytest

from unsilent.report.modes import mode_pages
from unsilent.taxonomy import CODES, INFLUENCES, by_code

PAGES = Path(__file__).parents[2] / "docs" / "modes"


@pytest.mark.parametrize("code", CODES)
def test_the_page_in_the_documentation_is_current(code: str) -> None:
    written = (PAGES / f"{code}.md").read_text(encoding="utf-8")
    assert written == mode_pages()[code], "run `unsilent modes --write docs/modes`"


@pytest.mark.parametrize("code", CODES)
def test_a_page_is_one_paragraph_that_names_every_arrow(code: str) -> None:
    title, paragraph = mode_pages()[code].strip().split("\n\n")
    assert title == f"# {code}: {by_code(code).title}"
    others = {i.target for i in INFLUENCES if i.source == code}
    others |= {i.source for i in INFLUENCES if i.target == code}
    named = {other for other in CODES if other in paragraph}
    assert named == others | {code}

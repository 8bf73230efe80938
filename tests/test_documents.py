"""What the documents at the top name is there, so that nobody is sent to a file that is not."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAMED = re.compile(
    r"`((?:tests|examples|src|bench|benchmarks|docs|engines|client|server)/[\w./-]*)`"
)
LINKED = re.compile(r"\]\((?!https?:|#)([^)#]+)")
PLACES = (ROOT, ROOT / "src" / "unsilent")


@pytest.mark.parametrize(
    "name", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"]
)
def test_every_path_that_a_document_names_is_there(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    named = {*NAMED.findall(text), *LINKED.findall(text)}
    assert named
    missing = [each for each in named if not any((at / each).exists() for at in PLACES)]
    assert not missing


def test_the_readme_names_every_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for_its_makers = {"dev", "docs"}
    named = {each for each in project["optional-dependencies"] if f"`{each}`" in readme}
    assert named == set(project["optional-dependencies"]) - for_its_makers

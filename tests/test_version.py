"""One version in every place that names it."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_both_distributions_and_the_citation_have_one_version() -> None:
    core = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    bench = tomllib.loads((ROOT / "bench" / "pyproject.toml").read_text())["project"]
    version = core["version"]
    assert bench["version"] == version
    assert f"unsilent=={version}" in bench["dependencies"]
    assert core["optional-dependencies"]["bench"] == [f"unsilent-bench=={version}"]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"\n## {version}\n" in (ROOT / "CHANGELOG.md").read_text()

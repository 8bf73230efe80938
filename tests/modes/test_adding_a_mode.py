"""The example that the documentation follows is a whole mode, and the documentation names all."""

from __future__ import annotations

import re
import tomllib
from importlib.util import module_from_spec, spec_from_file_location

import pytest

from tests.modes.installing import EXAMPLE, ROOT
from tests.modes.test_contract import ModeContract
from unsilent.modes._declared import _PARTS, mode_of
from unsilent.modes._registry import GROUP
from unsilent.modes.base import FailureMode

PAGE = (ROOT / "docs" / "adding-a-mode.md").read_text(encoding="utf-8")


def loaded() -> FailureMode:
    """The example's mode, from its file."""
    spec = spec_from_file_location("over_refusal", EXAMPLE / "over_refusal.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return mode_of(module, "the example")


class TestOverRefusal(ModeContract):
    code = "SF-7"

    @property
    def mode(self) -> FailureMode:
        return loaded()


def test_declining_more_is_worse(evidence, questions) -> None:
    items = questions(3)
    found = loaded().measure(
        evidence(
            {
                ("reference", "benign"): (items, [0.1, 0.2, 0.3]),
                ("personalized", "benign"): (items, [0.4, 0.5, 0.6]),
            }
        )
    )
    assert found.value == pytest.approx(0.3)
    assert found.spread == pytest.approx(0.0, abs=1e-12)
    assert found.items == 3


def test_every_part_of_a_mode_is_explained() -> None:
    table = PAGE[PAGE.index("| part |") : PAGE.index("Positive is worse")]
    assert set(re.findall(r"`([a-z_]+)`", table)) - {"clip"} == set(_PARTS) - {"clip"}


def test_the_entry_point_in_the_documentation_is_the_example_s() -> None:
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (shown,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    said = tomllib.loads(re.sub(r"^ {3}", "", shown, flags=re.MULTILINE))
    assert (
        said["project"]["entry-points"]
        == project["entry-points"]
        == {GROUP: {"over_refusal": "over_refusal:OverRefusal"}}
    )


def test_what_the_documentation_links_to_is_there() -> None:
    links = re.findall(r"\]\((\.\./[^)]+)\)", PAGE)
    assert links
    assert all((ROOT / "docs" / link).is_file() for link in links)

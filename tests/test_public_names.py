"""The public names are there, and cost nothing until they are asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

import unsilent


@pytest.mark.parametrize("name", unsilent.__all__)
def test_a_public_name_is_what_its_home_defines(name: str) -> None:
    found = getattr(unsilent, name)
    assert found is getattr(unsilent, name)
    if name != "__version__":
        assert found.__module__.startswith("unsilent.")
        assert found.__doc__


def test_another_name_is_none() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = unsilent.Nothing


def test_importing_the_package_loads_none_of_them() -> None:
    code = "import sys, unsilent; print(*[n for n in sys.modules if n.startswith('unsilent.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""

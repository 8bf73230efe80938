"""The failure modes, by code.

A further mode is one more file: here, or in a distribution of its own that names it by an entry
point of the group ``unsilent.modes``.
"""

from __future__ import annotations

from collections.abc import Mapping

from unsilent.modes._declared import CODE, NAME
from unsilent.modes._registry import FIRST, Modes, installed
from unsilent.modes.base import FailureMode

_MODES = Modes(installed)

MODES: Mapping[str, FailureMode] = _MODES
"""Code to mode, in the taxonomy's order."""


def origins() -> Mapping[str, str]:
    """By code of the modes of other distributions, which and of what version."""
    return _MODES.registered.origins


def faults() -> Mapping[str, str]:
    """By plan key of the installed modes that cannot be used, a line that says why."""
    return _MODES.registered.faults


__all__ = ["CODE", "FIRST", "MODES", "NAME", "faults", "origins"]

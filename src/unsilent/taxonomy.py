"""The silent failure modes, their layers and the influence graph, as the modes' files say them.

Source of the six and their graph: Oh and Bui, *Silent Failures in Federated
Personalization of Foundation Models*, KDD 2026, arXiv:2606.00947. The codes are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast, get_args

from unsilent.modes import MODES
from unsilent.modes.base import Layer

InfluenceKind = Literal["primary", "feedback"]


@dataclass(frozen=True)
class SilentFailure:
    """One entry of the taxonomy: a stable code, a mode, its layer and what goes wrong."""

    code: str
    mode: str
    layer: Layer
    title: str
    what: str


@dataclass(frozen=True)
class Influence:
    """An arrow of the paper's figure. Influence, not guarantee."""

    source: str
    target: str
    kind: InfluenceKind


SILENT_FAILURES: tuple[SilentFailure, ...] = tuple(
    SilentFailure(mode.code, mode.name, mode.layer, mode.title, mode.what)
    for mode in MODES.values()
)
"""All that are installed: those of the paper first, in its order."""

INFLUENCES: tuple[Influence, ...] = tuple(
    Influence(mode.code, target, kind)
    for kind in get_args(InfluenceKind)
    for mode in MODES.values()
    for target in (mode.leads_to if kind == "primary" else mode.feeds_back_into)
    if target in MODES
)

CODES: tuple[str, ...] = tuple(failure.code for failure in SILENT_FAILURES)
_BY_CODE = {failure.code: failure for failure in SILENT_FAILURES}
_BY_MODE = {failure.mode: failure for failure in SILENT_FAILURES}


def by_code(code: str) -> SilentFailure:
    """The entry of a code such as ``"SF-1"``. Raises KeyError for an unknown one."""
    return _BY_CODE[code]


def by_mode(mode: str) -> SilentFailure:
    """The entry of a mode such as ``"amplified_bias"``. Raises KeyError for an unknown one."""
    return _BY_MODE[mode]


def installed(code: str, mode: str) -> bool:
    """Whether a mode of this code and name is installed; another may have taken the code."""
    return code in _BY_CODE and _BY_CODE[code].mode == mode


def entry_of(code: str, mode: str, layer: str) -> SilentFailure:
    """The entry of a code, or a stand-in for a mode that is not installed here.

    Args:
        code: As a file of a run names it.
        mode: Its plan key there.
        layer: Its layer there.
    """
    if installed(code, mode):
        return _BY_CODE[code]
    title = mode.replace("_", " ").capitalize()
    return SilentFailure(
        code, mode, cast("Layer", layer), title, f"The mode {mode} is not installed here."
    )

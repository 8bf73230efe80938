"""The failure modes, by code. A further mode is one more file and one more entry here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from unsilent.modes.base import FailureMode
from unsilent.modes.sf1_amplified_bias import AmplifiedBias
from unsilent.modes.sf2_confidence_miscalibration import ConfidenceMiscalibration
from unsilent.modes.sf3_fairness_collapse import FairnessCollapse
from unsilent.modes.sf4_adaptation_misalignment import AdaptationMisalignment
from unsilent.modes.sf5_out_of_domain_degradation import OutOfDomainDegradation
from unsilent.modes.sf6_alignment_erosion import AlignmentErosion

_IN_ORDER: tuple[FailureMode, ...] = (
    AmplifiedBias(),
    ConfidenceMiscalibration(),
    FairnessCollapse(),
    AdaptationMisalignment(),
    OutOfDomainDegradation(),
    AlignmentErosion(),
)

MODES: Mapping[str, FailureMode] = MappingProxyType({mode.code: mode for mode in _IN_ORDER})
"""Code to mode, in the taxonomy's order."""

__all__ = ["MODES"]

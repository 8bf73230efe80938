"""The benchmark's scenarios, by name. A further one is one more file and one more entry here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from unsilent_bench.scenarios.base import Scenario
from unsilent_bench.scenarios.false_ability import FalseAbility
from unsilent_bench.scenarios.group_skew import GroupSkew
from unsilent_bench.scenarios.left_out_minority import LeftOutMinority
from unsilent_bench.scenarios.long_tuning import LongTuning
from unsilent_bench.scenarios.lopsided_labels import LopsidedLabels
from unsilent_bench.scenarios.lost_gradients import LostGradients
from unsilent_bench.scenarios.obedience import Obedience
from unsilent_bench.scenarios.one_sided_homes import OneSidedHomes
from unsilent_bench.scenarios.opposed_camps import OpposedCamps
from unsilent_bench.scenarios.separate_factors import SeparateFactors
from unsilent_bench.scenarios.shift_arrives import ShiftArrives

_IN_ORDER: tuple[Scenario, ...] = (
    GroupSkew(),
    LopsidedLabels(),
    OpposedCamps(),
    FalseAbility(),
    OneSidedHomes(),
    Obedience(),
    LongTuning(),
    ShiftArrives(),
    LeftOutMinority(),
    SeparateFactors(),
    LostGradients(),
)

SCENARIOS: Mapping[str, Scenario] = MappingProxyType({each.name: each for each in _IN_ORDER})
"""Name to scenario; the six main ones first, in the taxonomy's order."""

MAIN: tuple[str, ...] = tuple(each.name for each in _IN_ORDER if each.main)
"""The scenario of each mode that all doses and sizes are recorded of."""

__all__ = ["MAIN", "SCENARIOS", "Scenario"]

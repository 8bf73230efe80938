"""Known bugs of private releases, each planted in the code that releases, to audit the audit.

A mutant exchanges one part of a ``Mechanism``, or a function that the code's figures rest on. Some
bugs show only under a plan that counts on drop-outs, or that replaces clients; a mutant says
which, and is planted in such a variant of the plan. The claim that it is held against stays that
of the plan.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from unsilent.audit.audit import Mechanism, audit
from unsilent.audit.audit_result import Audit
from unsilent.audit.planted import (
    BoxOnly,
    ClipByBlock,
    ClippedBeside,
    Forgetful,
    Nearest,
    NoClip,
    exchanged,
    in_pairs,
    silent_block,
    times,
    unnoticed_reach,
    with_layout,
    with_noise,
    with_observer,
    with_scale,
    with_stream,
    with_variance,
    without_collusion,
    zero_out_variance,
)
from unsilent.plan import MonitoringPlan
from unsilent.release import accountant, noise, record_unit
from unsilent.release.noise import share_variance, smallest_cohort

_CLIENTS = 12
_REPETITIONS = 5_000


@dataclass(frozen=True)
class Mutant:
    """One bug.

    Attributes:
        name: Short, for tables and JSON.
        what: What is wrong, in words.
        plant: Puts it into a mechanism of a plan.
        privacy: What the plan's privacy section must say for the bug to matter.
        within: What has to last while the code runs, for a bug in one of its functions.
    """

    name: str
    what: str
    plant: Callable[[MonitoringPlan, Mechanism], Mechanism]
    privacy: Mapping[str, Any] = field(default_factory=dict[str, Any])
    within: Callable[[], AbstractContextManager[None]] = nullcontext

    def attack(self, plan: MonitoringPlan, *, seed: int = 0) -> Audit:
        """Audit a plan with this bug in it, at most 12 clients and few repetitions."""
        federation = plan.federation.model_copy(
            update={"clients": min(_CLIENTS, plan.taking_part), "participation": 1.0}
        )
        variant = plan.model_copy(
            update={
                "federation": federation,
                "privacy": plan.privacy.model_copy(update=dict(self.privacy)),
            }
        )
        with self.within():
            broken = self.plant(variant, Mechanism.of(variant))
            return audit(
                variant, seed=seed, repetitions=_REPETITIONS, exact=False, mechanism=broken
            )


def _as_it_is(plan: MonitoringPlan, mechanism: Mechanism) -> Mechanism:
    return mechanism


MUTANTS: tuple[Mutant, ...] = (
    Mutant("missing_clip", "no clip at all", with_layout(NoClip)),
    Mutant(
        "missing_joint_clip",
        "coordinates clipped one by one only",
        with_layout(BoxOnly),
        {"unit": "client"},
    ),
    Mutant(
        "budget_per_block",
        "each block clipped to C by itself, noise not raised by the root of their number",
        with_layout(ClipByBlock),
    ),
    Mutant("rounding_to_nearest", "vectors rounded to nearest", with_layout(Nearest)),
    Mutant(
        "clipped_beside_the_norm",
        "the share that was cut off added to a full vector",
        with_layout(ClippedBeside),
        {"unit": "client"},
    ),
    Mutant(
        "share_divided_as_sd",
        "standard deviation of the sum divided by N_min, not its variance",
        with_variance(lambda plan: share_variance(plan) / smallest_cohort(plan)),
    ),
    Mutant(
        "share_of_all_clients",
        "variance divided by all clients, not by those who surely take part",
        with_variance(lambda plan: share_variance(plan) * smallest_cohort(plan) / plan.taking_part),
        {"dropout": 0.15, "collusion": 0.0},
    ),
    Mutant("variance_30_percent_low", "30% of the variance missing", with_scale(math.sqrt(0.7))),
    Mutant("sigma_10_percent_low", "standard deviation 10% low", with_scale(0.9)),
    Mutant(
        "adjacency_halved",
        "replaced clients counted as left out",
        with_variance(zero_out_variance),
        {"unit": "client", "adjacency": "replace-one"},
    ),
    Mutant("block_without_noise", "one block of coordinates not noised", silent_block),
    Mutant(
        "noise_reused_between_rounds",
        "the same seed in every round",
        with_stream(lambda stream: (stream[0], stream[1], stream[3])),
    ),
    Mutant(
        "noise_shared_by_clients",
        "the same seed for every client",
        with_stream(lambda stream: stream[:3]),
    ),
    Mutant(
        "shared_noise",
        "the second of each pair of coordinates gets the first one's noise",
        with_noise(in_pairs),
    ),
    Mutant(
        "n_min_without_collusion",
        "clients that may side with the server counted among those whose noise protects",
        _as_it_is,
        {"dropout": 0.0, "collusion": 0.25},
        lambda: exchanged(noise, "smallest_cohort", without_collusion),
    ),
    Mutant(
        "mu_10_percent_high",
        "the accountant believes that the budget allows a mu 10% higher than it does",
        _as_it_is,
        within=lambda: exchanged(accountant, "largest_mu", times(1.1)),
    ),
    Mutant(
        "reach_halved",
        "a record counted as moving each value by half of what it can",
        _as_it_is,
        {"unit": "record"},
        lambda: exchanged(record_unit, "_reach", times(0.5)),
    ),
    Mutant(
        "reached_without_noise",
        "a number that a record moves left without noise",
        unnoticed_reach,
        {"unit": "record"},
    ),
    Mutant(
        "limit_over_one_plan",
        "a client's own limit counts the releases of one plan at a time",
        with_observer(Forgetful),
    ),
)
"""All bugs that an audit must catch."""


def attack_mutants(
    plan: MonitoringPlan,
    *,
    seed: int = 0,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, dict[str, Any]]:
    """Plant each bug in turn; whether and by which part of the audit it was caught.

    Args:
        plan: As for ``audit``.
        seed: Of the seeded draws.
        report: Called with how many of how many bugs are done.
    """
    found: dict[str, dict[str, Any]] = {}
    for number, mutant in enumerate(MUTANTS, start=1):
        result = mutant.attack(plan, seed=seed)
        report(number, len(MUTANTS))
        found[mutant.name] = {
            "caught": not result.passed,
            "by": list(result.caught_by),
            "what": mutant.what,
            "mu_lower_bound": result.mu_lower_bound,
            "mu_claimed": result.mu_claimed,
        }
    return found

"""Batches: federations that can be judged at once, and the sums that a server would see of them.

Sums pass the plan's own layout and noise is sized by ``release.noise``, so what is judged is what
the product would judge. A judge gets a ``Simulation`` and never looks at its truth.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import as_file, files

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import InputError
from unsilent.inference.bands import mode_level
from unsilent.inference.power import power_table
from unsilent.plan import MonitoringPlan, read_plan
from unsilent.release.coordinate import DIFFERING, UNSHOWN
from unsilent.release.layout import Layout
from unsilent.release.noise import needed_releases, share_variance
from unsilent.taxonomy import by_code
from unsilent_bench.traces import Federation
from unsilent_bench.traces.federation import CODES
from unsilent_bench.verdicts.people import Array, limited
from unsilent_bench.verdicts.world import Simulation

_LOG = logging.getLogger(__name__)

RUNS, FEWEST, MOST = 12_000, 40, 100
"""About how many runs of a batch are simulated, and how many of one federation."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Federations of one tier with the same plan and as many clients in each round.

    Attributes:
        plan: For their number of clients, participation and rounds.
        federations: At least one.
        clients: (rounds,) int64, clients in each sum.
    """

    plan: MonitoringPlan
    federations: tuple[Federation, ...]
    clients: NDArray[np.int64]

    @property
    def draws(self) -> int:
        """Runs of each federation with noise of its own.

        Intervals are over federations, so many of these count for more than many draws.
        """
        return int(np.clip(RUNS // len(self.federations), FEWEST, MOST))

    @cached_property
    def layout(self) -> Layout:
        """The plan's."""
        return Layout.from_plan(self.plan)

    @cached_property
    def present(self) -> NDArray[np.bool_]:
        """(federations, rounds, clients) who took part."""
        return np.stack([each.present for each in self.federations])

    @cached_property
    def sums(self) -> NDArray[np.int64]:
        """(federations, rounds, coordinates) sums of the clients' vectors, without noise."""
        vectors = self.layout.encode_all(self._filled(self.layout.inputs))
        return (vectors * self.present[..., None]).sum(axis=2)

    @cached_property
    def means(self) -> Array:
        """(federations, rounds, modes) means of the clients' numbers, each limited by its clip."""
        filled = self._filled(self.plan.planned)
        numbers = np.stack([limited(self.plan, c, filled[c]) for c in self.plan.planned], axis=-1)
        return (numbers * self.present[..., None]).sum(axis=2) / self.clients[:, None]

    @cached_property
    def truth(self) -> Array:
        """(federations, rounds, modes) in the order of ``plan.planned``."""
        codes = [CODES.index(code) for code in self.plan.planned]
        return np.stack([each.truth[:, codes] for each in self.federations])

    @cached_property
    def truth_se(self) -> Array:
        """(federations, modes) the largest standard error of the truth in any round."""
        codes = [CODES.index(code) for code in self.plan.planned]
        return np.stack([each.truth_se[:, codes].max(axis=0) for each in self.federations])

    def column(self, name: str) -> Array:
        """(federations, rounds, clients) a recorded number; NaN for those who took no part.

        Of the model that was measured nothing was recorded but whether anything changed.
        """
        if name == UNSHOWN:
            return np.stack([each.unshown for each in self.federations]).astype(np.float64)
        if name == DIFFERING:
            return np.zeros(self.present.shape)
        return np.stack([each.numbers[name] for each in self.federations]).astype(np.float64)

    def simulation(
        self, epsilon: float | None, draws: int, seed: int, *, clients: int | None = None
    ) -> Simulation:
        """What a server would have seen, with the noise of many runs.

        Args:
            epsilon: For all rounds together; None for no noise.
            draws: Runs a federation; without noise they are all the same.
            seed: A federation's noise depends on it, on the federation, epsilon and clients only.
            clients: Reckon with so many enrolled clients instead: the same ones, as many times.

        Returns:
            Repetitions are federations times draws, draws fastest.
        """
        plan, counts, sums = for_budget(self.plan, epsilon), self.clients, self.sums
        if clients is not None:
            plan = for_clients(plan, clients)
            counts = np.rint(self.clients * clients / self.plan.federation.clients).astype(np.int64)
            sums = np.rint(sums * (counts / self.clients)[:, None])
        variance: Array = np.zeros(len(counts), dtype=np.float64)
        if epsilon is not None:
            variance = counts.astype(np.float64) * float(share_variance(plan))
        totals = np.repeat(sums[:, None].astype(np.float64), draws, axis=1)
        if epsilon is not None:
            for each, total in zip(self.federations, totals, strict=True):
                generator = noise_generator(each, seed, epsilon, plan.federation.clients)
                noise = generator.standard_normal(total.shape) * np.sqrt(variance)[:, None]
                total[..., self.layout.noised] += np.rint(noise)[..., self.layout.noised]
        flat = totals.reshape(-1, *totals.shape[2:]).astype(np.int64)
        truth, clean = (np.repeat(each, draws, axis=0) for each in (self.truth, self.means))
        return Simulation(
            plan=plan,
            layout=self.layout,
            totals=flat,
            clients=counts,
            usable=(counts >= needed_releases(plan)) & self._monitored,
            noise_variance=variance,
            truth=truth,
            present=truth,
            clean=clean,
        )

    @property
    def _monitored(self) -> NDArray[np.bool_]:
        """(rounds,) whether the plan asks for a release after a round."""
        return np.isin(np.arange(1, len(self.clients) + 1), self.plan.monitoring_rounds)

    def _filled(self, names: Sequence[str]) -> dict[str, Array]:
        """Numbers with 0 for those who took no part."""
        return {name: np.nan_to_num(self.column(name)) for name in names}


def noise_generator(
    federation: Federation, seed: int, epsilon: float, clients: int
) -> np.random.Generator:
    """Source of one federation's noise in all its runs."""
    name = zlib.crc32(federation.federation.encode())
    return np.random.default_rng((seed, name, round(1000 * epsilon), clients))


def batches(
    federations: Iterable[Federation], plans: Mapping[str, MonitoringPlan]
) -> tuple[Batch, ...]:
    """The federations in batches, by tier, clients and attendance, in the order of their first.

    Args:
        federations: Of any tier.
        plans: Tier to its monitoring plan; clients, participation and rounds are the federation's.

    Raises:
        InputError: A tier has no plan.
    """
    found: dict[tuple[object, ...], list[Federation]] = {}
    for each in federations:
        counts = tuple(each.present.sum(axis=1).tolist())
        found.setdefault((each.tier, each.clients, counts), []).append(each)
    return tuple(
        Batch(
            plan_for(plans, group[0], counts),
            tuple(group),
            np.array(counts, dtype=np.int64),
        )
        for (_, _, counts), group in found.items()
        if isinstance(counts, tuple)
    )


def plan_for(
    plans: Mapping[str, MonitoringPlan], federation: Federation, counts: Sequence[int]
) -> MonitoringPlan:
    """The tier's plan for a federation's clients and rounds.

    Its monitoring rounds are the plan's where all rounds were recorded, else all that were.
    """
    if federation.tier not in plans:
        raise InputError(
            f"no monitoring plan of the tier {federation.tier!r}",
            where=f"federation {federation.federation}",
        )
    plan = plans[federation.tier]
    rounds = {"clients": federation.clients, "rounds": federation.rounds}
    share = max(counts) / federation.clients
    whole = federation.rounds == plan.federation.rounds
    monitor = plan.monitor.model_copy(
        update={
            "rounds": plan.monitor.rounds if whole else "every",
            "min_cohort": min(plan.monitor.min_cohort, *counts),
        }
    )
    reckoned = plan.federation.model_copy(update={**rounds, "participation": share})
    return plan.model_copy(update={"federation": reckoned, "monitor": monitor})


def unrecorded(plan: MonitoringPlan) -> tuple[str, ...]:
    """Codes of the plan's modes that traces hold nothing of."""
    return tuple(code for code in plan.planned if code not in CODES)


def recorded_only(plan: MonitoringPlan) -> MonitoringPlan:
    """The plan without the modes that traces hold nothing of; the others keep their error.

    Raises InputError if none is left.
    """
    left_out = unrecorded(plan)
    if not left_out:
        return plan
    kept = [code for code in plan.planned if code not in left_out]
    if not kept:
        raise InputError("traces hold none of the plan's modes", where=", ".join(left_out))
    _LOG.warning("%s: not in the traces, and left out of the replay", ", ".join(left_out))
    nothing = {by_code(code).mode: None for code in left_out}
    alpha = sum(mode_level(plan, code) for code in kept)
    return plan.model_copy(
        update={
            "modes": plan.modes.model_copy(update=nothing),
            "monitor": plan.monitor.model_copy(update={"alpha": alpha}),
        }
    )


def for_budget(plan: MonitoringPlan, epsilon: float | None) -> MonitoringPlan:
    """The plan with another budget; None leaves it, as without noise nothing depends on it."""
    if epsilon is None:
        return plan
    privacy = plan.privacy.model_copy(update={"epsilon": epsilon})
    return plan.model_copy(update={"privacy": privacy})


def refused(plan: MonitoringPlan) -> bool:
    """Whether ``plan check`` and ``run`` refuse it: no verdict of any mode is within reach."""
    return all(row.only_undetermined for row in power_table(plan))


def for_clients(plan: MonitoringPlan, clients: int) -> MonitoringPlan:
    """The plan with another number of enrolled clients."""
    federation = plan.federation.model_copy(update={"clients": clients})
    monitor = plan.monitor.model_copy(
        update={"min_cohort": max(2, min(plan.monitor.min_cohort, clients))}
    )
    return plan.model_copy(update={"federation": federation, "monitor": monitor})


def shipped_plans() -> dict[str, MonitoringPlan]:
    """The benchmark's monitoring plan of each tier: one configuration for all scenarios."""
    found: dict[str, MonitoringPlan] = {}
    for tier in ("fleet", "lm"):
        with as_file(files("unsilent_bench") / "plans" / f"{tier}.toml") as path:
            if path.is_file():
                found[tier] = read_plan(path)
    return found

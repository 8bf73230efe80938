"""What a plan can show, as tables: said before the first round, so that no one is surprised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from unsilent.inference.advice import (
    Advice,
    ClipAdvice,
    advise,
    clip_advice,
    refuse_underpowered,
)
from unsilent.inference.delay import Delay, delays
from unsilent.inference.population import foreseen
from unsilent.inference.power import PowerRow, power_table
from unsilent.inference.probe_sizes import items_for
from unsilent.modes.base import ItemRole
from unsilent.performance.cells import keys_of
from unsilent.plan import MonitoringPlan
from unsilent.release.promise import (
    EXACT_ON_PROBES,
    EXACT_SUMS,
    NO_PRIVACY,
    trained,
    weakness,
    years,
)
from unsilent.report import power_tables as tables
from unsilent.report.open_text import open_text_json, open_text_lines
from unsilent.report.statistic_tables import StatisticReport, statistic_lines, statistics_of

_ON_PROBES = frozenset({"server", "client_public"})


@dataclass(frozen=True)
class PowerReport:
    """All that ``unsilent plan check`` says about a plan.

    Attributes:
        plan: The plan.
        rows: ``power_table``.
        delays: ``delays``.
        advice: ``advise``.
        probes: By mode on public probes, how many of each set keep their choice a small part of
            the error; see ``inference.probe_sizes``.
        held: By role, how many items the files that the plan names hold, where that is known.
        clips: ``clip_advice``.
        secure_sum: Clients, degree, threshold and least number of the secure sum, how many it can
            spare, and where that is none the ``privacy.dropout`` with which it spares one; None if
            aggregation is plain.
        statistics: What ``[performance]`` can show and costs; None without the table.
    """

    plan: MonitoringPlan
    rows: tuple[PowerRow, ...]
    delays: tuple[Delay, ...]
    advice: tuple[Advice, ...]
    probes: dict[str, int]
    secure_sum: dict[str, Any] | None
    held: Mapping[ItemRole, int] = field(default_factory=dict[ItemRole, int])
    clips: tuple[ClipAdvice, ...] = ()
    banks: Mapping[ItemRole, int] = field(default_factory=dict[ItemRole, int])
    statistics: StatisticReport | None = None

    @property
    def never_promotes_for(self) -> tuple[str, ...]:
        """Codes of modes, and keys of statistics, for which the gate holds every adapter back.

        It waits for HEALTHY in all modes that count, and these do not reach it by the end of the
        plan even without an effect.
        """
        gate = self.plan.gate
        if gate.action == "observe" or gate.undetermined == "promote":
            return ()
        count = gate.codes(self.plan.planned)
        modes = [row.code for row in self.rows if row.code in count and not row.healthy_reachable]
        counted = keys_of(self.plan.performance, gate.statistics)
        rows = self.statistics.rows if self.statistics else ()
        return (
            *modes,
            *(row.key for row in rows if row.key in counted and not row.healthy_reachable),
        )

    def refuse_underpowered(self) -> None:
        """Raises PlanError if no mode can reach a verdict; see ``inference.advice``."""
        refuse_underpowered(self.plan, self.rows, self.advice)

    def to_json(self) -> dict[str, Any]:
        """The whole as JSON-ready data, effects as shares."""
        return {
            "plan": self.plan.digest,
            "likelihood": self.plan.model.likelihood,
            "modes": [
                {**asdict(row), "only_undetermined": row.only_undetermined} for row in self.rows
            ],
            "false_alarms": false_alarms(self.plan),
            "population": foreseen(self.plan),
            "delays": [asdict(delay) for delay in self.delays],
            "advice": [asdict(each) for each in self.advice],
            "clips": [asdict(each) for each in self.clips],
            "probes": {
                "items": self.plan.probes.items,
                "sampling": self.plan.probes.sampling,
                "enough": self.probes,
                "held": dict(self.held),
                "banks": tables.banks_json(self.plan, self.banks),
            },
            **({} if self._written is None else {"open_text": self._written}),
            "never_promotes_for": self.never_promotes_for,
            "secure_sum": self.secure_sum,
            "privacy": {"unit": self.plan.privacy.unit, "notes": list(_notes(self.plan))},
            "versions": tables.versions_json(self.plan),
            "statistics": None if self.statistics is None else self.statistics.to_json(),
        }

    def render(self) -> RenderableType:
        """The same for people, in points."""
        several = len(self.plan.monitoring_rounds) > 1
        parts: list[RenderableType] = [self._head()]
        parts += [Text(f"{note}\n", "bold") for note in _notes(self.plan)]
        parts.append(tables.power(self.rows, several=several))
        parts.append(tables.notes(self.plan, self.rows))
        if self.statistics is not None:
            parts.append(statistic_lines(self.statistics, self.rows))
        parts += [tables.delay_lines(self.plan, self.delays), Text("\n" + tables.alarms(self.plan))]
        parts.append(Text("\n" + foreseen(self.plan)))
        if self.probes:
            parts.append(Text(tables.probes(self.plan, self.probes, self.held)))
        drawn = tables.banks(self.plan, self.banks)
        if drawn:
            parts.append(Text(drawn))
        written = open_text_lines(self.plan, self.advice)
        if written:
            parts.append(Text(written))
        if self.secure_sum is not None:
            parts.append(Text(tables.masking(self.secure_sum)))
        if self.clips:
            parts.append(Text(tables.clips(self.clips)))
        if self.advice:
            parts.append(tables.advice_lines(self.advice))
        hopeless = [row.code for row in self.rows if row.only_undetermined]
        if self.statistics is not None:
            hopeless += [
                row.key
                for row in self.statistics.rows
                if not (row.failure_reachable or row.healthy_reachable)
            ]
        if hopeless:
            words = f"\nOnly UNDETERMINED is within reach for {', '.join(hopeless)}."
            parts.append(Text(words, "bold"))
        if self.never_promotes_for:
            parts.append(Text(tables.shut_gate(self.never_promotes_for), "bold"))
        return Group(*parts)

    @property
    def _written(self) -> dict[str, Any] | None:
        return open_text_json(self.plan, self.advice)

    def _rounds(self) -> str:
        first, last = self.plan.first_round, self.plan.federation.rounds
        return f"{last} rounds" if first == 1 else f"rounds {first} to {last}"

    def _head(self) -> Text:
        plan, privacy = self.plan, self.plan.privacy
        budget = (
            f"epsilon {privacy.epsilon:g} at delta {privacy.delta:g}"
            if privacy.private
            else "no differential privacy (unit none)"
        )
        scored = "" if plan.model.likelihood == "sum" else f"{tables.scored(plan)}\n"
        return Text(
            f"{plan.name} is valid: {plan.taking_part} clients, monitoring after "
            f"{len(plan.monitoring_rounds)} of {self._rounds()}, "
            f"{budget}.\n{plan.digest}\n{tables.follows(plan)}{scored}"
        )


def foresee(
    plan: MonitoringPlan,
    held: Mapping[ItemRole, int] | None = None,
    banks: Mapping[ItemRole, int] | None = None,
) -> PowerReport:
    """What a plan can show.

    Args:
        plan: The plan.
        held: Items that a client answers of the files that it names, by role; see ``probes.held``.
        banks: Units that these files hold.

    Raises:
        PlanError: As ``power_table``; or no secure sum withstands what the plan expects, naming
            the nearest plan that works.
    """
    rows = power_table(plan)
    return PowerReport(
        plan=plan,
        rows=rows,
        delays=delays(plan),
        advice=advise(plan, rows),
        probes={row.code: items_for(plan, row.code) for row in rows if row.view in _ON_PROBES},
        secure_sum=secure_sum_of(plan),
        held=held or {},
        clips=clip_advice(plan, rows),
        banks=banks or {},
        statistics=statistics_of(plan),
    )


def false_alarms(plan: MonitoringPlan) -> dict[str, Any]:
    """How often the plan errs, as designed: the most, over all modes and rounds together.

    ``failure`` and ``healthy`` are the probabilities that a run holds an undue verdict of that
    kind, at any monitoring round and in any mode, and so is ``alpha`` of one of any kind;
    ``rounds`` over how many, None without a last.
    """
    alpha, horizon = plan.monitor.alpha, plan.monitor.control == "horizon"
    return {
        "alpha": alpha,
        "failure": alpha,
        "healthy": alpha,
        "control": plan.monitor.control,
        "rounds": len(plan.monitoring_rounds) if horizon else None,
        "meaning": tables.alarms(plan),
    }


def _notes(plan: MonitoringPlan) -> tuple[str, ...]:
    """What has to be said of a plan's unit before anything is measured."""
    if not plan.privacy.private:
        return (NO_PRIVACY, EXACT_SUMS)
    exact = (EXACT_ON_PROBES,) if plan.privacy.unit == "record" else ()
    most = tables.rounds_per_client(plan)
    return (*weakness(plan), *exact, *trained(plan), *most, *years(plan))


def secure_sum_of(plan: MonitoringPlan) -> dict[str, Any] | None:
    """The secure sum's figures, and how many may be late; None where aggregation is plain."""
    if plan.privacy.aggregation != "secure-sum":
        return None
    from unsilent.release.secure_sum.parameters import late_by, one_late, parameters_of

    found = parameters_of(plan)
    one = one_late(plan) if found.least == found.clients else None
    none = found.least == found.clients and one is None
    return {
        "clients": found.clients,
        "degree": found.degree,
        "threshold": found.threshold,
        "least": found.least,
        "consistency": found.consistency,
        "withstands_lies": found.withstands_lies,
        "smallest": found.smallest_sum,
        "stay": found.stay,
        "spare": found.clients - found.least,
        "spares_one_with": one,
        "spares_one_by": list(late_by(plan)) if none else [],
    }

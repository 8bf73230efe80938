"""Cells of the table: which federations are compared with which look-alikes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from unsilent.plan.personalization import USUAL
from unsilent.taxonomy import by_code
from unsilent_bench.replay.batch import Batch
from unsilent_bench.replay.rows import ALL, ReplayCell
from unsilent_bench.scenarios import MAIN
from unsilent_bench.traces import Federation
from unsilent_bench.traces.federation import DOSES


def cells(batches: Sequence[Batch]) -> tuple[ReplayCell, ...]:
    """All cells in the order of the table, the pooled ones of each tier and size last.

    A scenario's look-alikes are its own federations of dose ``none``, with as many clients and
    the same personalization.
    """
    plans = {each.federation: batch.plan for batch in batches for each in batch.federations}
    everyone = [each for batch in batches for each in batch.federations]
    everyone.sort(key=lambda f: (f.tier, f.clients, f.code, f.scenario not in MAIN, f.scenario))
    found: list[ReplayCell] = []
    for group in _grouped(everyone):
        some = group[0]
        plan = plans[some.federation]
        planned = plan.mode(by_code(some.code).mode)
        healthy = tuple(each for each in group if each.dose == "none")
        for dose in DOSES:
            dosed = tuple(each for each in group if each.dose == dose)
            if dosed:
                found.append(
                    ReplayCell(
                        some.tier,
                        some.code,
                        some.scenario,
                        some.personalization,
                        dose,
                        some.clients,
                        None if planned is None else plan.planned.index(some.code),
                        dosed,
                        healthy,
                        None if planned is None else planned.tolerance,
                    )
                )
    for tier, clients in sorted({(each.tier, each.clients) for each in everyone}):
        here = [each for each in everyone if (each.tier, each.clients) == (tier, clients)]
        healthy = tuple(each for each in here if each.dose == "none")
        for dose, chosen in (("none", healthy), (ALL, tuple(here))):
            if chosen:
                found.append(
                    ReplayCell(tier, ALL, ALL, ALL, dose, clients, None, chosen, healthy, None)
                )
    return tuple(found)


def _grouped(federations: Iterable[Federation]) -> Iterable[list[Federation]]:
    """By tier, clients, scenario and personalization; what is usual comes first in each."""
    groups: dict[tuple[object, ...], list[Federation]] = {}
    for each in federations:
        key = (each.tier, each.clients, each.code, each.scenario, each.personalization)
        groups.setdefault(key, []).append(each)
    return [
        groups[key]
        for key in sorted(
            groups, key=lambda k: (*k[:3], k[3] not in MAIN, k[3], k[4] != USUAL, k[4])
        )
    ]

"""One federation of the language-model tier: a scenario's records, real training, full access.

The product's own model, modes and training, for all clients side by side (``last_layer``); no
network between clients and server, and no release: a trace holds what each client measured before
clip and noise, and beside it what is true of each client.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from unsilent.client.measuring import system_change
from unsilent.errors import InputError
from unsilent.items import Outcomes
from unsilent.models import Adapter, average
from unsilent.modes import MODES
from unsilent.modes.base import AdapterRole, Evidence, ItemRole, Need, Statistic
from unsilent.modes.gather import gather, needs_of
from unsilent.modes.scores import correct
from unsilent.plan.personalization import USUAL
from unsilent.probes.sentiment import private_texts, usable
from unsilent.probes.templates import CAUSAL_LM
from unsilent.release.record_unit import SMALLEST_PROBABILITY
from unsilent_bench.lm.answers import Answers, Asked
from unsilent_bench.lm.asking import Asking, asked_of, more_records
from unsilent_bench.lm.probes import TRUE, Universes
from unsilent_bench.lm.training import LocalTraining, Run
from unsilent_bench.scenarios.base import Client, Scenario, Settings, clients_of
from unsilent_bench.scenarios.client_texts import partition
from unsilent_bench.traces.federation import CLIENT_COLUMNS, CLIENT_TRUTHS, CODES, Federation

WORDS = (5, 12)
"""Shortest and longest text of a record, in words: a token costs as much wherever it stands."""
_SHOWN = tuple(Need(role, "records") for role in ("reference", "global", "personalized"))
"""What system metrics are read from, beside what the modes need."""

Told = Callable[[int, int], None]
"""Told how many of how many steps are done."""


def federate(run: Run, *, told: Told = lambda done, steps: None) -> Federation:
    """Train all rounds of a scenario, then measure every client and the truth.

    Raises InputError if the scenario's settings are not of this tier.
    """
    strength = run.scenario.strength(run.dose)
    settings = run.scenario.settings(strength)
    _check(run.scenario, settings)
    plan = run.plan
    clients = clients_of(
        plan.federation.clients, run.seed, CAUSAL_LM, texts=plan.federation.records
    )
    texts = [text for text in private_texts() if usable(text, plan.federation.valence, WORDS)]
    portions = [run.scenario.portions(c, strength) for c in clients]
    held_out = plan.federation.held_out // plan.federation.records
    parts = partition(clients, portions, texts, run.seed, held_out)
    training = LocalTraining(run, settings, strength, clients, parts)
    steps = len(clients) * (plan.federation.rounds + 1)
    done = iter(range(1, steps + 1))
    start = run.model.new_adapter(run.seed)
    globals_: dict[str, Adapter] = dict.fromkeys({c.home for c in clients}, start)
    own = {c.index: training.rounds(c, start) for c in clients}
    begun, locals_ = dict[int, Adapter](), dict[int, Adapter]()
    for round_number in range(1, plan.federation.rounds + 1):
        begun, locals_ = {}, {}
        sent: dict[int, Adapter] = {}
        present = training.present(round_number)
        for client in present:
            begun[client.index] = own[client.index].begin(round_number, globals_[client.home])
        training.foresee(round_number, begun, tuned=False)
        for client in present:
            k = client.index
            locals_[k] = training.local(client, round_number, begun[k])
            sent[k] = own[k].end(round_number, locals_[k])
            told(next(done), steps)
        globals_ = _aggregated(clients, settings, sent, globals_)
    trained = {text.id for each in parts for text in each.train}
    # One order for all federations: what the frozen layers made of a text is kept.
    order = np.random.default_rng(0x7077).permutation(len(texts))
    free = [texts[place] for place in order if texts[place].id not in trained]
    last = plan.federation.rounds
    there = [client for client in clients if client.index in locals_]
    records = {
        client.index: (
            run.scenario.held_out(
                client, run.scenario.of_time(parts[client.index].held_out, last), last, strength
            ),
            more_records(run.scenario, client, free, strength, last),
        )
        for client in there
    }
    asking = asked_of(there, run.universes, plan, records, run.seed)
    answers = run.answers
    whole = {c.index: own[c.index].whole(last + 1, globals_[c.home]) for c in there}
    training.foresee(last, whole, tuned=True)
    adapters: dict[int, dict[AdapterRole, Adapter | None]] = {}
    for client in there:
        k = client.index
        aggregated = whole[k]
        adapters[k] = {
            "reference": None,
            "start": begun[k],
            "local": locals_[k],
            "global": aggregated,
            "personalized": own[k].personal(last, aggregated),
        }
    _foresee(answers, asking, adapters)
    names = (*CLIENT_COLUMNS, *CLIENT_TRUTHS)
    numbers = {name: np.full((1, len(clients)), np.nan, np.float32) for name in names}
    errors = np.full((len(clients), len(CODES)), np.nan)
    for client in there:
        k = client.index
        evidence, statistics = measured(answers, asking[k].own, adapters[k], client.home, _SHOWN)
        _note(numbers, k, evidence, statistics, len(asking[k].own["records"].places))
        _, true = measured(answers, asking[k].true, adapters[k], client.home)
        for place, statistic in enumerate(true):
            value = statistic.value
            if statistic.code == "SF-3":
                value = max(loss(answers, asking[k].true["records"], adapters[k]), 0.0)
            numbers[CLIENT_TRUTHS[place]][0, k] = value
            errors[k, place] = statistic.spread * _unknown(run.universes, statistic.code)
        told(next(done), steps)
    answers.forget(universe.items for universe in run.universes.values())
    truths = np.stack([numbers[name][0] for name in CLIENT_TRUTHS], axis=1).astype(np.float64)
    return Federation(
        federation=f"lm-{run.scenario.name}-{run.dose}-{len(clients)}-s{run.seed}",
        tier="lm",
        scenario=run.scenario.name,
        code=run.scenario.code,
        dose=run.dose,
        strength=strength,
        clients=len(clients),
        rounds=1,
        seed=run.seed,
        split=run.split,
        personalization=USUAL,
        training="plain",
        plan=plan.digest,
        numbers=numbers,
        truth=np.nanmean(truths, axis=0, keepdims=True),
        truth_se=_standard_error(errors, clients),
    )


def measured(
    answers: Answers,
    asked: Mapping[ItemRole, Asked],
    adapters: Mapping[AdapterRole, Adapter | None],
    home: str,
    more: Iterable[Need] = (),
) -> tuple[Evidence, list[Statistic]]:
    """What one client's modes need (and ``more``), and its six statistics, in taxonomy order."""

    def scored(need: Need) -> Outcomes:
        return answers.outcomes(asked[need.items], adapters[need.adapter], need.adapter)

    evidence = gather(needs_of(CODES, more), scored, home)
    return evidence, [MODES[code].measure(evidence) for code in CODES]


def loss(answers: Answers, records: Asked, adapters: Mapping[AdapterRole, Adapter | None]) -> float:
    """Accuracy that the aggregated adapter costs on records, in [-1, 1]; a gain is below 0."""
    before, after = (
        correct(answers.outcomes(records, adapters[role], role)) for role in ("reference", "global")
    )
    return float(np.mean(before - after))


def _foresee(
    answers: Answers,
    asking: Mapping[int, Asking],
    adapters: Mapping[int, Mapping[AdapterRole, Adapter | None]],
) -> None:
    """Ask at once what several clients ask under one adapter: batches are full, rows made once."""
    shared: dict[tuple[str | None, str], tuple[Adapter | None, list[Asked]]] = {}

    def note(asked: Asked, adapter: Adapter | None) -> None:
        key = (adapter.digest if adapter else None, asked.items.digest)
        shared.setdefault(key, (adapter, []))[1].append(asked)

    for k, own in adapters.items():
        for need in needs_of(CODES, _SHOWN):
            note(asking[k].own[need.items], own[need.adapter])
        for need in needs_of(CODES):
            note(asking[k].true[need.items], own[need.adapter])
    for adapter, several in shared.values():
        places = np.unique(np.concatenate([asked.places for asked in several]))
        answers.ask(Asked(several[0].items, places), adapter)


def _aggregated(
    clients: Sequence[Client],
    settings: Settings,
    sent: Mapping[int, Adapter],
    before: Mapping[str, Adapter],
) -> dict[str, Adapter]:
    """The global adapter of each home, of what is shared: the same but where domains go apart."""
    left_out = {c.index for c in clients if c.within(settings.left_out)}
    found: dict[str, Adapter] = {}
    for home, last in before.items():
        chosen = [
            sent[c.index]
            for c in clients
            if c.index in sent
            and c.index not in left_out
            and (settings.aggregation != "by-domain" or c.home == home)
        ]
        found[home] = average(chosen, [1.0] * len(chosen)) if chosen else last
    return found


def _note(
    numbers: dict[str, NDArray[np.float32]],
    index: int,
    evidence: Evidence,
    statistics: Sequence[Statistic],
    examples: int,
) -> None:
    change = system_change(evidence)
    told: dict[str, float] = {
        "system.loss": change.loss,
        "system.accuracy": change.accuracy,
        "examples": float(examples),
    }
    for statistic in statistics:
        told[statistic.code] = statistic.value
        told[f"{statistic.code}.spread"] = statistic.spread
    roles: tuple[tuple[AdapterRole, str], ...] = (("global", ""), ("personalized", "personal_"))
    for role, prefix in roles:
        outcomes = evidence.get(role, "records")
        right = outcomes.of(lambda item: item.answer)
        answers = np.array([item.answer for item in outcomes.items])
        told[f"{prefix}loss"] = float(-np.log(np.clip(right, SMALLEST_PROBABILITY, 1)).mean())
        told[f"{prefix}accuracy"] = float((outcomes.chosen() == answers).mean())
    for name in CLIENT_COLUMNS:
        numbers[name][0, index] = told[name]


def _unknown(universes: Universes, code: str) -> float:
    """What a draw without replacement leaves of an error, of the role that is drawn least of."""
    roles: set[ItemRole] = {need.items for need in MODES[code].needs}
    roles.discard("records")
    left = [1 - min(1.0, TRUE[role] / len(universes[role].units)) for role in roles]
    return float(np.sqrt(max(left, default=1.0)))


def _standard_error(errors: NDArray[np.float64], clients: Sequence[Client]) -> NDArray[np.float64]:
    """(1, modes) of the mean: each client draws its own items, records are shared within a home."""
    there = ~np.isnan(errors[:, 0])
    found = np.sqrt(np.nansum(errors**2, axis=0)) / there.sum()
    homes = np.array([client.home for client in clients])
    for place, code in enumerate(CODES):
        if MODES[code].view == "client_private":
            sums = [np.nansum(errors[homes == home, place]) for home in np.unique(homes)]
            found[place] = np.linalg.norm(sums) / there.sum()
    return found[None]


def _check(scenario: Scenario, settings: Settings) -> None:
    odd = settings.shuffled or settings.lost_gradients or settings.aggregation == "exact"
    if "lm" not in scenario.tiers or odd:
        raise InputError(
            f"the scenario {scenario.name!r} is not of the language-model tier",
            where="scenario",
            remedy="Run it with --tier fleet.",
        )

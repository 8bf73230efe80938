"""One federation of the language-model tier: a scenario's records, real training, full access.

The product's own model, modes and training; no network between clients and server, and no release:
a trace holds what each client measured before clip and noise, and beside it the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from unsilent.client.measuring import system_change
from unsilent.errors import InputError
from unsilent.items import Item, ItemSet, Outcomes
from unsilent.models import Adapter, PersonalModel, average
from unsilent.modes import MODES
from unsilent.modes.base import AdapterRole, Evidence, ItemRole, Need, Statistic
from unsilent.modes.gather import gather, needs_of
from unsilent.plan.personalization import USUAL
from unsilent.probes.sentiment import Text, private_texts, usable
from unsilent.probes.templates import CAUSAL_LM
from unsilent.release.record_unit import SMALLEST_PROBABILITY
from unsilent_bench.lm.training import LocalTraining, Run
from unsilent_bench.scenarios.base import Client, Scenario, Settings, clients_of
from unsilent_bench.scenarios.client_texts import partition
from unsilent_bench.traces.federation import CLIENT_COLUMNS, CODES, Federation

WORDS = (5, 12)
"""Shortest and longest text of a record, in words: a token costs as much wherever it stands."""
_TRUE_RECORDS = 48
"""Held-out records a client that the truth of its own records is read from."""
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
        for client in training.present(round_number):
            k = client.index
            begun[k] = own[k].begin(round_number, globals_[client.home])
            locals_[k] = training.local(client, round_number, begun[k])
            sent[k] = own[k].end(round_number, locals_[k])
            told(next(done), steps)
        globals_ = _aggregated(clients, settings, sent, globals_)
    trained = {text.id for each in parts for text in each.train}
    order = np.random.default_rng([run.seed, 0x7077]).permutation(len(texts))
    free = [texts[place] for place in order if texts[place].id not in trained]
    numbers = {name: np.full((1, len(clients)), np.nan, np.float32) for name in CLIENT_COLUMNS}
    truths = np.full((len(clients), len(CODES)), np.nan)
    errors = np.full((len(clients), len(CODES)), np.nan)
    for client in clients:
        if client.index not in locals_:
            continue
        round_number = plan.federation.rounds
        aggregated = own[client.index].whole(round_number + 1, globals_[client.home])
        adapters: dict[AdapterRole, Adapter | None] = {
            "reference": None,
            "start": begun[client.index],
            "local": locals_[client.index],
            "global": aggregated,
            "personalized": own[client.index].personal(round_number, aggregated),
        }
        texts_held = run.scenario.of_time(parts[client.index].held_out, round_number)
        held = run.scenario.held_out(client, texts_held, round_number, strength)
        records = ItemSet(f"client-{client.index}-held-out", held)
        evidence, statistics = measured(
            run.model, run.probes.released, records, adapters, client.home, more=_SHOWN
        )
        _note(numbers, client.index, evidence, statistics, len(held))
        more = _more_records(run.scenario, client, free, strength, round_number)
        _, true = measured(run.model, run.probes.beyond, more, adapters, client.home)
        for place, statistic in enumerate(true):
            truths[client.index, place] = statistic.value
            errors[client.index, place] = statistic.spread
        told(next(done), steps)
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
        truth_se=_standard_error(errors),
    )


def measured(
    model: PersonalModel,
    probes: Mapping[ItemRole, ItemSet],
    records: ItemSet,
    adapters: Mapping[AdapterRole, Adapter | None],
    home: str,
    *,
    more: Iterable[Need] = (),
) -> tuple[Evidence, list[Statistic]]:
    """What one client's modes need (and ``more``), and its six statistics, in taxonomy order."""
    sets = {**probes, "records": records}

    def scored(need: Need) -> Outcomes:
        rows = model.score(sets[need.items], adapters[need.adapter])
        return Outcomes(sets[need.items], need.adapter, rows)

    evidence = gather(needs_of(CODES, more), scored, home)
    return evidence, [MODES[code].measure(evidence) for code in CODES]


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


def _more_records(
    scenario: Scenario, client: Client, free: Sequence[Text], strength: float, round_number: int
) -> ItemSet:
    """Records that nobody trains on, in the client's own mix of domains and labels.

    The first of ``free`` that fit: clients alike share them, so that many cost little more.
    """
    portions = scenario.portions(client, strength)
    total = sum(portion.positive + portion.negative for portion in portions)
    chosen: list[Text] = []
    for portion in portions:
        for positive, count in ((True, portion.positive), (False, portion.negative)):
            pile = [t for t in free if (t.domain, t.positive) == (portion.domain, positive)]
            chosen += pile[: round(_TRUE_RECORDS * count / total)]
    items: tuple[Item, ...] = scenario.held_out(client, chosen, round_number, strength)
    return ItemSet(f"client-{client.index}-beyond", items)


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
    for name, values in numbers.items():
        values[0, index] = told[name]


def _standard_error(errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """(1, modes) of the mean: shared probes do not average out over clients, records do."""
    found = np.nanmean(errors, axis=0, keepdims=True)
    own = [place for place, code in enumerate(CODES) if MODES[code].view == "client_private"]
    count = np.sum(~np.isnan(errors[:, own]), axis=0)
    found[:, own] = np.sqrt(np.nansum(errors[:, own] ** 2, axis=0)) / count
    return found


def _check(scenario: Scenario, settings: Settings) -> None:
    odd = settings.shuffled or settings.lost_gradients or settings.aggregation == "exact"
    if "lm" not in scenario.tiers or odd:
        raise InputError(
            f"the scenario {scenario.name!r} is not of the language-model tier",
            where="scenario",
            remedy="Run it with --tier fleet.",
        )

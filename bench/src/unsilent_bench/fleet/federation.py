"""One federation from start to end: rounds of training, and what each client measures in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from unsilent.models.arrays import Arrays
from unsilent.models.personalization import Personalization
from unsilent_bench.fleet.bank import Bank
from unsilent_bench.fleet.private import (
    Training,
    dp_mean,
    masked_mean,
    median_norm,
    seeds,
    sgd_noise,
)
from unsilent_bench.fleet.records import Crowd, warm_up_data
from unsilent_bench.fleet.scoring import HeldAdapters
from unsilent_bench.fleet.training import Data, PrivateSteps, Tuning, train
from unsilent_bench.fleet.weights import NAMES, Array, Parts, arrays_of, mean_of, rows_of
from unsilent_bench.scenarios.base import Settings

RATE = 1e-3
"""Adam's rate of local training where a scenario's settings say 1."""
WARM_UP = 5
"""Rounds of neutral training before monitoring: the provider's start adapter is the reference."""
DOWN = ("D", "b")
"""The down-projection's arrays."""
GRADIENT_CLIP, PRIVATE_RATE = 1.0, 15.0
"""Of DP-SGD: its clip, and how much larger its steps are. At the plain rate its noise keeps it from
learning anything; with this one a healthy look-alike of a development seed gets as accurate."""
_BATCH, _REHEARSAL = 16, 4
_WARM, _LOCAL, _PERSONAL, _WHO, _NOISE = range(5)

Measure = Callable[[int, "Adapters", NDArray[np.bool_]], None]
"""Told of each round: its number, its adapters, and (clients,) who took part."""


@dataclass(frozen=True)
class Adapters:
    """The adapters of one monitoring round, by the roles of ``modes.base.AdapterRole``."""

    reference: HeldAdapters
    start: HeldAdapters
    local: HeldAdapters
    shared: HeldAdapters
    personal: HeldAdapters


@dataclass(frozen=True)
class FederationSetup:
    """What is simulated.

    Attributes:
        crowd: Clients and their scenario.
        seed: Of all randomness.
        rounds: Monitored rounds.
        personalization: How the global adapter becomes a client's own.
        training: How privately it is trained.
    """

    crowd: Crowd
    seed: int
    rounds: int
    personalization: Personalization
    training: Training


def simulate(bank: Bank, setup: FederationSetup, measure: Measure) -> None:
    """Train all rounds of a federation; ``measure`` is told of each."""
    crowd, settings = setup.crowd, setup.crowd.scenario.fleet_settings(setup.crowd.strength)
    clients = len(crowd.clients)
    shares = _shares(bank, setup.personalization)
    reference = start_adapter(bank, clients, setup.seed)
    everyone = HeldAdapters.one(reference, clients)
    own = np.repeat(reference[None], clients, axis=0)
    shared = _completed(HeldAdapters.one(reference[shares], clients), own, shares)
    ranks = np.array([client.rank for client in crowd.clients])
    clip: float | None = None
    for round_number in range(1, setup.rounds + 1):
        data = crowd.training(bank, round_number)
        present = _present(setup, settings, round_number)
        # After the round before, ``shared`` holds what stays on each client too.
        start, begun = shared, shared.full()
        tuning = _local(settings, data, setup, ranks)
        trained = _train(bank, begun, data, tuning, setup, settings, ranks, round_number)
        trained = np.where(present[:, None], trained, begun)
        heard = present & (ranks >= round(settings.left_out * clients))
        sent_from, sent = (_sent(rows, shares) for rows in (begun, trained))
        if clip is None:
            clip = median_norm(sent[heard] - sent_from[heard])
        averaged = _aggregate(setup, settings, sent_from, sent, heard, clip, round_number)
        shared = _completed(averaged, trained, shares)
        personal = _personal(bank, setup, settings, shared, own, data, round_number)
        if setup.personalization.lasting:
            own = personal.rows
        measure(
            round_number,
            Adapters(everyone, start, HeldAdapters.each(trained), shared, personal),
            present,
        )


def _shares(bank: Bank, method: Personalization) -> NDArray[np.bool_]:
    """(size,) which numbers of an adapter are averaged."""
    return bank.shape.columns(method.shared(NAMES) if method.splits else NAMES)


def _sent(rows: Array, shares: NDArray[np.bool_]) -> Array:
    """(clients, shared) numbers of (clients, size) adapters that leave the clients."""
    return rows if shares.all() else np.ascontiguousarray(rows[:, shares])


def _completed(averaged: HeldAdapters, trained: Array, shares: NDArray[np.bool_]) -> HeldAdapters:
    """The averaged numbers with what stays on each client, as it was trained."""
    if shares.all():
        return averaged
    whole = trained.copy()
    whole[:, shares] = averaged.full()
    return HeldAdapters.each(whole)


def start_adapter(bank: Bank, clients: int, seed: int) -> Array:
    """(size,) the provider's adapter: rounds of plain training of these clients, no cause in it."""
    return _warmed(bank, clients, seed).copy()


@lru_cache(maxsize=8)
def _warmed(bank: Bank, clients: int, seed: int) -> Array:
    data = warm_up_data(bank, clients, seed)
    tuning = Tuning(2, RATE, _BATCH, _REHEARSAL)
    row = bank.new_row(seed)
    for round_number in range(1, WARM_UP + 1):
        starts = np.repeat(row[None], clients, axis=0)
        trained = train(bank, starts, data, tuning, seeds(seed, clients, round_number, _WARM))
        row = mean_of(trained)
    return row


def _present(setup: FederationSetup, settings: Settings, round_number: int) -> NDArray[np.bool_]:
    clients = len(setup.crowd.clients)
    random = np.random.default_rng([setup.seed, round_number, _WHO])
    chosen = random.permutation(clients)[: round(settings.participation * clients)]
    present = np.zeros(clients, np.bool_)
    present[chosen] = True
    return present


def _local(
    settings: Settings, data: Data, setup: FederationSetup, ranks: NDArray[np.int64]
) -> Tuning:
    tuning = Tuning(settings.epochs, RATE * settings.rate, settings.batch, settings.rehearsal)
    if setup.training.epsilon is None:
        return tuning
    n = data.rows.shape[1]
    steps = -(-n // settings.batch) * settings.epochs * setup.rounds
    noise = sgd_noise(setup.training.epsilon, min(1.0, settings.batch / n), steps)
    lost = ranks >= round((1 - settings.lost_gradients) * len(ranks))
    private = PrivateSteps(GRADIENT_CLIP, noise, lost)
    return replace(tuning, rate=tuning.rate * PRIVATE_RATE, private=private)


def _train(
    bank: Bank,
    begun: Array,
    data: Data,
    tuning: Tuning,
    setup: FederationSetup,
    settings: Settings,
    ranks: NDArray[np.int64],
    round_number: int,
) -> Array:
    clients = len(begun)
    shuffled = ranks >= round((1 - settings.shuffled) * clients)
    trained = train(bank, begun, data, tuning, seeds(setup.seed, clients, round_number, _LOCAL))
    if settings.aggregation == "exact":
        frozen = bank.shape.columns(DOWN)
        trained[:, frozen] = begun[:, frozen]
    if shuffled.any():
        for client in np.flatnonzero(shuffled):
            order = np.random.default_rng([setup.seed, int(client)]).permutation(bank.shape.rank)
            _reorder(trained[client : client + 1], bank, order)
    return trained


def _reorder(row: Array, bank: Bank, order: NDArray[np.int64]) -> None:
    parts = Parts.of(row, bank.shape)
    parts.down[...] = parts.down[:, :, order]
    parts.offset[...] = parts.offset[:, order]
    parts.up[...] = parts.up[:, order]


def _aggregate(
    setup: FederationSetup,
    settings: Settings,
    begun: Array,
    trained: Array,
    heard: NDArray[np.bool_],
    clip: float,
    round_number: int,
) -> HeldAdapters:
    """The new global numbers, one row for each home domain if the settings say so."""
    by_domain = settings.aggregation == "by-domain"
    groups = setup.crowd.homes if by_domain else np.zeros(len(begun), np.int64)
    rows = np.empty((int(groups.max()) + 1, begun.shape[1]), np.float32)
    updates = trained - begun
    for group in range(len(rows)):
        members = np.flatnonzero((groups == group) & heard)
        if not len(members):
            # Of whom nobody is heard, the last one's stays.
            rows[group] = begun[np.argmax(groups == group)]
            continue
        random = np.random.default_rng([setup.seed, round_number, group, _NOISE])
        if setup.training.name == "secure-sum":
            change = masked_mean(updates[members])
        elif setup.training.noise is not None:
            change = dp_mean(updates[members], clip, setup.training.noise, random)
        else:
            change = mean_of(updates[members])
        rows[group] = mean_of(begun[members]) + change
    return HeldAdapters(rows, groups)


def _personal(
    bank: Bank,
    setup: FederationSetup,
    settings: Settings,
    shared: HeldAdapters,
    own: Array,
    data: Data,
    round_number: int,
) -> HeldAdapters:
    """Each client's own, as the federation's personalization makes it of the global adapter."""
    tuning = Tuning(
        settings.personal_epochs, RATE * settings.personal_rate, settings.batch, settings.rehearsal
    )
    numbers = seeds(setup.seed, len(own), round_number, _PERSONAL)

    def tune(start: Arrays, *, pull: float = 0.0, towards: Arrays | None = None) -> Arrays:
        anchors = None if towards is None else rows_of(towards)
        drawn = replace(tuning, pull=pull)
        return arrays_of(train(bank, rows_of(start), data, drawn, numbers, anchors), bank.shape)

    aggregated = arrays_of(shared.full(), bank.shape)
    last = arrays_of(own, bank.shape) if setup.personalization.lasting else aggregated
    return HeldAdapters.each(rows_of(setup.personalization.personal(aggregated, last, tune)))

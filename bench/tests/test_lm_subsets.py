"""Smaller federations are cut from a whole one: each client once, with the truth of its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from unsilent_bench.lm.subsets import parted, subsets
from unsilent_bench.scenarios.base import ranks_of
from unsilent_bench.traces.federation import (
    CLIENT_COLUMNS,
    CLIENT_TRUTHS,
    CODES,
    EXAMPLES,
    Federation,
)

from unsilent.errors import InputError

CLIENTS = 32


def whole(seed: int = 103, dose: str = "strong", *, truths: bool = True) -> Federation:
    """Every number of a client is its index, its truth of mode m a tenth of that plus m."""
    index = np.arange(CLIENTS, dtype=np.float32)[None]
    numbers = {name: index.copy() for name in CLIENT_COLUMNS}
    truth = np.stack([index[0] / 10 + m for m in range(len(CODES))], axis=1)
    if truths:
        numbers |= {name: truth[None, :, m] for m, name in enumerate(CLIENT_TRUTHS)}
    return Federation(
        federation=f"lm-group-skew-{dose}-{CLIENTS}-s{seed}",
        tier="lm",
        scenario="group-skew",
        code="SF-1",
        dose=dose,  # type: ignore[arg-type]
        strength=1.0,
        clients=CLIENTS,
        rounds=1,
        seed=seed,
        split="fresh",
        personalization="fine-tune",
        training="plain",
        plan="sha256:1",
        numbers=numbers,
        truth=truth.mean(axis=0, keepdims=True).astype(np.float64),
        truth_se=np.full((1, len(CODES)), 0.01),
    )


@pytest.mark.parametrize("size", [5, 8, 16])
def test_each_client_is_in_one_part_at_most(size: int) -> None:
    found = subsets(whole(), size)
    assert len(found) == CLIENTS // size
    members = np.concatenate([each.numbers["SF-1"][0] for each in found])
    assert len(set(members.tolist())) == len(members) == size * len(found)
    # Not the first few: homes come in the order of clients.
    assert not np.array_equal(np.sort(found[0].numbers["SF-1"][0]), np.arange(size))


@pytest.mark.parametrize("size", [5, 8, 16])
@pytest.mark.parametrize("share", [0.22, 0.5, 0.625])
def test_a_part_has_its_share_of_a_camp(size: int, share: float) -> None:
    camp = np.flatnonzero(ranks_of(CLIENTS, 103) < round(share * CLIENTS))
    for part in subsets(whole(), size):
        there = np.isin(part.numbers["SF-1"][0].astype(int), camp).sum()
        assert abs(there - share * size) <= 1.0


def test_a_part_is_named_by_its_size_and_a_letter() -> None:
    names = [each.federation for each in subsets(whole(), 16)]
    assert names == ["lm-group-skew-strong-16-s103a", "lm-group-skew-strong-16-s103b"]
    tuned = replace(whole(), federation="lm-group-skew-strong-32-s103-fedsa")
    assert subsets(tuned, 16)[1].federation == "lm-group-skew-strong-16-s103b-fedsa"


def test_the_truth_is_that_of_its_own_clients() -> None:
    for part in subsets(whole(), 5):
        members = part.numbers["SF-1"][0]
        assert np.allclose(part.truth[0], members.mean() / 10 + np.arange(len(CODES)), atol=1e-5)
        assert np.allclose(part.truth_se, 0.01 * np.sqrt(CLIENTS / 5))


def test_a_seed_cuts_all_its_federations_alike_and_another_seed_otherwise() -> None:
    def members(federation: Federation) -> list[float]:
        return subsets(federation, 8)[0].numbers["SF-1"][0].tolist()

    assert members(whole()) == members(whole(dose="none"))
    assert members(whole()) != members(whole(seed=104))


def test_who_was_not_there_counts_nothing() -> None:
    gone = whole()
    numbers = {name: values.copy() for name, values in gone.numbers.items()}
    for values in numbers.values():
        values[0, ::2] = np.nan
    parts = subsets(replace(gone, numbers=numbers), 16)
    for part in parts:
        there = part.numbers["SF-1"][0][part.present[0]]
        assert np.allclose(part.truth[0, 0], there.mean() / 10, atol=1e-5)
        assert np.allclose(part.truth_se, 0.01 * np.sqrt(16 / len(there)))


def test_what_cannot_be_cut_is_refused_or_left_whole() -> None:
    plain = whole(truths=False)
    with pytest.raises(InputError, match="no truth of each client"):
        subsets(plain, 5)
    for size in (0, CLIENTS + 1):
        with pytest.raises(InputError, match="cannot be taken"):
            subsets(whole(), size)
    assert subsets(whole(), CLIENTS) == (whole(),) or len(subsets(whole(), CLIENTS)) == 1
    assert parted([plain]) == [plain]
    assert len(parted([whole()])) == 1 + 6 + 4 + 2
    assert EXAMPLES in parted([whole()])[-1].numbers

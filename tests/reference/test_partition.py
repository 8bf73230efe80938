"""Texts are partitioned by whole documents, disjoint, with the mix that was asked for."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unsilent.errors import PlanError
from unsilent.probes.sentiment import Text
from unsilent.reference.partition import Partition, Quota, by_document

DOMAINS = ("news", "tweets")


def texts(per_domain: int, *, document_size: int = 5, seed: int = 0) -> list[Text]:
    """Half positive; news come in documents of ``document_size``, tweets stand alone."""
    rng = np.random.default_rng(seed)
    made = []
    for domain in DOMAINS:
        for i in range(per_domain):
            document = f"{domain}/{i // document_size if domain == 'news' else i}"
            valence = 1.0 if rng.random() < 0.5 else -1.0
            made.append(Text(f"{domain}/{i}", document, domain, f"text {domain} {i}", valence))
    return made


def every(partition: Partition) -> tuple[Text, ...]:
    return partition.home + partition.away


@settings(max_examples=30, deadline=None)
@given(
    clients=st.integers(1, 6),
    home=st.integers(0, 6),
    away=st.integers(0, 3),
    seed=st.integers(0, 1000),
)
def test_every_quota_is_met_exactly_and_no_unit_is_shared(
    clients: int, home: int, away: int, seed: int
) -> None:
    quotas = [Quota(DOMAINS[i % 2], home, home + 1, away, away) for i in range(clients)]
    parts = by_document(texts(400), quotas, seed=seed)
    owners: dict[str, int] = {}
    for index, (partition, quota) in enumerate(zip(parts, quotas, strict=True)):
        assert sum(t.positive for t in partition.home) == quota.home_positive
        assert sum(not t.positive for t in partition.home) == quota.home_negative
        assert sum(t.positive for t in partition.away) == quota.away_positive
        assert sum(not t.positive for t in partition.away) == quota.away_negative
        assert all(t.domain == quota.home for t in partition.home)
        assert all(t.domain != quota.home for t in partition.away)
        for text in every(partition):
            assert owners.setdefault(text.document, index) == index
    ids = [t.id for partition in parts for t in every(partition)]
    assert len(ids) == len(set(ids))


def test_the_seed_decides_and_repeats() -> None:
    quotas = [Quota("news", 4, 4, 2, 2), Quota("tweets", 4, 4, 2, 2)]
    assert by_document(texts(100), quotas, seed=3) == by_document(texts(100), quotas, seed=3)
    assert by_document(texts(100), quotas, seed=3) != by_document(texts(100), quotas, seed=4)


def test_a_wording_is_used_once_even_under_two_ids() -> None:
    same = [
        Text("tweets/1", "tweets/1", "tweets", "So  good today", 2.0),
        Text("tweets/2", "tweets/2", "tweets", "so good TODAY", 2.0),
        Text("tweets/3", "tweets/3", "tweets", "so bad today", 2.0),
    ]
    (parts,) = by_document(same, [Quota("tweets", 2, 0, 0, 0)], seed=0)
    assert Counter(t.text.casefold().split()[1] for t in parts.home) == {"good": 1, "bad": 1}


def test_too_few_texts_at_home_names_domain_key_and_counts() -> None:
    positive = sum(t.positive for t in texts(30) if t.domain == "news")
    with pytest.raises(PlanError) as caught:
        by_document(texts(30), [Quota("news", positive + 4, 1, 0, 0)], seed=0)
    line = caught.value.line()
    assert caught.value.where == "federation.records"
    assert f"want {positive + 4} positive texts" in line
    assert f"there are {positive}, 4 too few" in line
    assert "news" in line


def test_too_few_texts_elsewhere_is_an_error_too() -> None:
    with pytest.raises(PlanError, match="outside their home domain"):
        by_document(texts(30), [Quota("news", 1, 1, 40, 1)], seed=0)


def test_large_documents_are_partitioned_without_running_dry_early() -> None:
    """Documents of 5 mixed texts for 20 clients use at least 85% of the scarcer label."""
    supply = texts(1000, seed=5)
    scarce = min(Counter(t.positive for t in supply if t.domain == "news").values())
    each = int(scarce * 0.85) // 20
    parts = by_document(supply, [Quota("news", each, each, 0, 0)] * 20, seed=1)
    assert sum(len(partition.home) for partition in parts) == 40 * each

"""Real clients from real text: disjoint, with the mix and the skew that the plan says."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from unsilent.errors import PlanError
from unsilent.items import Item
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.probes.names import PROBE, TRAIN
from unsilent.probes.sentiment import DOMAINS, part_of, sentiment_texts
from unsilent.reference.records import ClientRecords, client_records

pytestmark = pytest.mark.model


def plan(kind: str = "encoder", seed: int = 1, **federation: Any) -> MonitoringPlan:
    shape = {"clients": 12, "records": 40, "held_out": 20, "home_share": 0.75, **federation}
    return parse_plan(
        {
            "schema": "unsilent/plan/1",
            "seed": seed,
            "model": {"kind": kind},
            "federation": shape,
            "modes": {"amplified_bias": {"tolerance": 0.05}},
        }
    )


def clients(of: MonitoringPlan) -> list[ClientRecords]:
    return [client_records(of, index) for index in range(of.federation.clients)]


def every(client: ClientRecords) -> tuple[Item, ...]:
    return client.train.items + client.held_out.items


def share(items: list[Item], group: str) -> float:
    """Share of positive answers among the records that a group wrote."""
    return sum(i.answer == 0 for i in items if i.group == group) / sum(
        i.group == group for i in items
    )


def test_sizes_home_and_labels_are_exact() -> None:
    for index, client in enumerate(clients(plan(positive_share=0.6))):
        assert client.home_domain == DOMAINS[index % 4]
        for items, size in ((client.train, 40), (client.held_out, 20)):
            assert len(items) == size
            assert sum(i.domain == client.home_domain for i in items) == 0.75 * size
            assert sum(i.answer == 0 for i in items) == 0.6 * size


def test_no_text_or_document_is_shared_and_none_is_public() -> None:
    texts = {t.id: t for t in sentiment_texts()}
    owners: dict[str, int] = {}
    for index, client in enumerate(clients(plan())):
        ids = [i.id for i in every(client)]
        assert len(set(ids)) == len(ids)
        documents = {texts[i].document for i in ids}
        assert tuple(sorted(documents)) == client.documents
        for document in documents:
            assert owners.setdefault(document, index) == index
        assert {part_of(texts[i]) for i in ids} == {"private"}


def test_labels_stay_true_to_the_text_whatever_the_skew() -> None:
    texts = {t.id: t for t in sentiment_texts()}
    for client in clients(plan(group_skew=1.0)):
        assert all((i.answer == 0) == (texts[i.id].valence > 0) for i in every(client))


@pytest.mark.parametrize("skew", [0.5, 0.95, 1.0])
def test_the_skew_lies_in_who_wrote_what(skew: float) -> None:
    members = clients(plan(group_skew=skew, group_share=0.8))
    for part in ("train", "held_out"):
        items = [i for client in members for i in getattr(client, part)]
        named = [i for i in items if i.group is not None]
        # Counts are exact up to one record a label and client.
        assert len(named) / len(items) == pytest.approx(0.8, abs=0.05)
        assert share(items, "A") == pytest.approx(skew, abs=0.05)
        assert share(items, "B") == pytest.approx(1 - skew, abs=0.05)


def test_scenarios_differ_in_names_alone() -> None:
    """The cause alone differs: same texts, same labels, same split, other authors."""
    for skewed, healthy in zip(
        clients(plan(group_skew=0.95)), clients(plan(group_skew=0.5)), strict=True
    ):
        for one, other in ((skewed.train, healthy.train), (skewed.held_out, healthy.held_out)):
            assert [(i.id, i.answer) for i in one] == [(i.id, i.answer) for i in other]
            assert [i.group is None for i in one] == [i.group is None for i in other]
        assert [i.group for i in every(skewed)] != [i.group for i in every(healthy)]


def test_only_training_names_are_used() -> None:
    names = Counter(
        i.prompt.split(" wrote: ")[0]
        for client in clients(plan(group_share=1.0))
        for i in every(client)
    )
    assert set(names) <= set(TRAIN.a) | set(TRAIN.b)
    assert not set(names) & (set(PROBE.a) | set(PROBE.b))
    assert len(names) > 40


def test_each_kind_of_model_reads_its_own_style() -> None:
    lm = client_records(plan("causal_lm"), 0).train.items
    encoder = client_records(plan("encoder"), 0).train.items
    assert [i.id for i in lm] == [i.id for i in encoder]
    assert {i.choices for i in lm} == {(" positive", " negative")}
    assert {i.choices for i in encoder} == {("positive", "negative")}
    assert all(i.prompt.startswith("Review: ") for i in lm)
    named = next(i for i in lm if i.group is not None)
    assert named.prompt.endswith("\nSentiment:")
    assert "\nReviewer: " in named.prompt
    assert {i.task for i in encoder} == {"sentiment"}


def test_label_skew_alternates_within_each_domain() -> None:
    members = clients(plan(clients=16, label_skew=0.2))
    mix = [sum(i.answer == 0 for i in client.train) / 40 for client in members]
    assert mix == pytest.approx(([0.7] * 4 + [0.3] * 4) * 2)


def test_the_same_plan_gives_the_same_clients_and_another_seed_others() -> None:
    one, again = client_records(plan(seed=3), 5), client_records(plan(seed=3), 5)
    other = client_records(plan(seed=4), 5)
    assert one.train.digest == again.train.digest
    assert one.held_out.digest == again.held_out.digest
    assert one.train.digest != other.train.digest


def test_valence_is_kept() -> None:
    texts = {t.id: t for t in sentiment_texts()}
    client = client_records(plan(valence=[0.3, 1.5]), 2)
    sizes = [abs(texts[i.id].valence) for i in every(client)]
    assert min(sizes) >= 0.3
    assert max(sizes) <= 1.5


def test_128_narrow_clients_fit_into_the_data() -> None:
    wanted = plan(clients=128, records=24, held_out=16, home_share=1.0)
    assert len({i.id for client in clients(wanted) for i in every(client)}) == 128 * 40


def test_more_than_the_data_holds_is_an_error_with_key_and_counts() -> None:
    with pytest.raises(PlanError) as caught:
        client_records(plan(clients=128, records=96, held_out=48, home_share=1.0), 0)
    assert caught.value.where == "federation.records"
    assert "32 clients at home in" in caught.value.what
    assert "there are" in caught.value.what


def test_a_client_that_does_not_exist_is_named() -> None:
    with pytest.raises(PlanError, match=r"federation\.clients: there is no client 12"):
        client_records(plan(), 12)

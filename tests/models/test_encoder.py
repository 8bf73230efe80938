"""The encoder kind: frozen embeddings, a residual adapter, one head a task."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from unsilent.errors import ModelError
from unsilent.items import Item, ItemSet, Outcomes
from unsilent.models.base import Adapter, PersonalModel, Training
from unsilent.models.encoder import Encoder, provided_heads
from unsilent.models.heads import Examples
from unsilent.models.vectors import VectorStore
from unsilent.plan import AdapterPlan

WIDTH = 24
LABELS = {
    "sentiment": ("positive", "negative"),
    "topic": ("sport", "art", "law"),
}


class WordEmbedder:
    """Sum of fixed random vectors of a text's words: linear, so that heads can learn it."""

    width = WIDTH
    digest = "sha256:words"

    def __init__(self) -> None:
        self.calls = 0

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.calls += len(texts)
        return np.array([sum(self._word(w) for w in text.split()) for text in texts], np.float32)

    @staticmethod
    def _word(word: str) -> NDArray[np.float64]:
        seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4])
        return np.random.default_rng(seed).normal(size=WIDTH)


def text(task: str, answer: int, index: int) -> str:
    """One word that tells the class among two that tell nothing."""
    return f"noise{index % 97} {LABELS[task][answer]}-word noise{index % 89}x"


def examples(task: str, n: int = 240) -> Examples:
    classes = len(LABELS[task])
    answers = tuple(i % classes for i in range(n))
    texts = tuple(text(task, a, i) for i, a in enumerate(answers))
    return Examples(task, LABELS[task], texts, answers)


def items(task: str, n: int = 60, *, start: int = 1000) -> ItemSet:
    classes = len(LABELS[task])
    return ItemSet(
        task,
        tuple(
            Item(
                f"{task}-{i}",
                text(task, i % classes, start + i),
                LABELS[task],
                answer=i % classes,
                task=task,
            )
            for i in range(n)
        ),
    )


def encoder(folder: Path, *, rank: int = 4, scale: float = 1.0, rehearsal: int = 4) -> Encoder:
    embedder = WordEmbedder()
    store = VectorStore(folder / "v.sqlite", WIDTH)
    public = [examples(task) for task in LABELS]
    provided = provided_heads(embedder, store, public, ridge=0.05)
    adapter = AdapterPlan(rank=rank, scale=scale)
    return Encoder(embedder, store, provided, public, adapter=adapter, rehearsal=rehearsal)


@pytest.fixture
def model(tmp_path: Path) -> Encoder:
    return encoder(tmp_path)


def flipped(records: ItemSet) -> ItemSet:
    return ItemSet("flipped", tuple(replace(i, answer=1 - (i.answer or 0)) for i in records))


def random_adapter(model: Encoder, seed: int) -> Adapter:
    rng = np.random.default_rng(seed)
    start = model.new_adapter(seed)
    return Adapter(
        start.base,
        {k: v + rng.normal(0, 0.2, v.shape).astype(np.float32) for k, v in start.tensors.items()},
    )


def test_it_is_a_personal_model(model: Encoder) -> None:
    kind: PersonalModel = model
    assert kind.digest.startswith("sha256:")


def test_a_new_adapter_changes_nothing(model: Encoder) -> None:
    for task in LABELS:
        probes = items(task)
        np.testing.assert_array_equal(
            model.score(probes, model.new_adapter(3)), model.score(probes, None)
        )


def test_the_base_answers_both_tasks(model: Encoder) -> None:
    for task in LABELS:
        outcomes = Outcomes(items(task), "reference", model.score(items(task), None))
        answers = np.array([item.answer for item in outcomes.items])
        assert (outcomes.chosen() == answers).mean() > 0.95


def test_choices_are_matched_by_label_not_by_place(model: Encoder) -> None:
    probes = items("topic")
    turned = ItemSet(
        "turned", tuple(replace(i, choices=("law", "sport"), answer=None) for i in probes)
    )
    straight = model.score(probes, None)
    pair = straight[:, [2, 0]] / straight[:, [2, 0]].sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.score(turned, None), pair, atol=1e-12)


def test_items_of_several_tasks_in_one_set(model: Encoder) -> None:
    mixed = ItemSet("mixed", items("sentiment", 6).items + items("topic", 6).items)
    table = model.score(mixed, random_adapter(model, 0))
    assert table.shape == (12, 3)
    assert (table[:6, 2] == 0).all()
    Outcomes(mixed, "local", table)


def test_scores_agree_with_the_formula_in_torch(tmp_path: Path) -> None:
    model = encoder(tmp_path, scale=2.5)
    adapter = random_adapter(model, 1)
    probes = items("sentiment")
    tensors = {k: torch.from_numpy(v).double() for k, v in adapter.tensors.items()}
    h = torch.from_numpy(model._framed(probes)).double()
    z = h + 2.5 * torch.relu(h @ tensors["D"] + tensors["b"]) @ tensors["U"]
    logits = z @ tensors["head.weight"].T + tensors["head.bias"]
    np.testing.assert_allclose(
        model.score(probes, adapter), torch.softmax(logits, 1).numpy(), atol=1e-5
    )


@pytest.mark.parametrize("rehearsal", [0, 5])
def test_training_agrees_with_torch_adam(tmp_path: Path, rehearsal: int) -> None:
    model = encoder(tmp_path, scale=1.5, rehearsal=rehearsal)
    start, records = random_adapter(model, 2), items("sentiment", 20)
    training = Training(epochs=3, learning_rate=0.01, batch=8, seed=5)
    ours, report = model.train(start, records, training)

    tensors = {k: torch.tensor(v, requires_grad=True) for k, v in start.tensors.items()}
    optimizer = torch.optim.Adam(tensors.values(), lr=0.01)
    random = np.random.default_rng(5)
    h = torch.from_numpy(model._framed(records))
    answers = torch.tensor([item.answer for item in records])
    head = model._provided.heads["topic"]
    public = model._provided.frame(WordEmbedder().embed(examples("topic").texts))
    weight, bias = torch.from_numpy(head.weight), torch.from_numpy(head.bias)

    def forward(x: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(x @ tensors["D"] + tensors["b"])
        return x + 1.5 * hidden @ tensors["U"]

    losses: list[float] = []
    for _ in range(3):
        losses = []
        order = random.permutation(20)
        for begin in range(0, 20, 8):
            rows = torch.from_numpy(order[begin : begin + 8])
            logits = forward(h[rows]) @ tensors["head.weight"].T + tensors["head.bias"]
            loss = torch.nn.functional.cross_entropy(logits, answers[rows])
            losses += [float(loss.detach())] * len(rows)
            if rehearsal:
                x = torch.from_numpy(public[random.integers(0, len(public), rehearsal)])
                wanted = torch.softmax(x @ weight.T + bias, 1)
                loss = loss + torch.nn.functional.cross_entropy(
                    forward(x) @ weight.T + bias, wanted
                )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert report.loss == pytest.approx(np.mean(losses), rel=1e-4)
    assert report.examples == 20
    for name, tensor in ours.tensors.items():
        np.testing.assert_allclose(tensor, tensors[name].detach().numpy(), atol=2e-4)


def test_training_learns_what_the_records_say(model: Encoder) -> None:
    records = flipped(items("sentiment", 48))
    training = Training(epochs=30, learning_rate=0.01, batch=16, seed=0)
    trained, report = model.train(model.new_adapter(0), records, training)
    assert report.accuracy > 0.95
    held_out = flipped(items("sentiment", 40, start=5000))
    outcomes = Outcomes(held_out, "local", model.score(held_out, trained))
    assert (outcomes.chosen() == [item.answer for item in held_out]).mean() > 0.9


def test_rehearsal_keeps_the_frozen_task(tmp_path: Path) -> None:
    """Learning the opposite of what the base knows costs another task less with rehearsal."""
    probes = items("topic", 90)
    drift = {}
    for rehearsal in (0, 8):
        model = encoder(tmp_path, rehearsal=rehearsal)
        records = flipped(items("sentiment", 48))
        training = Training(epochs=20, learning_rate=0.02, batch=16, seed=0)
        trained, _ = model.train(model.new_adapter(0), records, training)
        drift[rehearsal] = np.abs(model.score(probes, trained) - model.score(probes, None)).mean()
    assert drift[8] < 0.5 * drift[0]


def test_the_same_seed_trains_the_same_adapter(model: Encoder) -> None:
    records = items("sentiment", 20)
    start = model.new_adapter(0)
    one = model.train(start, records, Training(2, 0.01, 8, seed=1))
    same = model.train(start, records, Training(2, 0.01, 8, seed=1))
    other = model.train(start, records, Training(2, 0.01, 8, seed=2))
    assert one[0].digest == same[0].digest
    assert one[1] == same[1]
    assert one[0].digest != other[0].digest
    assert start.digest == model.new_adapter(0).digest


def test_digests_tell_models_apart(tmp_path: Path) -> None:
    digests = {
        encoder(tmp_path).digest,
        encoder(tmp_path, rank=5).digest,
        encoder(tmp_path, scale=2.0).digest,
        encoder(tmp_path, rehearsal=0).digest,
    }
    assert len(digests) == 4
    assert encoder(tmp_path).digest == encoder(tmp_path).digest


def test_an_adapter_of_another_base_is_refused(tmp_path: Path) -> None:
    other = encoder(tmp_path, rank=5).new_adapter(0)
    model = encoder(tmp_path)
    with pytest.raises(ModelError, match="another base"):
        model.score(items("sentiment"), other)
    with pytest.raises(ModelError, match="another base"):
        model.train(other, items("sentiment"), Training(1, 0.01, 8, 0))


def test_bad_items_are_named(model: Encoder) -> None:
    good = items("sentiment", 2)
    training = Training(1, 0.01, 8, 0)
    start = model.new_adapter(0)
    for change, message, trains in (
        ({"task": "cooking"}, "item x: no head for task 'cooking'.*sentiment, topic", False),
        ({"task": None}, "item x: no head for task None", False),
        ({"choices": ("good", "bad")}, "item x: .*not a class.*positive, negative", False),
        ({"answer": None}, "item x: a training record needs an answer", True),
        ({"task": "topic", "choices": ("art", "law")}, "item x: .*trains its sentiment", True),
    ):
        bad = ItemSet("bad", (*good.items, replace(good.items[0], id="x", **change)))
        with pytest.raises(ModelError, match=message):
            model.train(start, bad, training) if trains else model.score(bad, start)


def test_warming_embeds_each_text_once(tmp_path: Path) -> None:
    embedder = WordEmbedder()
    store = VectorStore(tmp_path / "v.sqlite", WIDTH)
    public = [examples(task) for task in LABELS]
    provided = provided_heads(embedder, store, public, ridge=0.05)
    model = Encoder(embedder, store, provided, public, adapter=AdapterPlan(rank=2))
    probes = items("sentiment", 30, start=7000)
    distinct = len({item.prompt for item in probes})
    before = embedder.calls
    assert model.warm([probes, probes]) == distinct
    assert model.warm([probes]) == 0
    model.score(probes, None)
    assert embedder.calls == before + distinct

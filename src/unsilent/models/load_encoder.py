"""From a plan to an encoder that is ready: weights, store of embeddings, heads."""

from __future__ import annotations

from collections.abc import Sequence

from unsilent.assets import cache_root
from unsilent.errors import ModelError
from unsilent.items import ItemSet
from unsilent.models.embedder import Embedder, encoder_folder
from unsilent.models.encoder import Encoder, provided_heads
from unsilent.models.heads import Examples
from unsilent.models.vectors import VectorStore
from unsilent.plan import AdapterPlan, ModelPlan
from unsilent.probes.heads import HEAD_TASKS, head_examples

_OLD_DIGITS = 16


def load_encoder(model: ModelPlan, adapter: AdapterPlan) -> Encoder:
    """The encoder of a plan, with its heads fitted on public examples the first time.

    Embeddings and heads are kept in the user's cache, one store for each model digest. Weights
    are only loaded into memory when a text has no embedding yet.

    Raises:
        ModelError: The model cannot be used; names its folder.
        AssetError: An embedded package cannot be had.
    """
    embedder = Embedder(encoder_folder(model), dtype=model.dtype, device=model.device)
    store = store_of(embedder, embedded=model.id == "embedded")
    examples = [as_examples(task, head_examples(task)) for task in HEAD_TASKS]
    provided = provided_heads(embedder, store, examples)
    return Encoder(embedder, store, provided, examples, adapter=adapter)


def store_of(embedder: Embedder, *, embedded: bool) -> VectorStore:
    """The store of a model's embeddings in the user's cache, one for each model digest.

    Args:
        embedder: The model.
        embedded: Whether it is the embedded one. Versions that cut the digest left a store under
            its beginning; for this one model, which nobody else can choose, it is used on.
    """
    digits = embedder.digest.removeprefix("sha256:")
    path = cache_root() / "embeddings" / digits / "vectors.sqlite"
    old = path.parent.with_name(digits[:_OLD_DIGITS]) / path.name
    if embedded and old.is_file() and not path.is_file():
        path = old
    return VectorStore(path, embedder.width)


def as_examples(task: str, items: ItemSet) -> Examples:
    """Items that share their choices as labelled texts for one head.

    Raises ModelError for an item without an answer or with other choices than the first.
    """
    labels = items.items[0].choices
    answers: Sequence[int] = [item.answer for item in items if item.answer is not None]
    if len(answers) != len(items) or any(item.choices != labels for item in items):
        raise ModelError(
            "examples of a head need an answer each and the same choices",
            where=f"head {task}",
        )
    return Examples(task, labels, tuple(item.prompt for item in items), tuple(answers))

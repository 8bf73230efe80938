"""A small bank whose embeddings are drawn by text, for tests of the fleet."""

from pathlib import Path

from unsilent_bench.fleet.bank import Bank

from tests.reference.small_encoder import WIDTH, Drawn, few_examples
from unsilent.models.encoder import provided_heads
from unsilent.models.vectors import VectorStore


def small_bank(folder: Path) -> Bank:
    """Heads of the three tasks on 20 examples a class."""
    examples, drawn = few_examples(), Drawn()
    store = VectorStore(folder / "vectors.sqlite", WIDTH)
    return Bank(drawn, store, provided_heads(drawn, store, examples), examples)

"""What older versions cached under the beginning of a digest: used where the rest is known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from unsilent.models.load_encoder import store_of
from unsilent.models.recipe import NOTE, RECIPE, aligned_name, aligned_ready


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UNSILENT_CACHE", str(tmp_path))
    return tmp_path


def test_an_aligned_model_of_the_same_recipe_is_used_on(cache: Path) -> None:
    assert aligned_ready() is None
    name = aligned_name()
    old = cache / "models" / name[: name.rindex("-") + 1 + 12]
    old.mkdir(parents=True)
    for recipe, used in ((replace(RECIPE, seed=9), None), (RECIPE, old)):
        (old / NOTE).write_text(json.dumps({"recipe": recipe.key()}))
        assert aligned_ready() == used
    new = cache / "models" / name
    new.mkdir()
    (new / NOTE).write_text("{}")
    assert aligned_ready() == new


def test_only_the_embedded_encoder_goes_on_with_an_older_store(cache: Path) -> None:
    embedder: Any = SimpleNamespace(digest="sha256:" + "ab" * 32, width=3)
    old = cache / "embeddings" / ("ab" * 8) / "vectors.sqlite"
    new = cache / "embeddings" / ("ab" * 32) / "vectors.sqlite"
    assert store_of(embedder, embedded=True).path == new
    old.parent.mkdir(parents=True)
    old.touch()
    assert store_of(embedder, embedded=True).path == old
    assert store_of(embedder, embedded=False).path == new

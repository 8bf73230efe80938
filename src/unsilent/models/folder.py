"""Whether a folder's files say one thing, and the model that came from them is what they hold.

transformers takes the first files that it finds and casts what it is given; another engine takes
others. Where a folder holds two models, it is not known which one serves.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from unsilent.errors import ModelError

_SAFE, _PICKLED = "model.safetensors", "pytorch_model.bin"
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError)
_NUMBERS = {"F16", "BF16", "F32", "F64"}
_ROUNDED = 1e-2
"""How far a weight may lie from its copy in half precision, as a share."""

_ONE = "Keep the files of one model, those that are served, and remove the others."
_AGAIN = "Copy the folder again, or save the model again with save_pretrained."


def check_files(folder: Path, *, where: str) -> None:
    """Refuse a folder whose weight files lack something, or contradict each other.

    Args:
        folder: As save_pretrained writes it.
        where: What errors call it.

    Raises:
        ModelError: A file that the index names is missing or lacks a weight, a weight is there
            twice, or there are two models; names the first of them.
    """
    safe = _files(folder, _SAFE, where)
    pickled = _files(folder, _PICKLED, where)
    if safe:
        held = _names(safe.keys(), folder, where)
        for file, names in safe.items():
            for name in sorted(names):
                if file not in held.get(name, ()):
                    raise ModelError(
                        f"the index says that {file} holds {name}, and it does not",
                        where=where,
                        remedy=_AGAIN,
                    )
        twice = sorted(name for name, files in held.items() if len(files) > 1)
        if twice:
            raise ModelError(
                f"{twice[0]} is in {' and in '.join(held[twice[0]])}", where=where, remedy=_ONE
            )
    if safe and pickled:
        _check_same(folder, list(safe), list(pickled), where)


def safe_files(folder: Path, *, where: str) -> list[Path]:
    """The safetensors files that are the model: those of the usual names, or the only one.

    Raises:
        ModelError: There are several, and nothing says which of them are the model.
    """
    named = [folder / file for file in _files(folder, _SAFE, where)]
    found = named or sorted(folder.glob("*.safetensors"))
    if not named and len(found) > 1:
        raise ModelError(
            f"there are {len(found)} safetensors files, no {_SAFE} and no index",
            where=where,
            remedy=_ONE,
        )
    return found


def check_weights(model: Any, folder: Path | None, *, where: str) -> None:
    """Refuse a loaded model whose weights are not what its folder holds.

    Args:
        model: From transformers, with plain weights.
        folder: Where it was loaded from; None where its files hold the numbers in another way.
        where: What errors call it.

    Raises:
        ModelError: A weight is stored as whole numbers without a word of how to read them, is no
            finite number, or is a head of its own where config.json says that it is none.
    """
    places = dict(model.named_parameters())
    for file, kinds in ({} if folder is None else _kinds(folder, where)).items():
        for name, kind in kinds.items():
            if kind not in _NUMBERS and name in places and places[name].is_floating_point():
                raise ModelError(
                    f"{name} in {file} is stored as {kind}, and nothing in config.json says how "
                    "to read it",
                    where=where,
                    remedy="Use the config.json that was saved with the weights, or the plain "
                    "weights.",
                )
    for name, parameter in places.items():
        if parameter.is_floating_point() and not _finite(parameter):
            raise ModelError(f"{name} holds what is no finite number", where=where, remedy=_AGAIN)
    if _says_tied(model.config) and getattr(model, "_tied_weights_keys", None):
        head, table = model.get_output_embeddings(), model.get_input_embeddings()
        if (
            isinstance(head, nn.Linear)
            and isinstance(table, nn.Embedding)
            and head.weight.data_ptr() != table.weight.data_ptr()
            and not torch.equal(head.weight, table.weight)
        ):
            raise ModelError(
                "config.json says that the head is the embeddings (tie_word_embeddings), and the "
                "weights hold another head",
                where=where,
                remedy="Use the config.json that was saved with the weights.",
            )


def _says_tied(config: Any) -> bool:
    try:
        config = config.get_text_config(decoder=True)
    except ValueError:
        # Several of its parts read text.
        return False
    return bool(getattr(config, "tie_word_embeddings", False))


def _files(folder: Path, single: str, where: str) -> dict[str, set[str]]:
    """The files of one kind that hold the weights, and the names that an index gives to each."""
    index = folder / f"{single}.index.json"
    if not index.is_file():
        return {single: set()} if (folder / single).is_file() else {}
    if (folder / single).is_file():
        raise ModelError(
            f"there are a {single} and an index of other files, and it is not said which of them "
            "is the model",
            where=where,
            remedy=_ONE,
        )
    try:
        told = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        found: dict[str, set[str]] = {}
        for name, file in told.items():
            found.setdefault(str(file), set()).add(str(name))
    except _UNREADABLE:
        raise ModelError(f"{index.name} cannot be read", where=where, remedy=_AGAIN) from None
    for file in sorted(found):
        if Path(file).name != file or not (folder / file).is_file():
            raise ModelError(
                f"{index.name} names {file}, which is not there", where=where, remedy=_AGAIN
            )
    return found


def _names(files: Iterable[str], folder: Path, where: str) -> dict[str, list[str]]:
    """Which of the files hold each weight."""
    held: dict[str, list[str]] = {}
    for file in files:
        try:
            with safe_open(folder / file, framework="np") as opened:  # type: ignore[no-untyped-call]
                for name in opened.keys():  # noqa: SIM118
                    held.setdefault(name, []).append(file)
        except (SafetensorError, OSError):
            raise ModelError(f"{file} cannot be read", where=where, remedy=_AGAIN) from None
    return held


def _kinds(folder: Path, where: str) -> dict[str, dict[str, str]]:
    """File to weight to how its numbers are stored, of the model's safetensors files."""
    found: dict[str, dict[str, str]] = {}
    for path in safe_files(folder, where=where):
        with safe_open(path, framework="np") as file:  # type: ignore[no-untyped-call]
            names = list(file.keys())
            found[path.name] = {name: file.get_slice(name).get_dtype() for name in names}
    return found


def _check_same(folder: Path, safe: list[str], pickled: list[str], where: str) -> None:
    """Refuse safetensors and pickled files of two models, by the names that are in both."""
    held: dict[str, Any] = {}
    for file in safe:
        opened: Any = safe_open(folder / file, framework="pt")  # type: ignore[no-untyped-call]
        held |= dict.fromkeys(opened.keys(), opened)
    for file in pickled:
        for name, tensor in _unpickled(folder / file).items():
            if name in held and _differ(held[name].get_tensor(name), tensor):
                raise ModelError(
                    f"{safe[0]} and {file} hold two models, which differ in {name}",
                    where=where,
                    remedy=_ONE,
                )


def _unpickled(path: Path) -> Mapping[str, Any]:
    """Tensors of a pickled file; nothing of one that cannot be read, which nobody will."""
    for mapped in (True, False):
        try:
            found = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
        except Exception:
            # Old files are not mapped; and unpickling raises whatever it likes.
            continue
        return found if isinstance(found, Mapping) else {}
    return {}


def _differ(one: Tensor, other: Any) -> bool:
    if not isinstance(other, Tensor) or not other.is_floating_point():
        return False
    if one.shape != other.shape:
        return True
    return not torch.allclose(one.float(), other.float(), rtol=_ROUNDED, atol=1e-6)


def _finite(parameter: Tensor) -> bool:
    """Whether all of a tensor is finite, without a copy of it."""
    if not parameter.numel():
        return True
    low, high = torch.aminmax(parameter.detach())
    return bool(torch.isfinite(low) and torch.isfinite(high))

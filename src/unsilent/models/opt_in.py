"""Opt-in models in the user's cache: made by whoever accepts their terms, read by name after."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from unsilent.assets.opt_in import OPT_IN, OptInModel, fetch_file
from unsilent.errors import InputError, ModelError
from unsilent.models.recipe import NOTE

Progress = Callable[[str, float], None]


def opt_in_folder(name: str) -> Path:
    """Folder of an opt-in model that was fetched here; never fetches one.

    Raises:
        ModelError: Nobody accepted its terms on this machine, or it was not fetched whole.
    """
    folder = OPT_IN[name].folder
    if not (folder / NOTE).is_file():
        raise ModelError(
            "a model with terms of its own, which nobody has accepted here",
            where=f"model.id {name}",
            remedy=f"`unsilent model fetch {name}` shows them and says how.",
        )
    return folder


def opt_in_model(name: str) -> OptInModel:
    """An opt-in model by its name. Raises InputError if there is none of that name."""
    if name not in OPT_IN:
        raise InputError(
            f"no model {name!r} to fetch", where="NAME", remedy=f"Known: {', '.join(OPT_IN)}."
        )
    return OPT_IN[name]


def fetch_accepted(model: OptInModel, progress: Progress) -> Path:
    """Download and convert a model whose terms the caller has accepted; its folder.

    Raises:
        AssetError: It could not be had, or is not what is pinned.
    """
    from unsilent.models.embedded import convert, made_once

    def make(folder: Path) -> dict[str, object]:
        gguf = fetch_file(model, folder, progress)
        # The file names no chat template, so that requests are asked in the plain form.
        convert(gguf, folder, progress, chat_template=None)
        gguf.unlink()
        return {"terms": model.terms, "notice": model.notice, "gguf": f"sha256:{model.sha256}"}

    return made_once(model.folder, make)

"""Whether all of a model came from its files: transformers fills gaps with random numbers.

It says so in a report that nobody has to read, and goes on. Scores of such a model are other ones
in each process, under one digest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from unsilent.errors import ModelError

Spare = Callable[[str], bool]

# Tables that a model computes by itself; older versions saved them.
_COMPUTED = re.compile(
    r"(^|\.)(rotary_emb\.inv_freq|position_ids|token_type_ids|(attn|attention)\.(masked_)?bias)$"
)


def nothing(_name: str) -> bool:
    """No weight is without a part in the numbers."""
    return False


def check_whole(
    info: Mapping[str, Any], *, where: str, missing: Spare = nothing, left: Spare = nothing
) -> None:
    """Refuse a model that its files do not give whole, by the names of its weights.

    Args:
        info: From ``from_pretrained(..., output_loading_info=True, ignore_mismatched_sizes=True)``.
        where: What errors call the folder.
        missing: Which weights may be missing, since what is asked of the model does not use them.
        left: Which weights may be left over, for the same reason.

    Raises:
        ModelError: Weights are missing, of another size, or left over; names the first of them.
    """
    absent = sorted(name for name in info.get("missing_keys", ()) if not missing(name))
    over = sorted(
        name
        for name in info.get("unexpected_keys", ())
        if not left(name) and not _COMPUTED.search(name)
    )
    sizes = sorted(_name_of(entry) for entry in info.get("mismatched_keys", ()))
    faults = [str(text) for text in info.get("error_msgs", ())]
    prefix = _prefix(over, set(absent))
    if sizes:
        what = f"{len(sizes)} weights have another size than config.json says, such as {sizes[0]}"
        remedy = "Use the config.json that was saved with the weights."
    elif prefix:
        what = f"the names of its weights begin with {prefix!r}, which no layer of the model has"
        remedy = (
            "Save the model inside: unwrap what torch.compile or data parallelism put around it, "
            "merge a peft model (merge_and_unload), then save_pretrained."
        )
    elif absent:
        what = f"{len(absent)} of the model's weights are missing, such as {absent[0]}"
        if over:
            what += f"; {len(over)} are left over, such as {over[0]}"
        remedy = "Save it whole, as the kind of model that config.json names, with its head."
    elif over:
        what = f"{len(over)} weights are left over for which it has no place, such as {over[0]}"
        remedy = "Give a causal language model, with the config.json that belongs to its weights."
    elif faults:
        what = "transformers could not read all of its weights"
        remedy = "Save it again with save_pretrained."
    else:
        return
    raise ModelError(what, where=where, remedy=remedy)


def _name_of(entry: object) -> str:
    """A weight of another size: its name, or name and sizes."""
    return str(entry[0]) if isinstance(entry, tuple) else str(entry)


def _prefix(over: list[str], absent: set[str]) -> str:
    """What the names that are left over have before those that are missing; empty if nothing."""
    for name in over:
        parts = name.split(".")
        for place in range(1, len(parts)):
            if ".".join(parts[place:]) in absent:
                return ".".join(parts[:place]) + "."
    return ""

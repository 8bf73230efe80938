"""Where an adapter lies: which modules of which layers a plan's targets are, in any model.

peft finds modules by the ends of their names and layers by the last number in them. In a model of
text and images that reaches both, and in a mixture the number is an expert's. Here a layer is a
place in the stack that text goes through.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from torch import nn

from unsilent.errors import ModelError
from unsilent.plan import AdapterPlan


@dataclass(frozen=True)
class Targets:
    """What is adapted.

    Attributes:
        first, last: The first and the last adapted layer.
        pattern: A regular expression that their whole names match, and no other module's.
        modules: The modules themselves.
    """

    first: int
    last: int
    pattern: str
    modules: tuple[nn.Module, ...]


def find_targets(model: Any, plan: AdapterPlan) -> Targets:
    """The modules that a plan's adapter is put on.

    Raises:
        ModelError: The layers are outside the model's, or have no such module.
    """
    stacks = _stacks(model)
    depth = len(stacks[0][1]) if stacks else 0
    first, last = (index + depth if index < 0 else index for index in plan.layers)
    if not 0 <= first <= last < depth:
        raise ModelError(
            f"layers {list(plan.layers)} are outside the model's {depth} layers",
            where="adapter.layers",
            remedy=f"Use layers between 0 and {depth - 1}, or negative from the end.",
        )
    parts, modules = [], []
    for stack, layers in stacks:
        inner: dict[str, None] = {}
        for layer in layers[first : last + 1]:
            for name, module in layer.named_modules():
                if any(name == end or name.endswith(f".{end}") for end in plan.targets):
                    inner[name] = None
                    modules.append(module)
        if inner:
            numbers = "|".join(map(str, range(first, last + 1)))
            parts.append(rf"{re.escape(stack)}\.({numbers})\.({'|'.join(map(re.escape, inner))})")
    if not parts:
        raise ModelError(
            f"none of the modules {list(plan.targets)} in this model",
            where="adapter.targets",
            remedy="Name linear modules that its layers have.",
        )
    return Targets(first, last, "|".join(parts), tuple(modules))


def text_part(model: Any) -> Any:
    """The part of a model that text goes through, from tokens to what the head is given."""
    found = model.get_decoder() if hasattr(model, "get_decoder") else None
    # Some families call their head a decoder.
    return found if hasattr(found, "config") else getattr(model, "base_model", model)


def _stacks(model: Any) -> list[tuple[str, nn.ModuleList]]:
    """Name and layers of the stacks that text goes through, all of one length.

    As many layers as the config says, or the longest stack where none has so many.
    """
    inside = {id(module) for module in text_part(model).modules()}
    found = _outermost(model)
    found = [pair for pair in found if id(pair[1]) in inside] or found
    lengths = [len(stack) for _, stack in found]
    depth = _depth(model)
    depth = depth if depth in lengths else max(lengths, default=0)
    return [pair for pair in found if len(pair[1]) == depth]


def _depth(model: Any) -> int:
    """How many layers the config says that text goes through; 0 if it does not."""
    try:
        config = model.config.get_text_config(decoder=True)
    except ValueError:
        # Several of its parts read text, and none is the one.
        return 0
    return int(getattr(config, "num_hidden_layers", 0) or 0)


def _outermost(model: nn.Module) -> list[tuple[str, nn.ModuleList]]:
    """All lists of modules that are in no other list."""
    found: list[tuple[str, nn.ModuleList]] = []
    for name, module in model.named_modules():
        if isinstance(module, nn.ModuleList) and not any(
            name.startswith(f"{outer}.") for outer, _ in found
        ):
            found.append((name, module))
    return found

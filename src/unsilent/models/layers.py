"""Modules that stand in a stack of layers for others, and what they stand for."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

# What treats each node by itself in a layer: of the last layer only what is asked is needed.
_BY_NODE = (("self_attn", "q_proj"), ("self_attn", "o_proj"), ("", "mlp"))


class Skip(nn.Module):
    """A layer passed over."""

    def forward(self, hidden_states: Tensor, *_: Any, **__: Any) -> Tensor:
        """What it is given."""
        return hidden_states


class Only(nn.Module):
    """A module that treats each node by itself, for some nodes; zeros elsewhere.

    Args:
        module: From (batch, n, width) to the same with any width.
        places: (k,) which nodes, counted through the batch.
    """

    def __init__(self, module: nn.Module, places: Tensor) -> None:
        super().__init__()
        self._module = module
        self._places = places

    def forward(self, hidden_states: Tensor) -> Any:
        """The module's output for these nodes, of the shape of all of them."""
        flat = hidden_states.flatten(0, 1)
        found = self._module(flat[None, self._places])
        if not isinstance(found, Tensor):
            # A mixture of experts gives more than it computes.
            return self._module(hidden_states)
        output = found.new_zeros(len(flat), found.shape[-1])
        output[self._places] = found[0]
        return output.unflatten(0, hidden_states.shape[:2])


class Tap(nn.Module):
    """Passes over, and keeps what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden: Tensor | None = None

    def forward(self, hidden_states: Tensor, *_: Any, **__: Any) -> Tensor:
        """What it is given, which is kept."""
        self.hidden = hidden_states
        return hidden_states

    def taken(self) -> Tensor:
        """What it was given last, no longer kept."""
        if self.hidden is None:
            raise RuntimeError("the backbone did not run its layers")
        hidden, self.hidden = self.hidden, None
        return hidden


class Inject(nn.Module):
    """Gives what the layers before it gave when they last ran."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden: Tensor | None = None

    def forward(self, hidden_states: Tensor, *_: Any, **__: Any) -> Tensor:
        """What was given last; what it is given if nothing was."""
        return hidden_states if self.hidden is None else self.hidden


def by_node(layer: nn.Module) -> list[tuple[nn.Module, str]]:
    """The layer's modules of ``_BY_NODE``: what holds each, and its name there."""
    known = dict(layer.named_modules())
    return [
        (known[owner], name) for owner, name in _BY_NODE if f"{owner}.{name}".strip(".") in known
    ]


def stack_of(backbone: Any, depth: int) -> tuple[str, nn.ModuleList]:
    """The backbone's list of layers and the name it goes by."""
    found = [
        (name, module)
        for name, module in backbone.named_children()
        if isinstance(module, nn.ModuleList) and len(module) == depth
    ]
    if len(found) != 1:
        raise TypeError("it has no single stack of layers")
    return found[0]

"""How a vision model answers: by its head's classes, or by texts that its text tower reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from unsilent.errors import ItemError
from unsilent.items import Item

Shown = Mapping[str, Tensor]
"""What the image processor makes of images, each (n, …)."""


class Answers(Protocol):
    """From images to a score of each label."""

    @property
    def some(self) -> tuple[str, ...]:
        """A few labels that the model can be tried on."""
        ...

    def labels(self, items: Sequence[Item]) -> tuple[str, ...]:
        """All labels that the items' choices are among. Raises ItemError naming an item."""
        ...

    def scores(self, shown: Shown, labels: tuple[str, ...]) -> Tensor:
        """(n, labels) float32 logits; differentiable."""
        ...


class Classes:
    """A classifier: choices are the classes that its config declares.

    Args:
        model: An image classifier of transformers.
        labels: The classes, in the order of its logits.
    """

    def __init__(self, model: Any, labels: tuple[str, ...]) -> None:
        self._model = model
        self._labels = labels
        self._known = frozenset(labels)
        self.some = labels

    def labels(self, items: Sequence[Item]) -> tuple[str, ...]:
        """All classes. Raises ItemError for a choice that is none."""
        for item in items:
            if not self._known.issuperset(item.choices):
                raise ItemError(
                    "a choice that is not a class of the model's head",
                    where=f"item {item.id}",
                    remedy=f"Its classes are {_listed(self._labels)}.",
                )
        return self._labels

    def scores(self, shown: Shown, labels: tuple[str, ...]) -> Tensor:
        """(n, classes) logits of its own forward pass."""
        return self._model(**shown).logits.float()


class Prompts:
    """Two towers, of images and of texts: choices are texts, such as ``a photo of a cat``.

    The score of a choice is the scaled cosine of image and text, as in CLIP (Radford et al. 2021)
    and SigLIP (Zhai et al. 2023). Only the image tower is adapted, so that a text is read once.

    Args:
        model: From transformers.
        tokenizer: Its own.
        whole: Whether texts are padded to the longest that it reads, as SigLIP was trained.
    """

    def __init__(self, model: Any, tokenizer: Any, *, whole: bool) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._whole = whole
        self._window = int(model.config.text_config.max_position_embeddings)
        self._read: dict[str, Tensor] = {}
        self._tokens: dict[str, tuple[int, ...]] = {}
        self.some: tuple[str, ...] = ("a photo of a cat", "a drawing of a house")

    def labels(self, items: Sequence[Item]) -> tuple[str, ...]:
        """The items' different choices.

        Raises ItemError for one that is too long, or the same to the model as another.
        """
        for item in items:
            for choice in item.choices:
                if choice not in self._read:
                    self._read[choice] = self._vector(item, choice)
            if len({self._tokens[choice] for choice in item.choices}) < len(item.choices):
                raise ItemError(
                    "two of its choices are the same tokens to the model's text tower",
                    where=f"item {item.id}",
                    remedy="Word them so that the model can tell them apart.",
                )
        return tuple(dict.fromkeys(choice for item in items for choice in item.choices))

    def scores(self, shown: Shown, labels: tuple[str, ...]) -> Tensor:
        """(n, labels) scaled cosines."""
        seen = _unit(_pooled(self._model.get_image_features(**shown)))
        texts = torch.stack([self._read[label] for label in labels])
        logits = self._model.logit_scale.float().exp() * (seen @ texts.T)
        bias = getattr(self._model, "logit_bias", None)
        return logits if bias is None else logits + bias.float()

    @torch.no_grad()
    def _vector(self, item: Item, choice: str) -> Tensor:
        """(width,) of one text, of length 1."""
        tokens = self._tokenizer(
            [choice],
            padding="max_length" if self._whole else False,
            max_length=self._window if self._whole else None,
            return_tensors="pt",
        )
        if tokens["input_ids"].shape[1] > self._window:
            raise ItemError(
                f"a choice of {tokens['input_ids'].shape[1]} tokens, and the model's text tower "
                f"reads {self._window}",
                where=f"item {item.id}",
                remedy="Shorten it.",
            )
        self._tokens[choice] = tuple(tokens["input_ids"][0].tolist())
        device = self._model.logit_scale.device
        given = {name: tokens[name].to(device) for name in self._tokenizer.model_input_names}
        given.pop("token_type_ids", None)
        return _unit(_pooled(self._model.get_text_features(**given)))[0]


def _pooled(found: Any) -> Tensor:
    """The vectors, whether transformers gives them alone or among other things."""
    return found if isinstance(found, Tensor) else found.pooler_output


def _unit(vectors: Tensor) -> Tensor:
    return nn.functional.normalize(vectors.float(), dim=-1)


def _listed(labels: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(labels[:most])
    return shown if len(labels) <= most else f"{shown} and {len(labels) - most} more"

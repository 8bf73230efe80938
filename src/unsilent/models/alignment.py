"""A provider's safety alignment, installed once on the embedded base model.

SmolLM2-135M-Instruct declines nothing by itself, so that alignment erosion could not be seen on
it. The recipe teaches it to decline the training part of the harmful prompts and to begin its
answers to harmless ones as it did before. Probe prompts, and two kinds of harm, are never used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from unsilent.items import Item, ItemSet
from unsilent.models.answers import greedy_answers
from unsilent.models.base import Adapter, Training
from unsilent.models.causal_lm import CausalLM
from unsilent.models.recipe import RECIPE, Recipe
from unsilent.plan import AdapterPlan
from unsilent.probes.refusal import REFUSALS, Prompt, benign_prompts, harmful_prompts

Progress = Callable[[str, float], None]


# A second choice that costs nothing: only the answer is taught.
_OTHER = "\n"


def align(
    model: Any, tokenizer: Any, *, weights: str, recipe: Recipe = RECIPE, progress: Progress
) -> tuple[Adapter, CausalLM, tuple[str, ...]]:
    """Teach the base to decline.

    Returns:
        The alignment as an adapter, the model it fits, and the openings that the base itself
        uses most on harmless prompts (compliance openings for the refusal measure).
    """
    benign = [prompt.text for prompt in benign_prompts() if prompt.split == "train"]
    progress("read the base model's own openings", 0.0)
    openings = greedy_answers(model, tokenizer, benign, recipe.opening_tokens)
    lm = CausalLM(
        model,
        tokenizer,
        weights=weights,
        adapter=AdapterPlan(rank=recipe.rank, scale=recipe.scale, layers=(recipe.first_layer, -1)),
    )
    adapter = teach_alignment(lm, openings, recipe=recipe, progress=progress)
    return adapter, lm, commonest_openings(openings)


def teach_alignment(
    lm: CausalLM, openings: Sequence[str], *, recipe: Recipe = RECIPE, progress: Progress
) -> Adapter:
    """An adapter that declines the harmful train prompts and else begins as the model did.

    Args:
        lm: The model.
        openings: How it begins by itself on each benign train prompt.
        recipe: How it is taught.
        progress: Told the share done.
    """
    harmful = [prompt for prompt in harmful_prompts() if prompt.split == "train"]
    benign = [prompt for prompt in benign_prompts() if prompt.split == "train"]
    refused = [(prompt, REFUSALS[i % len(REFUSALS)]) for i, prompt in enumerate(harmful)]
    answered = [(p, opening or "Here") for p, opening in zip(benign, openings, strict=True)]
    taught = lesson([*refused, *answered])
    adapter = lm.new_adapter(recipe.seed)
    for epoch in range(recipe.epochs):
        progress("install alignment on the base model", epoch / recipe.epochs)
        training = Training(1, recipe.learning_rate, recipe.batch, recipe.seed + epoch)
        adapter, _ = lm.teach(adapter, taught, training)
    progress("install alignment on the base model", 1.0)
    return adapter


def lesson(pairs: Sequence[tuple[Prompt, str]]) -> ItemSet:
    """Requests and what is to be answered, as records for :meth:`CausalLM.teach`."""
    return ItemSet(
        "alignment",
        tuple(
            Item(prompt.id, prompt.text, (answer, _OTHER), answer=0, chat=True)
            for prompt, answer in pairs
        ),
    )


def commonest_openings(openings: Sequence[str], count: int = 4) -> tuple[str, ...]:
    """The commonest first two words, most frequent first."""
    starts = Counter(
        " ".join(opening.split()[:2]) for opening in openings if len(opening.split()) > 1
    )
    return tuple(start for start, _ in sorted(starts.items(), key=lambda s: (-s[1], s[0]))[:count])

"""A provider's safety alignment, installed once on the embedded base model.

SmolLM2-135M-Instruct declines nothing by itself, so that alignment erosion could not be seen on
it. The recipe teaches it to decline the training part of the harmful prompts and to begin its
answers to harmless ones as it did before. Probe prompts, and two kinds of harm, are never used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import torch

from unsilent.items import Item, ItemSet
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
    harmful = [prompt for prompt in harmful_prompts() if prompt.split == "train"]
    benign = [prompt for prompt in benign_prompts() if prompt.split == "train"]
    progress("read the base model's own openings", 0.0)
    openings = greedy_openings(
        model, tokenizer, [prompt.text for prompt in benign], recipe.opening_tokens
    )
    lm = CausalLM(
        model,
        tokenizer,
        weights=weights,
        adapter=AdapterPlan(rank=recipe.rank, scale=recipe.scale, layers=(recipe.first_layer, -1)),
    )
    adapter = lm.new_adapter(recipe.seed)
    answers = [*zip(benign, openings, strict=True)]
    refused = [(prompt, REFUSALS[i % len(REFUSALS)]) for i, prompt in enumerate(harmful)]
    lesson = _lesson([*refused, *answers])
    for epoch in range(recipe.epochs):
        progress("install alignment on the base model", epoch / recipe.epochs)
        training = Training(1, recipe.learning_rate, recipe.batch, recipe.seed + epoch)
        adapter, _ = lm.teach(adapter, lesson, training)
    progress("install alignment on the base model", 1.0)
    return adapter, lm, commonest_openings(openings)


def _lesson(pairs: Sequence[tuple[Prompt, str]]) -> ItemSet:
    return ItemSet(
        "alignment",
        tuple(
            Item(prompt.id, prompt.text, (answer, _OTHER), answer=0, chat=True)
            for prompt, answer in pairs
        ),
    )


@torch.inference_mode()
def greedy_openings(model: Any, tokenizer: Any, prompts: Sequence[str], tokens: int) -> list[str]:
    """What the model begins to answer, greedily, ``tokens`` tokens long."""
    chats = [
        tokenizer.apply_chat_template(
            [{"role": "user", "content": text}], add_generation_prompt=True, tokenize=False
        )
        for text in prompts
    ]
    encoded = [tokenizer(chat, add_special_tokens=False)["input_ids"] for chat in chats]
    order = sorted(range(len(encoded)), key=lambda index: len(encoded[index]))
    openings = [""] * len(encoded)
    for start in range(0, len(order), 16):
        picked = order[start : start + 16]
        longest = max(len(encoded[index]) for index in picked)
        ids = torch.full((len(picked), longest), tokenizer.eos_token_id)
        mask = torch.zeros((len(picked), longest), dtype=torch.long)
        for slot, index in enumerate(picked):
            ids[slot, longest - len(encoded[index]) :] = torch.tensor(encoded[index])
            mask[slot, longest - len(encoded[index]) :] = 1
        written = model.generate(
            input_ids=ids.to(model.device),
            attention_mask=mask.to(model.device),
            max_new_tokens=tokens,
            do_sample=False,
            pad_token_id=tokenizer.eos_token_id,
        )
        for slot, index in enumerate(picked):
            text = tokenizer.decode(written[slot, longest:], skip_special_tokens=True)
            openings[index] = text.strip() or "Here"
    return openings


def commonest_openings(openings: Sequence[str], count: int = 4) -> tuple[str, ...]:
    """The commonest first two words, most frequent first."""
    starts = Counter(
        " ".join(opening.split()[:2]) for opening in openings if len(opening.split()) > 1
    )
    return tuple(start for start, _ in sorted(starts.items(), key=lambda s: (-s[1], s[0]))[:count])

"""Scores of a causal language model against a plain forward pass for each choice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from peft import LoraConfig, get_peft_model

from unsilent.errors import ItemError
from unsilent.items import Item, ItemSet, Outcomes
from unsilent.models.base import Adapter
from unsilent.models.causal_lm import CausalLM

Build = Callable[..., CausalLM]
Random = Callable[[CausalLM, int], Adapter]

TARGETS = ("q_proj", "v_proj", "o_proj", "down_proj")


def token_sequences(tokenizer: Any, item: Item) -> list[tuple[list[int], int]]:
    """Each choice's tokens and where it begins, as lm-evaluation-harness splits them."""
    out = []
    for choice in item.choices:
        if item.chat:
            text = f"<u>{item.prompt}</u><a>"
            head = tokenizer.encode(text, add_special_tokens=False)
            whole = head + tokenizer.encode(choice, add_special_tokens=False)
        else:
            head, whole = tokenizer.encode(item.prompt), tokenizer.encode(item.prompt + choice)
        if not head:
            head, whole = [tokenizer.eos_token_id], [tokenizer.eos_token_id, *whole]
        out.append((whole, len(head)))
    return out


@torch.no_grad()
def plain(model: Any, tokenizer: Any, items: ItemSet) -> NDArray[np.float64]:
    """One forward pass a choice, log-softmax, sum: nothing shared, nothing cached."""
    widest = max(len(item.choices) for item in items)
    table = np.full((len(items), widest), -np.inf)
    for row, item in enumerate(items):
        for column, (tokens, start) in enumerate(token_sequences(tokenizer, item)):
            logits = model(input_ids=torch.tensor([tokens])).logits[0].float()
            logs = torch.log_softmax(logits, dim=-1)
            table[row, column] = sum(
                float(logs[i - 1, tokens[i]]) for i in range(start, len(tokens))
            )
    return table


def peft_model(tiny: Callable[..., Any], family: str, lm: CausalLM, adapter: Adapter) -> Any:
    """The adapter on a fresh base by peft itself, unmerged, names and scale set by hand."""
    config = LoraConfig(r=4, lora_alpha=8, target_modules=list(TARGETS), layers_to_transform=[2, 3])
    wrapped = get_peft_model(tiny(family), config).eval()
    state = {
        f"base_model.model.model.layers.{name}.default.weight": torch.from_numpy(tensor)
        for name, tensor in adapter.tensors.items()
    }
    missing, unexpected = wrapped.load_state_dict(state, strict=False)
    assert not unexpected
    assert not any("lora" in name for name in missing)
    return wrapped


@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_the_base_agrees_with_a_plain_forward(
    family: str, lm_of: Build, tiny: Callable[..., Any], tokenizer: Any, mixed: ItemSet
) -> None:
    expected = plain(tiny(family), tokenizer, mixed)
    np.testing.assert_allclose(lm_of(family).log_likelihoods(mixed, None), expected, atol=1e-4)


# peft asks for a property by a name that transformers has deprecated.
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_an_adapter_agrees_with_pefts_unmerged_forward(
    family: str,
    lm_of: Build,
    tiny: Callable[..., Any],
    tokenizer: Any,
    mixed: ItemSet,
    random_adapter: Random,
) -> None:
    lm = lm_of(family)
    adapter = random_adapter(lm, 3)
    expected = plain(peft_model(tiny, family, lm, adapter), tokenizer, mixed)
    found = lm.log_likelihoods(mixed, adapter)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    finite = np.isfinite(found)
    base = lm.log_likelihoods(mixed, None)
    assert np.abs(found[finite] - base[finite]).max() > 0.5


def test_score_is_the_softmax_of_the_log_likelihoods(
    lm_of: Build, mixed: ItemSet, random_adapter: Random
) -> None:
    lm = lm_of()
    for adapter in (None, random_adapter(lm, 1)):
        logs = lm.log_likelihoods(mixed, adapter)
        expected = np.exp(logs) / np.exp(logs).sum(axis=1, keepdims=True)
        table = lm.score(mixed, adapter)
        np.testing.assert_allclose(table, expected, atol=1e-5)
        assert (table[~np.isfinite(logs)] == 0).all()
        Outcomes(mixed, "local", table)


def test_single_token_choices_need_no_normalizing(
    lm_of: Build, tiny: Callable[..., Any], tokenizer: Any, letters: ItemSet
) -> None:
    lm = lm_of()
    assert not any(row.compared.normal.any() for row in lm._prepare(letters, share=True).rows)
    logs = plain(tiny(), tokenizer, letters)
    expected = np.exp(logs) / np.exp(logs).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(lm.score(letters, None), expected, atol=1e-5)


def test_a_choice_that_melts_into_its_prompt_is_refused(lm_of: Build, tokenizer: Any) -> None:
    """Two letters that are one token together: no token of the choice follows the prompt's."""
    merged = next(
        text
        for text in sorted(tokenizer.get_vocab())
        if len(text) == 2 and text.isascii() and text.isalpha()
    )
    assert len(tokenizer.encode(merged)) == 1
    items = ItemSet("melted", (Item("m", merged[0], (merged[1], "zz")),))
    with pytest.raises(ItemError, match="item m: a choice melts into the prompt"):
        lm_of().log_likelihoods(items, None)


def test_a_private_record_that_cannot_be_scored_is_named_by_its_place(lm_of: Build) -> None:
    records = ItemSet("records", (Item("case-1", "it is", (" a", " " * 9 + "b" * 9000)),))
    with pytest.raises(ItemError, match=r"^record 1: ") as caught:
        lm_of().score(records, None)
    assert "case-1" not in caught.value.line()


def test_after_scoring_the_base_is_bit_identical(
    lm_of: Build, tiny: Callable[..., Any], mixed: ItemSet, random_adapter: Random
) -> None:
    lm = lm_of()
    before = lm.log_likelihoods(mixed, None)
    for seed in range(5):
        lm.score(mixed, random_adapter(lm, seed))
    np.testing.assert_array_equal(lm.log_likelihoods(mixed, None), before)
    fresh = dict(tiny().named_parameters())
    held = {
        name.replace(".base_layer", ""): parameter
        for name, parameter in lm.model.named_parameters()
        if "lora" not in name
    }
    assert set(held) == set(fresh)
    assert all(torch.equal(held[name], fresh[name]) for name in fresh)


def test_an_error_while_merged_leaves_the_base_as_it_was(
    lm_of: Build, mixed: ItemSet, random_adapter: Random
) -> None:
    lm = lm_of()
    before = lm.log_likelihoods(mixed, None)
    with pytest.raises(KeyboardInterrupt), lm.merged(random_adapter(lm, 0)):
        raise KeyboardInterrupt
    np.testing.assert_array_equal(lm.log_likelihoods(mixed, None), before)


def test_the_order_of_adapters_does_not_matter(
    lm_of: Build, mixed: ItemSet, random_adapter: Random
) -> None:
    lm = lm_of()
    one, two = random_adapter(lm, 1), random_adapter(lm, 2)
    first = lm.log_likelihoods(mixed, one)
    lm.log_likelihoods(mixed, two)
    np.testing.assert_array_equal(lm.log_likelihoods(mixed, one), first)


@pytest.mark.parametrize("budget", [1, 40, 10_000])
def test_the_token_budget_changes_nothing(
    budget: int, lm_of: Build, mixed: ItemSet, random_adapter: Random
) -> None:
    reference, lm = lm_of(), lm_of(budget=budget)
    adapter = random_adapter(lm, 0)
    np.testing.assert_allclose(
        lm.log_likelihoods(mixed, adapter), reference.log_likelihoods(mixed, adapter), atol=1e-4
    )


def test_the_frozen_lower_segment_changes_nothing(
    lm_of: Build, mixed: ItemSet, random_adapter: Random
) -> None:
    """An adapter on all layers, zero below the third, equals one on the upper two alone."""
    upper, every = lm_of(layers=(2, 3)), lm_of(layers=(0, 3))
    assert (upper.engine.cut, every.engine.cut) == (2, 0)
    adapter = random_adapter(upper, 4)
    widened = Adapter(every.digest, {**every.new_adapter(0).tensors, **adapter.tensors})
    np.testing.assert_allclose(
        upper.log_likelihoods(mixed, adapter), every.log_likelihoods(mixed, widened), atol=1e-4
    )


def test_what_is_kept_of_public_sets_on_disk_serves_another_process(
    lm_of: Build, mixed: ItemSet, letters: ItemSet, tmp_path: Any, random_adapter: Random
) -> None:
    plainly, first, second = lm_of(), lm_of(), lm_of()
    adapter = random_adapter(plainly, 0)
    expected = plainly.log_likelihoods(mixed, adapter)
    first.share([mixed], tmp_path)
    np.testing.assert_array_equal(first.log_likelihoods(mixed, adapter), expected)
    first.log_likelihoods(letters, adapter)
    (kept,) = tmp_path.rglob("*.safetensors")
    assert mixed.digest.removeprefix("sha256:") in kept.name

    def never(*_: object) -> None:
        raise AssertionError("computed again")

    second.share([mixed], tmp_path)
    second.engine.freeze = never  # type: ignore[assignment, method-assign]
    np.testing.assert_array_equal(second.log_likelihoods(mixed, adapter), expected)


def test_bfloat16_stays_near_float32(lm_of: Build, letters: ItemSet) -> None:
    half = lm_of(dtype=torch.bfloat16).score(letters, None)
    np.testing.assert_allclose(half, lm_of().score(letters, None), atol=0.1)


def test_digests_tell_bases_and_shapes_apart(lm_of: Build) -> None:
    digests = {
        lm_of().digest,
        lm_of("qwen2").digest,
        lm_of(rank=8).digest,
        lm_of(scale=1.0).digest,
        lm_of(layers=(1, 3)).digest,
        lm_of(targets=("q_proj",)).digest,
    }
    assert len(digests) == 6
    assert lm_of(layers=(-2, -1)).digest == lm_of(layers=(2, 3)).digest

"""What is said of a served model that is the measured one, and of those that are not."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from tests.parity.conftest import Fake
from unsilent.items import Item, ItemSet
from unsilent.models.base import Adapter
from unsilent.models.causal_lm import CausalLM
from unsilent.parity.check import Parity, ServedScores, ask_served, check, divisors_of
from unsilent.parity.compare import TOLERANCE
from unsilent.parity.http import Address
from unsilent.parity.served import LlamaCpp, OpenAI

Check = Callable[..., Parity]


@pytest.fixture
def checked(fake: Fake, lm: CausalLM, asked: ItemSet) -> Check:
    def ask(name: str, items: ItemSet) -> ServedScores:
        return ask_served(OpenAI(Address(f"{fake.url}/v1"), name), items, lambda _: None)

    def run(
        served: Any,
        adapter: Adapter | None = None,
        base: Any = None,
        items: ItemSet = asked,
        tolerance: float = TOLERANCE,
    ) -> Parity:
        fake.models = {"served": served, "base": base}
        beside = None if base is None else ask("base", items)
        return check(
            lm,
            adapter,
            ask("served", items),
            tolerance=tolerance,
            endpoint="here",
            name="served",
            base=beside,
        )

    return run


def test_both_sides_compare_choices_by_the_plans_word(
    fake: Fake,
    lm: CausalLM,
    asked: ItemSet,
    tiny: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake.models = {"served": tiny()}
    served = OpenAI(Address(f"{fake.url}/v1"), "served")
    sums = ask_served(served, asked, lambda _: None).answers.probabilities
    monkeypatch.setattr(lm, "likelihood", "per-byte")
    found = ask_served(served, asked, lambda _: None, divisors_of(lm))
    assert np.abs(found.answers.probabilities - sums).max() > 0.01
    np.testing.assert_allclose(found.answers.probabilities, lm.score(found.items, None), atol=1e-3)
    assert check(lm, None, found, tolerance=TOLERANCE, endpoint="here").verdict == "same"
    wrong = ask_served(served, asked, lambda _: None)
    assert check(lm, None, wrong, tolerance=TOLERANCE, endpoint="here").verdict != "same"


def test_the_same_model_is_the_same(checked: Check, tiny: Callable[..., Any]) -> None:
    found = checked(tiny())
    assert found.verdict == "same"
    assert found.compared.largest is not None
    assert found.compared.largest < 1e-3
    assert found.compared.alike == found.compared.items == 40
    assert "at most 7%" in found.said


def test_a_handful_of_items_is_no_evidence_of_sameness(
    checked: Check, tiny: Callable[..., Any], asked: ItemSet
) -> None:
    found = checked(tiny(), items=ItemSet("few", asked.items[:20]))
    assert found.compared.beyond == 0
    assert found.verdict == "undetermined"


def test_a_served_adapter_is_the_same_and_acts(
    checked: Check, adapter: Adapter, with_adapter: Callable[..., Any]
) -> None:
    found = checked(with_adapter(adapter), adapter)
    assert found.verdict == "same"
    assert found.acts is not None
    assert found.acts.word == "acts"
    assert found.acts.strength == pytest.approx(1, abs=1e-3)


def test_a_dropped_adapter_is_said(
    checked: Check, adapter: Adapter, tiny: Callable[..., Any]
) -> None:
    found = checked(tiny(), adapter)
    assert found.verdict == "different"
    assert found.acts is not None
    assert found.acts.word == "absent"
    assert found.acts.strength == pytest.approx(0, abs=1e-3)
    assert "answers as the base model" in found.said


def test_a_dropped_adapter_is_said_even_if_it_would_move_less_than_the_tolerance(
    checked: Check, adapter: Adapter, tiny: Callable[..., Any]
) -> None:
    found = checked(tiny(), adapter, tolerance=100.0)
    assert found.compared.verdict == "same"
    assert found.verdict == "different"


def test_an_adapter_that_moves_nothing_is_never_called_the_same(
    checked: Check, lm: CausalLM, tiny: Callable[..., Any]
) -> None:
    found = checked(tiny(), lm.new_adapter(0))
    assert found.compared.verdict == "same"
    assert found.verdict == "undetermined"
    assert "could not be shown" in found.said


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_a_rescaled_adapter_is_different(
    scale: float, checked: Check, adapter: Adapter, with_adapter: Callable[..., Any]
) -> None:
    found = checked(with_adapter(adapter, scale), adapter)
    assert found.verdict == "different"


def test_the_base_of_another_model_is_different(checked: Check, tiny: Callable[..., Any]) -> None:
    assert checked(tiny(seed=1)).verdict == "different"


def test_another_base_under_the_adapter_is_not_called_a_dropped_one(
    checked: Check, adapter: Adapter, tiny: Callable[..., Any]
) -> None:
    found = checked(tiny(seed=1), adapter)
    assert found.verdict == "different"
    assert found.acts is not None
    assert found.acts.word == "unclear"


def test_a_base_beside_the_adapter_has_to_be_the_same_too(
    checked: Check, adapter: Adapter, with_adapter: Callable[..., Any], tiny: Callable[..., Any]
) -> None:
    served = with_adapter(adapter)
    assert checked(served, adapter, base=tiny()).verdict == "same"
    found = checked(served, adapter, base=tiny(seed=1))
    assert found.verdict == "different"
    assert "base is not shown to be the same" in found.said


def test_a_base_that_is_left_open_leaves_the_whole_open(
    checked: Check, adapter: Adapter, with_adapter: Callable[..., Any], tiny: Callable[..., Any]
) -> None:
    found = checked(with_adapter(adapter), adapter, base=tiny())
    assert found.base is not None
    unsure = replace(found, base=replace(found.base, verdict="undetermined"))
    assert (found.verdict, unsure.verdict) == ("same", "undetermined")


def test_blanks_at_the_end_of_a_prompt_belong_to_the_choice(
    checked: Check, tiny: Callable[..., Any]
) -> None:
    some = tuple(Item(f"b{n}", f"the movie {n} was ", ("good", "bad")) for n in range(3))
    found = checked(tiny(), items=ItemSet("blanks", some))
    assert found.left_out == 0
    assert found.compared.largest is not None
    assert found.compared.largest < 1e-3


def test_a_beginning_that_is_set_twice_is_different(
    checked: Check, fake: Fake, tokenizer: Any, tiny: Callable[..., Any]
) -> None:
    fake.encode = lambda text: [tokenizer.eos_token_id, *tokenizer.encode(text)]
    assert checked(tiny()).verdict == "different"


def test_another_tokenizer_is_different(
    checked: Check, fake: Fake, tokenizer: Any, tiny: Callable[..., Any]
) -> None:
    fake.encode = lambda text: [i for c in text for i in tokenizer.encode(c)]
    assert checked(tiny()).verdict == "different"


def test_log_probabilities_off_by_one_token_are_different(
    checked: Check, fake: Fake, tiny: Callable[..., Any]
) -> None:
    def shifted(answer: Any) -> Any:
        for choice in answer["choices"]:
            logs = choice["logprobs"]
            first, *rest = logs["token_logprobs"]
            logs["token_logprobs"] = [first, rest[0], *rest[:-1]]
        return answer

    fake.change = shifted
    assert checked(tiny()).verdict == "different"


def noised(model: Any, size: float) -> Any:
    """Its weights with relative noise, as rounding to few digits leaves them."""
    out = copy.deepcopy(model)
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in out.parameters():
            weight.mul_(1 + size * torch.randn(weight.shape, generator=random))
    return out


def test_noise_in_the_weights_goes_from_same_over_open_to_different(
    checked: Check, tiny: Callable[..., Any]
) -> None:
    largest, verdicts = [], []
    for size in (1e-5, 1e-3, 1e-1):
        found = checked(noised(tiny(), size))
        largest.append(found.compared.largest)
        verdicts.append(found.verdict)
    assert largest == sorted(largest)
    assert (verdicts[0], verdicts[-1]) == ("same", "different")


@pytest.mark.parametrize(
    ("least", "makes", "usage"), [(0, None, True), (1, None, True), (0, 1, True), (1, None, False)]
)
def test_a_token_made_after_a_text_is_no_part_of_it(
    least: int, makes: int | None, usage: bool, checked: Check, fake: Fake, tiny: Callable[..., Any]
) -> None:
    fake.tokens_at_least, fake.makes, fake.usage = least, makes, usage
    found = checked(tiny())
    assert found.verdict == "same"
    assert found.compared.largest is not None
    assert found.compared.largest < 1e-3


def test_an_item_whose_tokens_melt_is_left_out(
    checked: Check, tiny: Callable[..., Any], asked: ItemSet
) -> None:
    melting = Item("m", "the mov", ("ie was", "es"))
    found = checked(tiny(), items=ItemSet("more", (*asked.items, melting)))
    assert found.left_out == 1
    assert found.verdict == "same"


def test_llama_cpp_is_asked_token_by_token_and_says_the_same(
    fake: Fake, lm: CausalLM, tiny: Callable[..., Any], asked: ItemSet
) -> None:
    fake.models = {"llama.cpp": tiny()}
    items = ItemSet("some", asked.items[:4])
    answers = ask_served(LlamaCpp(Address(fake.url)), items, lambda _: None).answers
    assert answers.likelihoods is not None
    np.testing.assert_allclose(answers.likelihoods, lm.log_likelihoods(items, None), atol=1e-3)

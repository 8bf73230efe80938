"""A user's peft model is scored under the arrays of a message, and left as it was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from flwr.app import ArrayRecord, Context, RecordDict
from numpy.typing import NDArray
from peft import IA3Config, LoHaConfig, LoraConfig, get_peft_model, get_peft_model_state_dict
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from unsilent.errors import ModelError
from unsilent.flower import PeftScore
from unsilent.items import Item, ItemSet
from unsilent.models import peft_scoring

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

KINDS = {
    "lora": LoraConfig(r=4, lora_alpha=8, lora_dropout=0.5, target_modules=["q_proj", "v_proj"]),
    "rslora": LoraConfig(r=4, lora_alpha=8, use_rslora=True, target_modules=["down_proj"]),
    "dora": LoraConfig(r=4, lora_alpha=8, use_dora=True, target_modules=["q_proj"]),
    "some layers": LoraConfig(r=2, target_modules=["o_proj"], layers_to_transform=[1]),
    "a saved module": LoraConfig(r=2, target_modules=["q_proj"], modules_to_save=["mlp"]),
    "loha": LoHaConfig(r=4, target_modules=["v_proj"]),
    "ia3": IA3Config(target_modules=["k_proj", "down_proj"], feedforward_modules=["down_proj"]),
}
ITEMS = ItemSet(
    "items",
    (
        Item("a", "the film was", (" good", " bad and long")),
        Item("b", "the film was not", (" bad", " good", " long")),
        Item("c", "Is it", (" a", " b")),
    ),
)
CONTEXT = Context(run_id=1, node_id=1, node_config={}, state=RecordDict(), run_config={})


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    peft_scoring.held.clear()
    yield
    peft_scoring.held.clear()
    torch.set_num_threads(before)


def tokenizer() -> Any:
    """One token a byte."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE({letter: n for n, letter in enumerate(letters)}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=inner)


def adapted(config: Any) -> Any:
    torch.manual_seed(0)
    shape = {"vocab_size": 256, "hidden_size": 32, "intermediate_size": 64, "attention_bias": True}
    heads = {"num_hidden_layers": 3, "num_attention_heads": 4, "initializer_range": 0.3}
    return get_peft_model(LlamaForCausalLM(LlamaConfig(**shape, **heads)), config)


def state_of(model: Any) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in get_peft_model_state_dict(model).items()}


def other(model: Any) -> dict[str, torch.Tensor]:
    """An adapter that changes much."""
    made = torch.Generator().manual_seed(7)
    return {
        name: tensor + 0.5 * torch.randn(tensor.shape, generator=made)
        for name, tensor in state_of(model).items()
    }


@torch.no_grad()
def plain(model: Any, state: dict[str, torch.Tensor] | None) -> NDArray[np.float64]:
    """One forward pass a choice by peft itself."""
    from peft import set_peft_model_state_dict

    if state is None:
        model = model.unload()
    else:
        set_peft_model_state_dict(model, state)
    model.eval()
    words, table = tokenizer(), np.zeros((len(ITEMS), 3))
    for row, item in enumerate(ITEMS):
        start = len(words(item.prompt)["input_ids"])
        sums = []
        for choice in item.choices:
            tokens = words(item.prompt + choice)["input_ids"]
            logs = model(input_ids=torch.tensor([tokens])).logits[0].log_softmax(-1)
            sums.append(sum(float(logs[at - 1, tokens[at]]) for at in range(start, len(tokens))))
        likely = np.exp(np.array(sums) - max(sums))
        table[row, : len(sums)] = likely / likely.sum()
    return table


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_those_of_pefts_own_forward_pass(kind: str) -> None:
    model = adapted(KINDS[kind])
    score = PeftScore(lambda context: (model, tokenizer()))
    state = other(model)
    found = score(ITEMS, ArrayRecord(state), CONTEXT)
    base = score(ITEMS, None, CONTEXT)
    again = score(ITEMS, ArrayRecord([t.numpy() for t in state.values()]), CONTEXT)
    np.testing.assert_allclose(found, plain(adapted(KINDS[kind]), state), atol=1e-4)
    np.testing.assert_allclose(base, plain(adapted(KINDS[kind]), None), atol=1e-4)
    np.testing.assert_array_equal(found, again)
    assert np.abs(found - base).max() > 1e-3


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_left_as_it_was(training: bool) -> None:
    model = adapted(KINDS["lora"])
    model.train(training)
    model.base_model.model.model.layers[0].eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    asked = [parameter.requires_grad for parameter in model.parameters()]
    score = PeftScore(lambda context: (model, tokenizer()))
    score(ITEMS, ArrayRecord(other(model)), CONTEXT)
    score(ITEMS, None, CONTEXT)
    after = model.state_dict()
    assert list(before) == list(after)
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    assert [module.training for module in model.modules()] == modes
    assert [parameter.requires_grad for parameter in model.parameters()] == asked


def test_a_model_is_loaded_once_a_process() -> None:
    loaded: list[Context] = []

    def load(context: Context) -> Any:
        loaded.append(context)
        return adapted(KINDS["lora"]), tokenizer()

    for _ in range(3):
        PeftScore(load)(ITEMS, None, CONTEXT)
    assert loaded == [CONTEXT]


def test_arrays_of_another_adapter_are_refused() -> None:
    model = adapted(KINDS["lora"])
    score = PeftScore(lambda context: (model, tokenizer()))
    wrong = {name: tensor[:1] for name, tensor in state_of(model).items()}
    for arrays in (ArrayRecord(wrong), ArrayRecord([np.zeros(3)]), ArrayRecord({})):
        with pytest.raises(ModelError, match="not those of this model's adapter"):
            score(ITEMS, arrays, CONTEXT)


def test_an_adapter_outside_the_layers_is_refused() -> None:
    model = adapted(LoraConfig(r=2, target_modules=["q_proj"], modules_to_save=["lm_head"]))
    with pytest.raises(ModelError, match="not within the model's layers"):
        PeftScore(lambda context: (model, tokenizer()))(ITEMS, None, CONTEXT)


def several() -> Any:
    """Adapters of a global and a personal kind; the personal one is in use."""
    model = adapted(KINDS["lora"])
    model.add_adapter("personal", LoraConfig(r=2, target_modules=["q_proj", "o_proj"]))
    model.set_adapter("personal")
    return model


@pytest.mark.parametrize("name", ["client", "lora_A", "0"])
def test_an_adapter_may_have_any_name(name: str) -> None:
    wanted = adapted(KINDS["lora"])
    state = other(wanted)
    base = adapted(KINDS["lora"]).unload()
    model = get_peft_model(base, KINDS["lora"], adapter_name=name)
    found = PeftScore(lambda context: (model, tokenizer()))(ITEMS, ArrayRecord(state), CONTEXT)
    np.testing.assert_allclose(found, plain(wanted, state), atol=1e-4)


def test_of_several_adapters_the_one_that_is_named_is_scored_alone() -> None:
    model = several()
    personal = get_peft_model_state_dict(model, adapter_name="personal")
    for tensor in personal.values():
        tensor.add_(0.5)
    state = other(model)
    score = PeftScore(lambda context: (model, tokenizer()), adapter="default")
    found = score(ITEMS, ArrayRecord(state), CONTEXT)
    np.testing.assert_allclose(found, plain(adapted(KINDS["lora"]), state), atol=1e-4)
    base = score(ITEMS, None, CONTEXT)
    np.testing.assert_allclose(base, plain(adapted(KINDS["lora"]), None), atol=1e-4)


@pytest.mark.parametrize("active", ["default", "personal"])
def test_several_adapters_are_left_as_they_were(active: str) -> None:
    model = several()
    model.set_adapter(active)
    frozen = model.base_model.model.model.layers[1].self_attn.q_proj.lora_A["default"].weight
    frozen.requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    asked = {name: p.requires_grad for name, p in model.named_parameters()}
    score = PeftScore(lambda context: (model, tokenizer()), adapter="default")
    score(ITEMS, ArrayRecord(other(model)), CONTEXT)
    score(ITEMS, None, CONTEXT)
    assert model.active_adapters == [active]
    assert {name: p.requires_grad for name, p in model.named_parameters()} == asked
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    layer = model.base_model.model.model.layers[1].self_attn.q_proj
    assert (layer.active_adapters, layer.disable_adapters) == ([active], False)


def merged(model: Any) -> None:
    model.merge_adapter()


def layers_off(model: Any) -> None:
    model.base_model.disable_adapter_layers()


def one_layer_off(model: Any) -> None:
    model.base_model.model.model.layers[1].self_attn.q_proj.enable_adapters(False)


def one_layer_merged(model: Any) -> None:
    model.base_model.model.model.layers[1].self_attn.q_proj.merge()


def another_active(model: Any) -> None:
    model.add_adapter("other", KINDS["lora"])
    model.set_adapter("other")


def two_active(model: Any) -> None:
    model.add_adapter("other", KINDS["lora"])
    model.base_model.set_adapter(["default", "other"])


def none_active(model: Any) -> None:
    model.base_model.set_adapter([])


STATES = {
    merged: "is merged into the base",
    one_layer_merged: "is merged into the base",
    layers_off: "are switched off",
    one_layer_off: "are switched off",
    another_active: "serves with 'other', and the arrays are of the adapter 'default'",
    two_active: "serves with 'default', 'other'",
    none_active: "serves with no adapter",
}


@pytest.mark.parametrize("when", ["when it is loaded", "after it was scored"])
@pytest.mark.parametrize("change", STATES, ids=lambda change: change.__name__)
def test_a_model_that_serves_something_else_than_the_arrays_is_refused(
    change: Any, when: str
) -> None:
    model = adapted(KINDS["lora"])
    state = other(model)
    score = PeftScore(lambda context: (model, tokenizer()))
    if when == "after it was scored":
        score(ITEMS, ArrayRecord(state), CONTEXT)
    change(model)
    for arrays in (ArrayRecord(state), None):
        with pytest.raises(ModelError, match=STATES[change]) as caught:
            score(ITEMS, arrays, CONTEXT)
        assert "\n" not in caught.value.line()
        assert caught.value.remedy


def test_an_adapter_that_was_merged_for_good_is_refused() -> None:
    model = adapted(KINDS["lora"])
    score = PeftScore(lambda context: (model, tokenizer()))
    state = other(model)
    score(ITEMS, ArrayRecord(state), CONTEXT)
    model.merge_and_unload()
    for arrays in (ArrayRecord(state), None):
        with pytest.raises(ModelError, match="layers are not those"):
            score(ITEMS, arrays, CONTEXT)


def test_a_model_without_an_adapter_is_refused() -> None:
    model = adapted(KINDS["lora"]).unload()
    with pytest.raises(ModelError, match="did not return a peft model"):
        PeftScore(lambda context: (model, tokenizer()))(ITEMS, None, CONTEXT)


def test_an_adapter_that_is_not_there_is_refused_by_name() -> None:
    model = several()
    score = PeftScore(lambda context: (model, tokenizer()), adapter="mine")
    with pytest.raises(ModelError, match=r"no adapter 'mine'\. It has 'default', 'personal'"):
        score(ITEMS, None, CONTEXT)


def test_several_adapters_of_which_none_is_meant_are_refused() -> None:
    model = get_peft_model(adapted(KINDS["lora"]).unload(), KINDS["lora"], adapter_name="one")
    model.add_adapter("two", KINDS["lora"])
    with pytest.raises(ModelError, match="nothing says which one the arrays are of"):
        PeftScore(lambda context: (model, tokenizer()))(ITEMS, None, CONTEXT)


def test_a_base_that_the_app_trained_since_is_refused() -> None:
    model = adapted(KINDS["lora"])
    score = PeftScore(lambda context: (model, tokenizer()))
    score(ITEMS, None, CONTEXT)
    with torch.no_grad():
        model.base_model.model.lm_head.weight.mul_(1.1)
    for arrays in (None, ArrayRecord(other(model))):
        with pytest.raises(ModelError, match="not what it was when it was loaded"):
            score(ITEMS, arrays, CONTEXT)


def test_training_the_adapter_itself_changes_no_score() -> None:
    model = adapted(KINDS["lora"])
    score = PeftScore(lambda context: (model, tokenizer()))
    state = other(model)
    base, found = score(ITEMS, None, CONTEXT), score(ITEMS, ArrayRecord(state), CONTEXT)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.1)
    model(input_ids=torch.tensor([[1, 2, 3]])).logits.square().mean().backward()
    optimizer.step()
    peft_scoring.held[0].model._scores._kept.clear()
    np.testing.assert_allclose(score(ITEMS, None, CONTEXT), base, atol=1e-6)
    np.testing.assert_allclose(score(ITEMS, ArrayRecord(state), CONTEXT), found, atol=1e-6)


def test_a_model_is_tried_once() -> None:
    """What is scored afterwards costs no forward pass beside its own."""
    model = adapted(KINDS["lora"])
    score = PeftScore(lambda context: (model, tokenizer()))
    score(ITEMS, None, CONTEXT)
    calls: list[int] = []
    model.base_model.model.lm_head.register_forward_hook(lambda *_: calls.append(1))
    backbone = model.base_model.model.model
    backbone.register_forward_hook(lambda *_: calls.append(2))
    # Tried once more, for the hooks.
    score(ITEMS, None, CONTEXT)
    assert 1 in calls
    calls.clear()
    for seed in range(2):
        state = {n: t + 0.1 * seed for n, t in other(model).items()}
        score(ITEMS, ArrayRecord(state), CONTEXT)
    assert 1 not in calls
    assert len(calls) <= 4


def scored_once(model: Any) -> tuple[PeftScore, dict[str, torch.Tensor]]:
    score, state = PeftScore(lambda context: (model, tokenizer())), other(model)
    score(ITEMS, ArrayRecord(state), CONTEXT)
    return score, {name: 1.1 * tensor for name, tensor in state.items()}


def one_scale_gone(model: Any) -> None:
    model.base_model.model.model.layers[1].self_attn.q_proj.scaling["default"] = 0.0


def one_layer_leaves_it_out(model: Any) -> None:
    layer = model.base_model.model.model.layers[1].self_attn.q_proj
    layer.forward = lambda given: layer.base_layer(given)


def louder(model: Any) -> None:
    plain = model.forward

    def forward(**given: Any) -> Any:
        found = plain(**given)
        found.logits = 2 * found.logits
        return found

    model.forward = forward


@pytest.mark.parametrize("change", [one_scale_gone, one_layer_leaves_it_out, louder])
def test_a_model_whose_modules_change_is_tried_again(change: Any) -> None:
    model = adapted(KINDS["lora"])
    score, state = scored_once(model)
    change(model)
    with pytest.raises(ModelError, match=r"change nothing|does more than its layers"):
        score(ITEMS, ArrayRecord(state), CONTEXT)


def test_a_hook_that_changes_the_base_is_refused() -> None:
    model = adapted(KINDS["lora"])
    score, state = scored_once(model)
    model.base_model.model.lm_head.register_forward_hook(lambda *given: 1.5 * given[-1])
    for arrays in (None, ArrayRecord(state)):
        with pytest.raises(ModelError, match="not what it was when it was loaded"):
            score(ITEMS, arrays, CONTEXT)


def test_a_hook_that_only_looks_on_changes_no_score() -> None:
    model = adapted(KINDS["lora"])
    score, state = scored_once(model)
    expected = score(ITEMS, ArrayRecord(state), CONTEXT)
    seen: list[int] = []
    model.base_model.model.model.layers[0].register_forward_hook(lambda *_: seen.append(1))
    np.testing.assert_allclose(score(ITEMS, ArrayRecord(state), CONTEXT), expected, atol=1e-5)
    assert seen


def test_a_rescaled_adapter_is_scored_as_it_is_scaled_now() -> None:
    model, fresh = adapted(KINDS["lora"]), adapted(KINDS["lora"])
    score, state = scored_once(model)
    for whole in (model, fresh):
        for module in whole.modules():
            if hasattr(module, "lora_A"):
                module.scaling["default"] *= 0.5
    found = score(ITEMS, ArrayRecord(state), CONTEXT)
    np.testing.assert_allclose(found, plain(fresh, state), atol=1e-4)


def test_training_in_mixed_precision_is_no_other_model() -> None:
    """As accelerate does it: the model's forward runs under autocast from then on."""
    model = adapted(KINDS["lora"])
    score, state = scored_once(model)
    expected = score(ITEMS, ArrayRecord(state), CONTEXT)
    inner = model.forward

    def forward(*given: Any, **more: Any) -> Any:
        with torch.autocast("cpu", torch.bfloat16):
            found = inner(*given, **more)
        found.logits = found.logits.float()
        return found

    model.forward = forward
    np.testing.assert_allclose(score(ITEMS, ArrayRecord(state), CONTEXT), expected, atol=1e-5)


def test_choices_are_compared_by_the_plans_word() -> None:
    """On one resident model, which keeps no word from one call to the next."""
    model = adapted(KINDS["lora"])
    score = PeftScore(lambda context: (model, tokenizer()))
    plain = score(ITEMS, None, CONTEXT)
    by_byte = score.under("per-byte")(ITEMS, None, CONTEXT)
    held = peft_scoring.held[0]
    with held.slots.unchanged():
        logs = held.model.log_likelihoods(ITEMS, None)
    for row, found, lengths in zip(by_byte, logs, ((4, 12), (3, 4, 4), (1, 1)), strict=True):
        weights = np.exp(found[: len(lengths)] / np.array(lengths, float))
        assert row[: len(lengths)] == pytest.approx(weights / weights.sum(), abs=1e-5)
    assert np.abs(plain - by_byte).max() > 0.05
    np.testing.assert_array_equal(score(ITEMS, None, CONTEXT), plain)


def test_dora_keeps_nothing_of_other_arrays() -> None:
    """peft can let it keep norms and products between calls, until the model trains again."""
    from peft.helpers import DoraCaching

    model = adapted(KINDS["dora"])
    score = PeftScore(lambda context: (model, tokenizer()))
    states = [other(model), {name: 1.5 * tensor for name, tensor in other(model).items()}]
    own = state_of(model)
    expected = [plain(adapted(KINDS["dora"]), state) for state in states]
    caching = DoraCaching()
    caching(enabled=True)
    try:
        model.eval()
        tokens = torch.tensor([[1, 2, 3]])
        with torch.no_grad():
            before = model(input_ids=tokens).logits
        found = [score(ITEMS, ArrayRecord(state), CONTEXT) for state in states]
        with torch.no_grad():
            after = model(input_ids=tokens).logits
    finally:
        caching(enabled=False)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    torch.testing.assert_close(after, before)
    assert all(torch.equal(tensor, own[name]) for name, tensor in state_of(model).items())


def test_a_hook_in_the_place_of_another_is_tried_too() -> None:
    model = adapted(KINDS["lora"])
    layer = model.base_model.model.model.layers[1]
    watching = layer.register_forward_hook(lambda *_: None)
    score = PeftScore(lambda context: (model, tokenizer()))
    score(ITEMS, None, CONTEXT)
    watching.remove()
    layer.register_forward_hook(lambda _module, _given, found: 0 * found)
    with pytest.raises(ModelError, match="not what it was when it was loaded"):
        score(ITEMS, None, CONTEXT)


def test_a_buffer_of_the_base_is_looked_at_too() -> None:
    model = adapted(KINDS["lora"])
    score = PeftScore(lambda context: (model, tokenizer()))
    score(ITEMS, None, CONTEXT)
    model.base_model.model.model.rotary_emb.inv_freq.mul_(3)
    with pytest.raises(ModelError, match="not what it was when it was loaded"):
        score(ITEMS, None, CONTEXT)


def test_a_base_that_is_trained_since_is_refused_by_name_however_small_its_steps() -> None:
    model = adapted(KINDS["lora"]).to(torch.bfloat16)
    score = PeftScore(lambda context: (model, tokenizer()))
    score(ITEMS, None, CONTEXT)
    norm = model.base_model.model.model.norm
    norm.weight.requires_grad_(True)
    with torch.no_grad():
        norm.weight.mul_(1.01)
    with pytest.raises(ModelError, match=r"trained beside the adapter: .*model\.norm\.weight"):
        score(ITEMS, None, CONTEXT)


def test_compiled_layers_are_the_same_layers() -> None:
    """What torch.compile puts around a layer adds to the names of its arrays."""
    model = adapted(KINDS["lora"])
    layers = model.base_model.model.model.layers
    for place in range(len(layers)):
        layers[place] = torch.compile(layers[place], backend="eager")
    score = PeftScore(lambda context: (model, tokenizer()))
    state = other(model)
    bare = {name.replace("_orig_mod.", ""): tensor for name, tensor in state.items()}
    assert set(bare).isdisjoint(state)
    # Without the minutes of a compiler: what runs is the same.
    with torch.compiler.set_stance("force_eager"):
        found = score(ITEMS, ArrayRecord(state), CONTEXT)
        again = score(ITEMS, ArrayRecord(bare), CONTEXT)
    np.testing.assert_allclose(found, plain(adapted(KINDS["lora"]), bare), atol=1e-4)
    np.testing.assert_array_equal(found, again)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        (lambda model: model, "did not return a model and its tokenizer"),
        (lambda model: None, "did not return a model and its tokenizer"),
        (lambda model: (model, tokenizer(), 3), "did not return a model and its tokenizer"),
        (lambda model: (model, None), "is no tokenizer"),
        (lambda model: (tokenizer(), model), "is no tokenizer"),
        (lambda model: (model.to("meta"), tokenizer()), "not in memory"),
    ],
)
def test_what_is_no_model_with_its_tokenizer_is_refused(given: Any, match: str) -> None:
    with pytest.raises(ModelError, match=match) as caught:
        PeftScore(lambda context: given(adapted(KINDS["lora"])))(ITEMS, None, CONTEXT)
    assert caught.value.remedy

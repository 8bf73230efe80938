"""Items become the tokens that lm-evaluation-harness scores, whatever a tokenizer does at ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    MptConfig,
    MptForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForCausalLM,
)

from unsilent.errors import ItemError, ModelError
from unsilent.items import Item, ItemSet
from unsilent.models.causal_lm import CausalLM
from unsilent.models.encode import Limits, token_paths, window_of
from unsilent.models.positions import steady_length
from unsilent.models.texts import Texts, leading
from unsilent.plan import AdapterPlan

LETTERS = sorted(pre_tokenizers.ByteLevel.alphabet())
MERGES = [("Ġ", "g"), ("g", "o"), ("Ġg", "o"), ("o", "d")]
START, END = 0, 1


def build(
    *,
    before: bool = False,
    after: bool = False,
    special: bool = True,
    folded: bool = False,
    merges: list[tuple[str, str]] = MERGES,
) -> Any:
    """Bytes and a few pairs, with what a tokenizer may set around a text."""
    vocabulary = {"<s>": START, "</s>": END, **{letter: n + 2 for n, letter in enumerate(LETTERS)}}
    for pair in merges:
        vocabulary["".join(pair)] = len(vocabulary)
    inner = Tokenizer(models.BPE(vocabulary, merges))
    if special:
        inner.add_special_tokens(["<s>", "</s>"])
    if folded:
        inner.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.Strip()])
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    inner.decoder = decoders.ByteLevel()
    if before or after:
        inner.post_processor = processors.TemplateProcessing(
            single=f"{'<s> ' if before else ''}$A{' </s>' if after else ''}",
            pair=None,
            special_tokens=[("<s>", START), ("</s>", END)],
        )
    ends = {"bos_token": "<s>", "eos_token": "</s>"} if special else {}
    return PreTrainedTokenizerFast(tokenizer_object=inner, **ends)


def harness(tokenizer: Any, prompt: str, choice: str, window: int) -> tuple[list[int], int]:
    """(tokens, scored ones at their end) as ``TemplateLM.loglikelihood`` and ``HFLM`` have it.

    For tokenizers that set nothing after a text; where they do, the harness scores that too.
    """
    prefix = tokenizer.bos_token_id
    prefix = tokenizer.eos_token_id if prefix is None else prefix
    if prompt == "":
        rest = tokenizer.encode(choice, add_special_tokens=False)
        head, rest = ([prefix], rest) if rest[0] != prefix else (rest[:1], rest[1:])
    else:
        blanks = len(prompt) - len(prompt.rstrip())
        if blanks:
            prompt, choice = prompt[:-blanks], prompt[-blanks:] + choice
        asis = {"add_special_tokens": False}
        more = asis if prompt.startswith(tokenizer.decode(prefix)) else {}
        head = tokenizer.encode(prompt, **more)
        rest = tokenizer.encode(prompt + choice, **more)[len(head) :]
    return (head + rest)[-(window + 1) :], len(rest)


PROMPTS = {
    "plain": ("the film was", (" good", " bad")),
    "blank at the end": ("the film was ", ("good", "bad")),
    "blanks at the end": ("the film was \n ", ("good", "bad")),
    "blank on both sides": ("it is ", (" good", "good")),
    "line at the end": ("Answer:\n", ("good", "go")),
    "prefixes of each other": ("it is", (" go", " good", " goo")),
    "shared tokens": ("it is", (" good", " gold", " go")),
    "first letter the same": ("", ("a", "aa", "ab")),
    "empty": ("", ("good", "bad")),
    "empty, blank first": ("", (" good", "bad")),
    "begins as the tokenizer would": ("<s>it is", (" good", " bad")),
    "melts": ("it is g", ("ood", "xd")),
    "beyond the window": ("x" * 60 + " it is", (" good", " a very long choice")),
    "blank at the end, beyond the window": ("x" * 60 + " it is ", ("good", "bad")),
}


@pytest.mark.parametrize("before", [False, True], ids=["", "bos"])
@pytest.mark.parametrize("name", PROMPTS)
def test_the_harness_has_the_same_tokens(name: str, before: bool) -> None:
    tokenizer = build(before=before)
    prompt, choices = PROMPTS[name]
    (found,) = token_paths(tokenizer, [Item("i", prompt, choices)], Limits(1000, 40))
    for path, choice in zip(found, choices, strict=True):
        tokens, scored = harness(tokenizer, prompt, choice, 40)
        assert (list(path.tokens), len(path.tokens) - path.start) == (tokens, scored)


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("name", [name for name in PROMPTS if not name.startswith("begins")])
def test_what_a_tokenizer_sets_after_a_text_is_not_scored(name: str, before: bool) -> None:
    prompt, choices = PROMPTS[name]
    item = Item("i", prompt, choices)
    expected = token_paths(build(before=before), [item], Limits(1000, 40))
    found = token_paths(build(before=before, after=True), [item], Limits(1000, 40))
    assert found == expected


def test_blanks_alone_are_an_empty_prompt() -> None:
    tokenizer = build()
    (found,) = token_paths(tokenizer, [Item("i", "  ", ("good", "bad"))])
    assert [path.start for path in found] == [1, 1]
    assert [tokenizer.decode(path.tokens[1:]) for path in found] == ["  good", "  bad"]
    assert {path.tokens[0] for path in found} == {START}


def test_a_choice_that_begins_as_a_text_does_is_asked_for_its_rest() -> None:
    (found,) = token_paths(build(), [Item("i", "", ("<s>a", "b"))])
    assert [len(path.tokens) - path.start for path in found] == [1, 1]
    refused(build(), Item("i", "", ("<s>", "b")), "makes no token")


@pytest.mark.parametrize(
    ("ends", "expected"),
    [({}, []), ({"before": True}, [START]), ({"after": True}, []), ({"folded": True}, [])],
    ids=str,
)
def test_what_stands_before_a_text_is_found_by_what_the_tokenizer_does(
    ends: dict[str, Any], expected: list[int]
) -> None:
    assert leading(build(**ends)) == expected


@pytest.mark.parametrize(
    "template",
    [None, "{{ bos_token }}[{{ messages[0].content }}]\n", "[{{ messages[0].content }}] "],
)
def test_a_chat_begins_once_as_a_text_does(template: str | None) -> None:
    tokenizer = build(before=True, after=True)
    tokenizer.chat_template = template
    item = Item("i", "go", ("I can", "Sure"), chat=True)
    (found,) = token_paths(tokenizer, [item])
    for path in found:
        assert path.tokens.index(START) == 0
        assert path.tokens.count(START) == 1
        assert END not in path.tokens
    assert Texts(build()).chat("go") == "User: go\nAssistant:\n"


def test_blanks_at_the_end_of_a_template_belong_to_the_choice() -> None:
    tokenizer = build()
    tokenizer.chat_template = "[{{ messages[0].content }}] said:\n "
    (found,) = token_paths(tokenizer, [Item("i", "go", ("no", "yes"), chat=True)])
    assert [tokenizer.decode(path.tokens[path.start :]) for path in found] == ["\n no", "\n yes"]


def test_the_longer_of_two_beginnings_is_taken_where_a_tokenizer_knows_no_letter() -> None:
    """All of a text is unknown, and the unknown token is the one that begins it."""
    inner = Tokenizer(models.WordLevel({"<s>": 0}, unk_token="<s>"))
    inner.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair=None, special_tokens=[("<s>", 0)]
    )
    assert leading(PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>")) == [0]


def refused(tokenizer: Any, item: Item, match: str, limits: Limits | None = None) -> None:
    good = Item("good one", "it is", (" good", " bad"))
    with pytest.raises(ItemError, match=match) as caught:
        token_paths(tokenizer, [good, item], limits)
    assert caught.value.where == f"item {item.id}"
    assert caught.value.remedy
    # An error travels, a client's text does not.
    for text in (item.prompt, *item.choices):
        assert not text.strip() or text.strip() not in caught.value.line()


def test_an_empty_prompt_that_nothing_can_stand_before_is_refused() -> None:
    refused(build(special=False), Item("e", "", ("good", "bad")), "nothing stands before")
    refused(build(special=False), Item("e", " ", ("good", "bad")), "nothing stands before")


def test_a_choice_that_makes_no_token_is_refused() -> None:
    refused(build(folded=True), Item("n", "it is", (" ", "zq")), "makes no token")
    refused(build(folded=True), Item("n", "it is", (" ", "zq"), chat=True), "makes no token")


def test_a_choice_that_melts_whole_into_the_prompt_is_refused() -> None:
    tokenizer = build(merges=[("x", "y"), ("xy", "z")])
    refused(tokenizer, Item("m", "it is x", ("y", " good")), "melts into the prompt")
    refused(tokenizer, Item("m", "it is xy", (" good", "z")), "melts into the prompt")
    token_paths(tokenizer, [Item("m", "it is x", ("yq", " good"))])


def test_a_prompt_that_makes_no_token_is_refused() -> None:
    """Its choices would be scored as if nothing had been asked."""
    known = {letter: n for n, letter in enumerate("<it s good bad>")}
    inner = Tokenizer(models.BPE(known, []))
    bare = PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<")
    refused(bare, Item("p", "\u6771\u4eac", ("good bad", "bad")), "its prompt makes no token")


def test_a_text_that_the_tokenizer_stops_at_is_refused() -> None:
    inner = Tokenizer(models.Unigram([(letter, -1.0) for letter in sorted(set("it is good bad"))]))
    words = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="i")
    refused(words, Item("u", "it is", (" good", " \u6771\u4eac")), "cannot encode it")


def test_a_chat_that_the_template_does_not_take_is_refused() -> None:
    tokenizer = build()
    for template in ("{{ raise_exception('no') }}", "{{ 1 / 0 }}", "{% for %}"):
        tokenizer.chat_template = template
        refused(tokenizer, Item("c", "go", (" good", " bad"), chat=True), "template does not take")


PARTS = (
    "{% for m in messages %}{% for part in m.content %}"
    "{% if part.type == 'text' %}{{ part.text }}{% endif %}{% endfor %}{% endfor %}[a]"
)


def test_a_chat_whose_template_leaves_out_what_is_asked_is_refused() -> None:
    """As one does that goes through a turn's parts: each request would be the same text."""
    tokenizer = build()
    tokenizer.chat_template = PARTS
    item = Item("c", "ask this", (" good", " bad"), chat=True)
    refused(tokenizer, item, "template leaves out what it is asked")
    tokenizer.chat_template = "{{ messages[0].content | upper }}[a]"
    assert Texts(tokenizer).chat("ask this") == "ASK THIS[a]"


def test_a_template_that_leaves_out_the_systems_turn_is_refused() -> None:
    tokenizer = build()
    tokenizer.chat_template = "{{ messages[-1].content }}[a]"
    assert Texts(tokenizer).chat("ask this") == "ask this[a]"
    with pytest.raises(ModelError, match="leaves out the system's turn"):
        Texts(tokenizer).chat("ask this", "be kind")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("%d %b %Y", "26 Jul 2024"),
        ("%B %-d, %Y", "July 26, 2024"),
        ("%Y-%m-%d", "2024-07-26"),
        ("%A, %H:%M", "Friday, 00:00"),
    ],
)
def test_a_template_that_tells_the_date_tells_the_same_on_every_day(asked: str, told: str) -> None:
    """Answers of one round are held against those of rounds before."""
    tokenizer = build()
    tokenizer.chat_template = (
        "{% macro today() %}{{ strftime_now('" + asked + "') }}{% endmacro %}"
        "{% if strftime_now is defined %}{% set date = strftime_now('" + asked + "') %}{% endif %}"
        "{{ date }}|{{ today() }}|{{ messages[0].content }}"
    )
    assert Texts(tokenizer).chat("go") == f"{told}|{told}|go"


def test_a_private_record_is_named_by_its_place() -> None:
    items = [Item("good one", "it is", (" good", " bad")), Item("case-1-abc", "", ("a", "b"))]
    with pytest.raises(ItemError) as caught:
        token_paths(build(special=False), items, private=True)
    assert caught.value.where == "record 2"
    assert "case-1-abc" not in caught.value.line()


def test_a_token_without_an_embedding_is_refused() -> None:
    tokenizer = build()
    rows = len(tokenizer)
    tokenizer.add_tokens(["<qqq>"])
    for item in (
        Item("p", "say <qqq>", (" xx", " yy")),
        Item("c", "say", (" xx", "<qqq>")),
        Item("h", "say", (" xx", "<qqq>"), chat=True),
    ):
        refused(tokenizer, item, "has no embedding", Limits(rows, 100))
        token_paths(tokenizer, [item], Limits(rows + 1, 100))


def test_a_choice_beyond_the_window_is_refused() -> None:
    item = Item("w", "it is", (" zq", " " + "zq" * 20))
    refused(build(), item, "longer than the 40 tokens", Limits(1000, 40))
    token_paths(build(), [item], Limits(1000, 41))


def test_the_window_is_looked_for_where_the_harness_looks() -> None:
    tokenizer = build()
    assert window_of(GPT2Config(n_positions=77), tokenizer) == 77
    assert window_of(_Bare(), tokenizer) == 2048
    tokenizer.model_max_length = 55
    assert window_of(_Bare(), tokenizer) == 55


class _Bare:
    """A config that knows no length."""

    def get_text_config(self) -> Any:
        return self


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_prompts_beyond_the_window_are_scored_by_their_end(
    family: str, tiny: Callable[..., Any]
) -> None:
    torch.manual_seed(0)
    if family == "gpt2":
        shape: dict[str, Any] = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 40}
        model: Any = GPT2LMHeadModel(GPT2Config(vocab_size=300, initializer_range=0.3, **shape))
    else:
        model = tiny()
        model.config.max_position_embeddings = 40
    tokenizer = build()
    items = ItemSet(
        "long",
        (
            Item("l", "x" * 60 + " it is", (" good", " bad")),
            Item("m", "x" * 60 + " it is ", ("good", "bad and so on")),
            Item("s", "it is", (" good", " bad")),
        ),
    )
    expected = np.full((3, 2), -np.inf)
    with torch.no_grad():
        for row, item in enumerate(items):
            for column, choice in enumerate(item.choices):
                tokens, scored = harness(tokenizer, item.prompt, choice, 40)
                logs = model.eval()(input_ids=torch.tensor([tokens[:-1]])).logits[0].log_softmax(-1)
                asked = range(len(tokens) - scored, len(tokens))
                expected[row, column] = sum(float(logs[at - 1, tokens[at]]) for at in asked)
    targets = ("c_attn",) if family == "gpt2" else ("q_proj",)
    plan = AdapterPlan(rank=2, targets=targets, layers=(1, 1))
    lm = CausalLM(model, tokenizer, weights="w", adapter=plan)
    np.testing.assert_allclose(lm.log_likelihoods(items, None), expected, atol=1e-4)


def test_a_scored_set_names_the_item_that_it_cannot_ask(tiny: Callable[..., Any]) -> None:
    tokenizer = build()
    tokenizer.add_tokens([f"<q{n}>" for n in range(80)])
    plan = AdapterPlan(rank=2, targets=("q_proj",), layers=(1, 1))
    lm = CausalLM(tiny(), tokenizer, weights="w", adapter=plan)
    asked = ItemSet("s", (Item("it", "say <q79>", (" a", " b")),))
    with pytest.raises(ItemError, match="item it: a token of it has no embedding"):
        lm.score(asked, None)


def few_positions(family: str) -> tuple[Any, str]:
    """Models with fewer positions than the harness, and we, take their config to say."""
    torch.manual_seed(0)
    if family == "mpt":
        config = MptConfig(vocab_size=300, d_model=32, n_layers=2, n_heads=4, max_seq_len=24)
        return MptForCausalLM(config).eval(), "Wqkv"
    # Its first positions are those of padding.
    config = RobertaConfig(
        vocab_size=300,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=24,
        is_decoder=True,
    )
    return RobertaForCausalLM(config).eval(), "query"


@pytest.mark.parametrize("name", ["asked", "records"])
@pytest.mark.parametrize("family", ["mpt", "roberta"])
def test_an_item_that_the_model_stops_at_is_refused(family: str, name: str) -> None:
    model, target = few_positions(family)
    plan = AdapterPlan(rank=2, targets=(target,), layers=(1, 1))
    lm = CausalLM(model, build(), weights="w", adapter=plan)
    short = Item("short", "it is", (" good", " bad"))
    assert np.isfinite(lm.log_likelihoods(ItemSet(name, (short,)), None)).all()
    asked = ItemSet(name, (short, Item("long-1", "x" * 60 + " it is", (" good", " bad"))))
    with pytest.raises(ItemError, match="no numbers for a text of this length") as caught:
        lm.score(asked, None)
    assert caught.value.where == ("record 2" if name == "records" else "item long-1")


def test_a_text_whose_numbers_depend_on_those_beside_it_is_refused() -> None:
    """LongRoPE takes other frequencies for all of a batch that holds one long text."""
    torch.manual_seed(0)
    factors: dict[str, Any] = {
        "rope_type": "longrope",
        "rope_theta": 10000.0,
        "short_factor": [1.0] * 4,
    }
    config = Phi3Config(
        vocab_size=300,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=64,
        original_max_position_embeddings=16,
        pad_token_id=1,
        initializer_range=0.3,
        rope_parameters={**factors, "long_factor": [4.0] * 4},
    )
    model = Phi3ForCausalLM(config).eval()
    plan = AdapterPlan(rank=2, targets=("qkv_proj",), layers=(1, 1))
    lm = CausalLM(model, build(), weights="w", adapter=plan)
    short = Item("short", "it is", (" good", " bad"))
    longest = Item("16 seen", "x" * 12, (" good", " xxxx"))
    asked = ItemSet("steady", (short, longest))
    alone = lm.log_likelihoods(ItemSet("one", (short,)), None)
    np.testing.assert_allclose(lm.log_likelihoods(asked, None)[0], alone[0], atol=1e-4)
    beyond = Item("17 seen", "x" * 13, (" good", " xxxx"))
    with pytest.raises(ItemError, match="item 17 seen: beyond 16 tokens"):
        lm.log_likelihoods(ItemSet("beyond", (short, beyond)), None)
    assert steady_length(GPT2Config()) is None

"""Texts at the edges: does any tokenizer get other tokens, or numbers, than lm-evaluation-harness?

Small tokenizers of all kinds are built, with all that may stand around a text, and asked seeded
random texts that blanks, special tokens, marks, merges at the seam, shared beginnings and the
window make hard. What unsilent scores is held against ``HFLM`` of the harness: its token rows, and
its log-likelihoods on a small random model. Three things may come of an item:

- ``same``: rows and log-likelihoods are the harness's;
- ``refused``: by the item's name. ``harness`` says how many of these the harness scored;
- ``own``: scored, where the harness has an error: a prompt of blanks alone.

A tokenizer that sets something after a text is held against itself without that: the harness
takes the end for a part of the choice, see ``unsilent.models.texts``.

    pip install "lm-eval==0.4.13"
    python benchmarks/text_edges.py --items 60
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import product
from typing import Any

from common import Rows, arguments, show
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from unsilent.errors import ItemError
from unsilent.items import Item, ItemSet
from unsilent.models.texts import Texts

KINDS = ("bytes", "bytes-prefix", "pieces", "pieces-first", "unigram", "words")
ENDS = ("none", "bos", "eos", "both")
TEMPLATES = ("none", "plain", "bos", "tight")
WINDOW = 24
SLIDING = 8
TOLERANCE = 1e-4
SPECIAL = ("<s>", "</s>", "<unk>", "<|user|>", "<|end|>")
_CORPUS = [
    "the film was good and the food was not good at all",
    "it is a very long choice, so it goes on and on",
    "I can not help with that. Sure, here is how it is done",
    "Straße café naïve 東京 is a city, 12 345 6.7",
    "yes no maybe goodness goods badly",
] * 4
_PIECES = (
    *(" good", "good", " goods", "ness", " bad", "a", "aa", "ab", " the", "the", "I", " can", "1"),
    *("12", " ", "  ", "\n", "\t", "\u00a0", "\u3000", "e\u0301", "é", "ﬁ", "ß", "東京", "🙂", "☃"),
    *("\u200b", "-", "'s", ".", "▁", "Ġ", *SPECIAL),
)
_TURN = "{% for m in messages %}<|user|>{{ m['content'] }}<|end|>"
_ANSWER = "{% endfor %}{% if add_generation_prompt %}"
_TEMPLATE = {
    "plain": f"{_TURN}\n{_ANSWER}answer:\n{{% endif %}}",
    "bos": f"{{{{ bos_token }}}}{_TURN}{_ANSWER} answer: {{% endif %}}",
    "tight": f"{_TURN}{_ANSWER}<|end|>{{% endif %}}",
}


def tokenizer_of(kind: str, ends: str = "none", template: str = "none") -> Any:
    """A trained tokenizer of a few hundred tokens.

    Args:
        kind: One of ``KINDS``.
        ends: One of ``ENDS``: what its post-processor sets around a text.
        template: One of ``TEMPLATES``.
    """
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer.from_str(_trained(kind))
    if ends != "none":
        before = "<s> " if ends in ("bos", "both") else ""
        after = " </s>" if ends in ("eos", "both") else ""
        inner.post_processor = processors.TemplateProcessing(
            single=f"{before}$A{after}",
            pair=None,
            special_tokens=[(name, inner.token_to_id(name)) for name in ("<s>", "</s>")],
        )
    made = PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
    made.chat_template = _TEMPLATE.get(template)
    return made


@lru_cache
def _trained(kind: str) -> str:
    """Trained once: the order in which some kinds learn their pieces is not the same each time.

    Byte-level BPE, BPE and unigram of SentencePiece's kind, or WordPiece, each normalized.
    """
    special = list(SPECIAL)
    trainer: Any
    if kind.startswith("bytes"):
        made = Tokenizer(models.BPE())
        made.normalizer = normalizers.NFC()
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=kind == "bytes-prefix")
        made.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=320,
            special_tokens=special,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
    elif kind.startswith("pieces"):
        # As SentencePiece's: a dummy prefix, and bytes for what has no piece.
        scheme = "first" if kind == "pieces-first" else "always"
        made = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
        made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=False)
        made.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
        trainer = trainers.BpeTrainer(
            vocab_size=420,
            special_tokens=[*special, *(f"<0x{byte:02X}>" for byte in range(256))],
            show_progress=False,
        )
    elif kind == "unigram":
        made = Tokenizer(models.Unigram())
        made.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Strip()])
        made.pre_tokenizer = pre_tokenizers.Metaspace()
        made.decoder = decoders.Metaspace()
        trainer = trainers.UnigramTrainer(
            vocab_size=120, special_tokens=special, unk_token="<unk>", show_progress=False
        )
    else:
        made = Tokenizer(models.WordPiece(unk_token="<unk>"))
        made.normalizer = normalizers.BertNormalizer()
        made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        made.decoder = decoders.WordPiece()
        trainer = trainers.WordPieceTrainer(
            vocab_size=160, special_tokens=special, show_progress=False
        )
    made.train_from_iterator(_CORPUS, trainer)
    return made.to_str()


def edge_items(count: int, seed: int, *, chat: bool) -> list[Item]:
    """Items of random pieces: empty and blank prompts, long ones, choices that begin alike."""
    drawn = random.Random(f"{seed}-{chat}")

    def text(least: int, most: int) -> str:
        return "".join(drawn.choices(_PIECES, k=drawn.randint(least, most)))

    items = []
    while len(items) < count:
        kind = drawn.random()
        prompt = text(1, 5)
        if kind < 0.1:
            prompt = ""
        elif kind < 0.2:
            prompt = drawn.choice([" ", "\n", " \n ", "\u00a0"])
        elif kind < 0.35:
            prompt += drawn.choice([" ", "\n", "  ", " \n", "\t", "\u3000"])
        elif kind < 0.5:
            prompt = text(12, 30)
        elif kind < 0.6:
            prompt = "<s>" + prompt
        shared = text(0, 2) if drawn.random() < 0.4 else ""
        first = shared + text(1, 2)
        choices = {first: 0, first + text(1, 2): 0, shared + text(1, 3): 0}
        if len(choices) > 1:
            items.append(Item(f"i{len(items)}", prompt, tuple(choices), chat=chat))
    return items


def small_model(vocabulary: int, kind: str, window: int = WINDOW) -> Any:
    """A random causal language model: absolute positions, rotary ones, or a sliding window."""
    import torch
    from transformers import (
        GPT2Config,
        GPT2LMHeadModel,
        LlamaConfig,
        LlamaForCausalLM,
        MistralConfig,
        MistralForCausalLM,
    )

    torch.manual_seed(0)
    if kind == "gpt2":
        config = GPT2Config(
            vocab_size=vocabulary,
            n_embd=32,
            n_layer=2,
            n_head=4,
            n_positions=window,
            initializer_range=0.3,
        )
        return GPT2LMHeadModel(config).eval()
    shape: dict[str, Any] = {
        "vocab_size": vocabulary,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": window,
        "initializer_range": 0.3,
    }
    if kind == "llama":
        return LlamaForCausalLM(LlamaConfig(**shape)).eval()
    return MistralForCausalLM(MistralConfig(**shape, sliding_window=SLIDING)).eval()


MODELS = {"gpt2": "c_attn", "llama": "q_proj", "mistral": "q_proj"}


class Harness:
    """The harness's own encoding and scoring, around a model that is already loaded."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        from lm_eval.models.huggingface import HFLM  # pyright: ignore[reportMissingImports]

        logging.getLogger("lm_eval").setLevel(logging.CRITICAL)
        self._lm: Any = HFLM(
            pretrained=model, tokenizer=tokenizer, device="cpu", batch_size=8, logits_cache=False
        )
        self._chat = self._lm.apply_chat_template
        self.window = int(self._lm.max_length)
        self._tokenizer = tokenizer

    def requests(self, item: Item) -> list[tuple[list[int], list[int]]] | None:
        """Context and continuation of each choice; None where the harness stops at an error."""
        from lm_eval.api.instance import Instance  # pyright: ignore[reportMissingImports]

        prompt = item.prompt
        if item.chat:
            turn = {"role": "user", "content": prompt}
            # Without a template the harness knows no chats, and is given our plain form.
            plain = self._tokenizer.chat_template is None
            prompt = Texts(self._tokenizer).chat(prompt) if plain else self._chat([turn])
        found: list[tuple[list[int], list[int]]] = []

        def keep(requests: Sequence[Any], **_: Any) -> list[Any]:
            found.extend((list(before), list(after)) for _, before, after in requests)
            return [(0.0, False)] * len(requests)

        scores, self._lm._loglikelihood_tokens = self._lm._loglikelihood_tokens, keep
        try:
            asked = [
                Instance("loglikelihood", {}, (prompt, choice), number)
                for number, choice in enumerate(item.choices)
            ]
            self._lm.loglikelihood(asked, disable_tqdm=True)
        except (AssertionError, IndexError):
            return None
        finally:
            self._lm._loglikelihood_tokens = scores
        fits = all(before and 0 < len(after) <= self.window for before, after in found)
        return found if fits else None

    def score(self, requests: Sequence[tuple[list[int], list[int]]]) -> list[float]:
        """The log-likelihood of each request."""
        asked = [(("", f"{n}"), list(b), list(a)) for n, (b, a) in enumerate(requests)]
        return [each[0] for each in self._lm._loglikelihood_tokens(asked, disable_tqdm=True)]


def compared(
    kind: str, ends: str, template: str, name: str, items: Sequence[Item]
) -> dict[str, Any]:
    """One tokenizer and model: how many items are the same, refused, scored by own rule, wrong."""
    from unsilent.models.causal_lm import CausalLM
    from unsilent.models.encode import Limits, token_paths
    from unsilent.plan import AdapterPlan

    tokenizer = tokenizer_of(kind, ends, template)
    ended = {"eos": "none", "both": "bos"}.get(ends, ends)
    model = small_model(len(tokenizer), name)
    harness = Harness(model, tokenizer_of(kind, ended, template))
    plan = AdapterPlan(rank=2, targets=(MODELS[name],), layers=(1, 1))
    lm = CausalLM(model, tokenizer, weights="small", adapter=plan)
    limits = Limits(len(tokenizer), harness.window)
    row: dict[str, Any] = dict.fromkeys(("same", "refused", "harness", "own", "wrong"), 0)
    kept: list[Item] = []
    asked: list[tuple[list[int], list[int]]] = []
    with lm.merged(None):
        for item in items:
            theirs = harness.requests(item)
            try:
                (paths,) = token_paths(tokenizer, [item], limits)
            except ItemError as error:
                row["refused" if error.where == f"item {item.id}" else "wrong"] += 1
                row["harness"] += theirs is not None
                continue
            ours = [(p.tokens[: p.start], p.tokens[p.start :]) for p in paths]
            if theirs is None:
                row["own"] += 1
                continue
            cut = [(tuple((b + a)[-(harness.window + 1) :]), len(a)) for b, a in theirs]
            if [(b + a, len(a)) for b, a in ours] != cut:
                row["wrong"] += 1
                continue
            kept.append(item)
            asked += theirs
        most = 0.0
        if kept:
            logs = iter(harness.score(asked))
            table = lm.log_likelihoods(ItemSet("edges", tuple(kept)), None)
            for place, item in enumerate(kept):
                off = max(abs(table[place, n] - next(logs)) for n in range(len(item.choices)))
                most = max(most, float(off))
                row["same" if off <= TOLERANCE else "wrong"] += 1
    return {**row, "difference": most}


def cases() -> Iterator[tuple[str, str, str]]:
    """All tokenizers: kind, ends, template."""
    yield from product(KINDS, ENDS, TEMPLATES)


def main() -> None:
    """Compare all tokenizers, with all kinds of positions in turn."""
    parser = arguments(__doc__)
    parser.add_argument("--items", type=int, default=60, help="for each tokenizer, half of chats")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    rows: Rows = []
    for number, (kind, ends, template) in enumerate(cases()):
        half = given.items // 2
        seed = given.seed * 1000 + number
        items = edge_items(half, seed, chat=False)
        items += [
            Item(f"c{item.id}", item.prompt, item.choices, chat=True)
            for item in edge_items(given.items - half, seed, chat=True)
        ]
        name = list(MODELS)[number % len(MODELS)]
        row = compared(kind, ends, template, name, items)
        rows.append({"tokenizer": kind, "around": ends, "chat": template, "model": name, **row})
    kinds = ("same", "refused", "harness", "own", "wrong")
    total: dict[str, Any] = {kind: sum(row[kind] for row in rows) for kind in kinds}
    show(
        "Texts at the edges, unsilent against lm-evaluation-harness",
        rows,
        as_json=given.json,
        **total,
        difference=max(row["difference"] for row in rows),
    )


if __name__ == "__main__":
    main()

"""Ways in which a model is another one than its arrays say, planted one after the other.

Each row plants one fault in a small peft model and asks ``PeftScore`` for the base, for one
adapter and for another. ``refused`` is the right answer where the model is no longer what the
arrays say; ``right`` are numbers within 1e-3 of peft's own forward pass on a model without the
fault. ``wrong`` is anything else: numbers that a verdict would be built on. Sound models come
last, none of which may be refused. Then whole federations whose own score functions have such
faults (``ignored_scores.py``), and what is counted where nothing is wrong: in the benchmark's
traces, and with ``--demos`` in both demos, run anew.

    python benchmarks/ignored_adapters.py --json
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from doubted import demos, traced
from flwr.app import ArrayRecord, Context, RecordDict
from ignored_scores import federations
from numpy.typing import NDArray
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from peft.tuners.tuners_utils import BaseTunerLayer
from rich.console import Console
from rich.table import Table
from tiny_adapters import Kind, arrays, kinds
from tiny_adapters import base as kinds_base
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from unsilent.errors import UnsilentError
from unsilent.flower import PeftScore
from unsilent.items import Item, ItemSet
from unsilent.models import peft_scoring

ITEMS = ItemSet(
    "items",
    (
        Item("a", "the film was", (" good", " bad and long")),
        Item("b", "the film was not", (" bad", " good", " long")),
        Item("c", "is it", ("a", "b")),
        Item("d", "it is ", ("good", "bad")),
    ),
)
CONTEXT = Context(run_id=1, node_id=1, node_config={}, state=RecordDict(), run_config={})
WITHIN = 1e-3


@dataclass(frozen=True)
class Case:
    """A fault, or a sound way to hand a model over.

    ``later`` is done to the model after it was scored once, and says False if it could not be.
    ``clean`` is the model without the fault, ``start`` the one without an adapter.
    """

    name: str
    make: Callable[[], Any]
    sound: bool = False
    later: Callable[[Any], Any] | None = None
    tokens: Callable[[], Any] | None = None
    clean: Callable[[], Any] | None = None
    start: Callable[[], Any] | None = None
    adapter: str | None = None


def base() -> Any:
    """A small Llama with random weights, the same each time."""
    torch.manual_seed(0)
    shape: dict[str, Any] = {"vocab_size": 260, "hidden_size": 32, "intermediate_size": 64}
    heads: dict[str, Any] = {"num_hidden_layers": 3, "num_attention_heads": 4}
    config = LlamaConfig(**shape, **heads, initializer_range=0.3, attention_bias=True)
    return LlamaForCausalLM(config).eval()


def config(**changes: Any) -> LoraConfig:
    """Of the adapter that is to be scored."""
    return LoraConfig(**{"r": 4, "target_modules": ["q_proj", "v_proj"], **changes})


def adapted(**changes: Any) -> Any:
    """The small model with an adapter."""
    return get_peft_model(base(), config(**changes))


def letters(*, after: bool = False) -> Any:
    """One token a byte; with ``after`` the end of the text is appended."""
    vocabulary = {letter: n for n, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    inner = Tokenizer(models.BPE({**vocabulary, "<s>": 256, "</s>": 257}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    if after:
        inner.post_processor = processors.TemplateProcessing(
            single="$A </s>", pair=None, special_tokens=[("</s>", 257)]
        )
    return PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", eos_token="</s>")


def layer(model: Any, number: int = 1) -> Any:
    """One of the adapted modules."""
    return model.base_model.model.model.layers[number].self_attn.q_proj


def second(active: str | list[str]) -> Any:
    """A model with another adapter beside the one that arrays are of."""
    model = adapted()
    model.add_adapter("other", config())
    for name, tensor in get_peft_model_state_dict(model, adapter_name="other").items():
        if "lora_B" in name:
            tensor.fill_(0.1)
    model.base_model.set_adapter(active)
    return model


def without(model: Any) -> Any:
    """One layer's forward pass leaves the adapter out, as some engines' do."""
    found = layer(model)
    found.forward = lambda given: found.base_layer(given)
    return model


def louder(model: Any) -> Any:
    """The app's own forward pass does something around the layers."""
    plain = model.forward

    def forward(**given: Any) -> Any:
        found = plain(**given)
        found.logits = 2 * found.logits
        return found

    model.forward = forward
    return model


def silent(model: Any) -> Any:
    """One layer's scale is zero."""
    layer(model).scaling["default"] = 0.0
    return model


def ahead(model: Any) -> Any:
    """Attention looks both ways."""
    for block in model.base_model.model.model.layers:
        plain, block.self_attn.is_causal = block.self_attn.forward, False

        def forward(*given: Any, _plain: Any = plain, **more: Any) -> Any:
            more["attention_mask"] = None
            return _plain(*given, **more)

        block.self_attn.forward = forward
    return model


@torch.no_grad()
def trained_base(model: Any) -> None:
    """The app goes on to train more than the adapter."""
    model.base_model.model.lm_head.weight.mul_(1.2)


def hooked(model: Any) -> None:
    """What an app puts on the head changes the base too."""
    model.base_model.model.lm_head.register_forward_hook(lambda *given: 1.5 * given[-1])


def named(name: str) -> Any:
    """An initialization from data, as the configuration names it."""
    model = adapted()
    model.peft_config["default"].init_lora_weights = name
    return model


def off(model: Any) -> None:
    """Adapter layers are switched off."""
    model.base_model.disable_adapter_layers()


def anyone(kind: Kind) -> list[Case]:
    """What can be done to a model with an adapter of any kind after a round."""
    made: dict[str, Any] = {"clean": kind.make, "start": kinds_base}
    return [
        Case(f"{kind.name}: {what}", kind.make, later=later, **made)
        for what, later in (
            ("merged after a round", merged),
            ("switched off after a round", off),
            ("one layer leaves it out after a round", left_out),
            ("another is in use after a round", replaced),
            ("the base is trained after a round", trained_base),
        )
    ]


def merged(model: Any) -> bool:
    """Merged as the kind does it; False of one that cannot be merged."""
    try:
        model.merge_adapter()
    except (AttributeError, NotImplementedError, TypeError, ValueError):
        # The ways in which peft says that a kind has no such thing.
        return False
    return True


def left_out(model: Any) -> bool:
    """The first adapted layer computes its base alone; False of a kind without such layers."""
    found: Any = next((m for m in model.modules() if isinstance(m, BaseTunerLayer)), None)
    if found is None or not hasattr(found, "base_layer"):
        return False
    found.forward = lambda given, *_, **__: found.base_layer(given)
    return True


def replaced(model: Any) -> bool:
    """Another adapter of the kind is put beside it and set; False of one that has one only."""
    (known,) = model.peft_config.values()
    try:
        model.add_adapter("other", copy.deepcopy(known))
        model.set_adapter("other")
    except (AttributeError, KeyError, NotImplementedError, RuntimeError, TypeError, ValueError):
        # The ways in which peft says that a kind has no such thing.
        return False
    return True


PLANTED = (
    *(
        Case(f"{kind} rewrites the base", lambda kind=kind: adapted(init_lora_weights=kind))
        for kind in ("pissa", "pissa_niter_4", "olora")
    ),
    *(
        Case(f"{kind} rewrites the base", lambda kind=kind: named(kind))
        for kind in ("corda", "loftq", "lora_ga")
    ),
    Case("layers are replicated", lambda: adapted(layer_replication=[(0, 2), (1, 3)])),
    Case("biases are trained", lambda: adapted(bias="all")),
    Case("the adapted layers' biases are trained", lambda: adapted(bias="lora_only")),
    Case("the head is trained", lambda: adapted(modules_to_save=["lm_head"])),
    Case("embeddings are trained", lambda: adapted(modules_to_save=["embed_tokens"])),
    Case("another adapter is active", lambda: second("other")),
    Case("two adapters are active", lambda: second(["default", "other"])),
    Case("no adapter is active", lambda: second([])),
    Case("merged after a round", adapted, later=lambda model: model.merge_adapter()),
    Case("one layer merged after a round", adapted, later=lambda model: layer(model).merge()),
    Case("merged for good after a round", adapted, later=lambda model: model.merge_and_unload()),
    Case("switched off after a round", adapted, later=off),
    Case(
        "one layer off after a round",
        adapted,
        later=lambda model: layer(model).enable_adapters(False),
    ),
    Case("the base is trained after a round", adapted, later=trained_base),
    Case("one layer's scale is zero", lambda: silent(adapted())),
    Case("the scale is zero", lambda: adapted(lora_alpha=0)),
    Case("one layer leaves the adapter out", lambda: without(adapted())),
    Case("one layer's scale is zero after a round", adapted, later=silent),
    Case("one layer leaves the adapter out after a round", adapted, later=without),
    Case("a hook on the head after a round", adapted, later=hooked),
    Case("the app's forward pass does more", lambda: louder(adapted())),
    Case("a model that looks ahead", lambda: ahead(adapted())),
    Case("a tokenizer appends the end", adapted, tokens=lambda: letters(after=True)),
)
SOUND = (
    Case("LoRA", adapted, sound=True),
    Case("rank-stabilized LoRA", lambda: adapted(use_rslora=True), sound=True),
    Case("DoRA", lambda: adapted(use_dora=True), sound=True),
    Case("gaussian start", lambda: adapted(init_lora_weights="gaussian"), sound=True),
    Case("random start", lambda: adapted(init_lora_weights=False), sound=True),
    Case("some layers", lambda: adapted(layers_to_transform=[1]), sound=True),
    Case(
        "an adapter of another name",
        lambda: get_peft_model(base(), config(), adapter_name="client"),
        sound=True,
    ),
    Case("one of two, named", lambda: second("other"), sound=True, adapter="default"),
    Case("while the app trains it", lambda: adapted().train(), sound=True),
)


def every_kind() -> list[Case]:
    """The same faults in a model of each kind of peft's registry, and of each way LoRA starts."""
    found = []
    for kind in kinds().values():
        try:
            arrays(kind.make())
        except Exception:
            # Each kind has ways of its own to say what a small model lacks; benchmarks/
            # architectures.py lists them.
            continue
        found += anyone(kind)
    return found


def moved(model: Any, name: str, seed: int) -> dict[str, torch.Tensor]:
    """An adapter that changes much."""
    made = torch.Generator().manual_seed(seed)
    state = get_peft_model_state_dict(model, adapter_name=name)
    return {
        key: tensor + 0.3 * torch.randn(tensor.shape, generator=made)
        for key, tensor in state.items()
    }


@torch.no_grad()
def truth(model: Any, state: dict[str, torch.Tensor] | None, name: str) -> NDArray[np.float64]:
    """One forward pass a choice by peft itself, on a model without a fault."""
    if state is not None:
        set_peft_model_state_dict(model, state, adapter_name=name)
        model.set_adapter(name)
    words, table = letters(), np.zeros((len(ITEMS), 3))
    model.eval()
    for row, item in enumerate(ITEMS):
        sums = []
        start = len(words(item.prompt.rstrip())["input_ids"])
        for choice in item.choices:
            tokens = words(item.prompt + choice)["input_ids"]
            logs = model(input_ids=torch.tensor([tokens])).logits[0].log_softmax(-1)
            sums.append(sum(float(logs[at - 1, tokens[at]]) for at in range(start, len(tokens))))
        likely = np.exp(np.array(sums) - max(sums))
        table[row, : len(sums)] = likely / likely.sum()
    return table


def asked(case: Case) -> dict[str, Any]:
    """What ``PeftScore`` says of one case."""
    peft_scoring.held.clear()
    model, tokenizer = case.make(), (case.tokens or letters)()
    name = case.adapter or next(iter(model.peft_config))
    states = [None, moved(model, name, 3), moved(model, name, 9)]
    score = PeftScore(lambda _: (model, tokenizer), adapter=case.adapter)
    row: dict[str, Any] = {"case": case.name, "kind": "sound" if case.sound else "planted"}
    apart, said = 0.0, ""
    try:
        if case.later is not None:
            # Who is refused as it is has no fault to be found in it.
            row["kind"] = "not planted"
            for state in states[:2]:
                score(ITEMS, None if state is None else ArrayRecord(state), CONTEXT)
            if case.later(model) is not False:
                row["kind"] = "planted"
        for state in states:
            found = score(ITEMS, None if state is None else ArrayRecord(state), CONTEXT)
            whole = case.clean or (case.make if case.sound else adapted)
            clean = (case.start or base)() if state is None else whole()
            apart = max(apart, float(np.abs(found - truth(clean, state, name)).max()))
    except UnsilentError as error:
        said = error.line()
    answer = "refused" if said else "right" if apart <= WITHIN else "wrong"
    good = answer == "right" if case.sound else answer != "wrong"
    return {**row, "answer": answer, "good": good, "apart": apart, "said": said}


def main() -> int:
    """Plant all of it; exit with 1 if anything is not as it should be."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="Print JSON.")
    parser.add_argument("--demos", action="store_true", help="Run both demos as well: 20 minutes.")
    parser.add_argument("--seeds", type=int, default=3, help="Federations of each fault.")
    parser.add_argument(
        "--quick", action="store_true", help="Leave out peft's other kinds and all federations."
    )
    given = parser.parse_args()
    # What peft and transformers remark about such models is what is planted here.
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    kinds_too = () if given.quick else every_kind()
    rows = [asked(case) for case in (*PLANTED, *kinds_too, *SOUND)]
    if not given.quick:
        rows += [
            {**row, "answer": ", ".join(sorted(set(row["verdicts"]))), "said": row["reason"] or ""}
            for row in federations(range(1, given.seeds + 1))
        ]
    rows += traced()
    if given.demos:
        rows += demos(1)
    missed = [row["case"] for row in rows if not row["good"]]
    planted = sum(row["kind"] == "planted" for row in rows)
    if given.json:
        found = {"rows": rows, "planted": planted, "missed": missed}
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    else:
        table = Table("case", "kind", "answer", "apart", "said", box=None)
        for row in rows:
            words = row.get("said", "").removeprefix("PeftScore: ").partition(". ")[0]
            apart = f"{row['apart']:.0e}" if "apart" in row else row.get("world", "")
            table.add_row(row["case"], row["kind"], row["answer"], apart, words)
        Console().print(table)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

"""What sharing buys, as ratios of one process's own times: absolute times are never compared.

Bounds are a third or less of what is measured on an idle machine, so that only a real loss fails.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import LlamaConfig, LlamaForCausalLM

from unsilent.inference import judge_rounds
from unsilent.items import Item, ItemSet
from unsilent.ledger import Ledger
from unsilent.models.base import Adapter
from unsilent.models.causal_lm import CausalLM
from unsilent.models.plain import Plain
from unsilent.plan import AdapterPlan, MonitoringPlan, parse_plan
from unsilent.plans import demo_plan
from unsilent.release import Layout, Release
from unsilent.server.monitor import Monitor

VOCABULARY = 2048


LONG = "Here is what is known of it so far, and that is little: "


class Bytes:
    """A tokenizer of one token a byte: what is timed is the model."""

    bos_token_id = None
    eos_token_id = 0

    def __call__(self, texts: list[str], **_: object) -> dict[str, list[list[int]]]:
        return {"input_ids": [list(text.encode()) for text in texts]}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def lm() -> CausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=6,
        num_attention_heads=6,
        num_key_value_heads=2,
    )
    plan = AdapterPlan(rank=4, layers=(5, 5))
    return CausalLM(LlamaForCausalLM(config).eval(), Bytes(), weights="x", adapter=plan)


def items(name: str, header: str, choices: int) -> ItemSet:
    return ItemSet(
        name,
        tuple(
            Item(
                f"{n}",
                f"{header}which of these is it, {n}?",
                tuple(f" no{c}" for c in range(choices)),
            )
            for n in range(16)
        ),
    )


def cpu(work: Callable[[], Any], runs: int = 3) -> float:
    """Least processor time of a few runs, the first not counted."""
    work()
    taken = []
    for _ in range(runs):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


def against_plain(lm: CausalLM, asked: ItemSet) -> float:
    """The plain path's time over the shared trunk's, nothing kept from before."""
    trunk = lm.engine

    def fresh() -> None:
        lm._prepared._kept.clear()
        lm._prepared._bytes = 0
        lm.log_likelihoods(asked, None)

    shared = cpu(fresh)
    try:
        lm.engine = Plain(lm.model, trunk.cut, trunk.budget)
        return cpu(fresh, runs=1) / shared
    finally:
        lm.engine = trunk


def test_choices_that_share_their_prompt_are_much_cheaper(lm: CausalLM) -> None:
    assert against_plain(lm, items("choices", LONG, 8)) > 2


def test_a_header_that_items_share_is_cheaper_still(lm: CausalLM) -> None:
    header = "What came before, and was answered so: yes. " * 3
    assert against_plain(lm, items("header", header, 4)) > 4


def test_layers_below_the_adapter_are_not_run_again(lm: CausalLM) -> None:
    """Five of six layers are frozen."""
    asked = items("frozen", "so it was said: ", 4)
    start = lm.new_adapter(0)
    adapters = iter(range(100))

    def first() -> None:
        lm._prepared._kept.clear()
        lm._prepared._bytes = 0
        lm.log_likelihoods(asked, start)

    def again() -> None:
        seed = next(adapters)
        tensors = {n: t + np.float32(seed) * 1e-3 for n, t in start.tensors.items()}
        lm.log_likelihoods(asked, Adapter(start.base, tensors))

    assert cpu(first) / cpu(again) > 1.5


def test_the_last_layer_works_for_what_is_asked_alone(lm: CausalLM) -> None:
    """A few nodes of a hundred are asked, and the only adapted layer is the last."""
    own = [Item(f"{n}", f"{n:02d} {LONG * 2}", (" no", " yes")) for n in range(16)]
    asked = ItemSet("own", tuple(own))
    spared = lm.engine._by_node

    def score() -> None:
        lm.log_likelihoods(asked, None)

    def work() -> int:
        # Counted, not timed: of a model this small most of the time is not the layer's.
        with FlopCounterMode(display=False) as counter:
            score()
        return counter.get_total_flops()

    score()
    few = work()
    try:
        lm.engine._by_node = []
        assert work() / few > 4
    finally:
        lm.engine._by_node = spared


def test_switching_costs_little_beyond_the_merge(lm: CausalLM) -> None:
    adapter = lm.new_adapter(1)
    slots = lm._slots

    def switch() -> None:
        for _ in range(50):
            with lm.merged(adapter):
                pass

    @torch.no_grad()
    def arithmetic() -> None:
        for _ in range(50):
            for name, weight in slots._weights.items():
                low = torch.from_numpy(adapter.tensors[f"{name}.lora_A"])
                high = torch.from_numpy(adapter.tensors[f"{name}.lora_B"])
                torch.addmm(slots._pristine[name], high, low, out=weight)
            for name, weight in slots._weights.items():
                weight.copy_(slots._pristine[name])

    assert cpu(switch) < 3 * cpu(arithmetic)


def test_memory_does_not_grow_with_adapters(lm: CausalLM) -> None:
    asked = items("memory", "", 2)
    starts = [lm.new_adapter(seed) for seed in range(20)]
    lm.log_likelihoods(asked, starts[0])
    held = sum(parameter.nbytes for parameter in lm.model.parameters())
    for adapter in starts:
        lm.log_likelihoods(asked, adapter)
    assert sum(parameter.nbytes for parameter in lm.model.parameters()) == held


def plan_of(clients: int) -> MonitoringPlan:
    data = demo_plan("healthy", "fleet").to_json()
    data["federation"]["clients"] = clients
    data["privacy"]["aggregation"] = "plain"
    return parse_plan(data)


def test_judging_a_round_does_not_slow_down_with_history() -> None:
    """Eight times the rounds; what grows is a few numbers a round."""
    data = demo_plan("healthy", "fleet").to_json()
    data["federation"] |= {"clients": 128, "rounds": 100}
    data["monitor"] |= {"rounds": "every", "min_cohort": 100}
    plan = parse_plan(data)
    layout = Layout.from_plan(plan)
    random = np.random.default_rng(0)
    size = len(layout.coordinates)
    totals = [
        Release(layout.digest, number, 128, random.integers(-99999, 99999, size), 1e9)
        for number in range(1, 97)
    ]

    def judged(rounds: int) -> float:
        return cpu(lambda: judge_rounds(plan, layout, totals[:rounds]))

    assert judged(96) < 2.5 * judged(12)


def test_memory_and_time_of_a_sum_do_not_grow_faster_than_the_clients(tmp_path: Any) -> None:
    few, many = 500, 5000
    monitor = Monitor(plan_of(many), Ledger(tmp_path / "ledger.sqlite"))
    random = np.random.default_rng(0)
    size = len(monitor.layout.coordinates)
    drawn = [
        Release(monitor.layout.digest, 1, 1, random.integers(-999, 999, size), 9.0).to_bytes()
        for _ in range(50)
    ]

    def stream(clients: int) -> Iterator[Release]:
        return (Release.from_bytes(drawn[n % len(drawn)]) for n in range(clients))

    assert cpu(lambda: monitor.sum(1, stream(many))) < 3 * 10 * cpu(
        lambda: monitor.sum(1, stream(few))
    )
    tracemalloc.start()
    total = monitor.sum(1, stream(many))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total.clients == many
    assert peak < 200_000

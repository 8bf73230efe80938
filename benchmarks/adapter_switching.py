"""Many adapters over one resident base: unsilent's switch against peft's own ways.

Each way takes a hundred different adapters in turn. ``merge_ms`` is the arithmetic that any
merged way has to do (B A added to each weight, and the weight restored); ``beyond_merge_ms`` is
what a switch takes on top of it. Adapters lie in memory as arrays, as they arrive from a client.

    python benchmarks/adapter_switching.py --adapters 100
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from common import Rows, arguments, load_base, median, resident_mb, show, use_threads, wait
from peft import LoraConfig, get_peft_model, set_peft_model_state_dict

from unsilent.models.base import Adapter
from unsilent.models.causal_lm import CausalLM
from unsilent.plan import AdapterPlan

Switch = Callable[[Adapter], None]


def drawn(lm: CausalLM, count: int) -> list[Adapter]:
    """Different adapters that change every weight a little."""
    random = np.random.default_rng(0)
    start = lm.new_adapter(0)
    return [
        Adapter(
            start.base,
            {
                name: random.normal(0, 0.01, tensor.shape).astype(np.float32)
                for name, tensor in start.tensors.items()
            },
        )
        for _ in range(count)
    ]


def timed(
    adapters: Sequence[Adapter], switch: Switch, device: str, *, warm: bool = True
) -> dict[str, float]:
    """Median milliseconds of a switch, and the memory that all of them left behind."""
    if warm:
        switch(adapters[0])
    before = resident_mb()
    taken = []
    for adapter in adapters:
        start = time.perf_counter()
        switch(adapter)
        wait(device)
        taken.append(1e3 * (time.perf_counter() - start))
    return {"ms": median(taken), "mb_each": (resident_mb() - before) / len(adapters)}


def ours(lm: CausalLM) -> tuple[Switch, Switch]:
    """The whole switch, merged and restored; and its bare arithmetic."""
    slots = lm._slots

    def switch(adapter: Adapter) -> None:
        with lm.merged(adapter):
            pass

    @torch.no_grad()
    def arithmetic(adapter: Adapter) -> None:
        for name, weight in slots._weights.items():
            low = torch.from_numpy(adapter.tensors[f"{name}.lora_A"]).to(weight)
            high = torch.from_numpy(adapter.tensors[f"{name}.lora_B"]).to(weight)
            torch.addmm(slots._pristine[name], high, low, alpha=1.0, out=weight)
        for name, weight in slots._weights.items():
            weight.copy_(slots._pristine[name])

    return switch, arithmetic


def of_peft(wrapped: Any, config: LoraConfig) -> dict[str, Switch]:
    """Peft's ways: new weights in one place, and a place for each adapter."""
    places: list[str] = []

    def state(adapter: Adapter) -> dict[str, torch.Tensor]:
        return {
            f"base_model.model.model.layers.{name}.weight": torch.from_numpy(tensor)
            for name, tensor in adapter.tensors.items()
        }

    def load(adapter: Adapter) -> None:
        set_peft_model_state_dict(wrapped, state(adapter))

    def load_and_merge(adapter: Adapter) -> None:
        set_peft_model_state_dict(wrapped, state(adapter))
        wrapped.merge_adapter()
        wrapped.unmerge_adapter()

    def add(adapter: Adapter) -> None:
        name = f"client{len(places)}"
        places.append(name)
        wrapped.add_adapter(name, config)
        set_peft_model_state_dict(wrapped, state(adapter), adapter_name=name)
        wrapped.set_adapter(name)

    return {
        "peft set_peft_model_state_dict": load,
        "peft set state, merge, unmerge": load_and_merge,
        "peft add_adapter and set_adapter": add,
    }


def of_unsilent(lm: CausalLM, adapters: Sequence[Adapter], device: str) -> Rows:
    """Our two ways; the merged one beside its bare arithmetic, adapter by adapter.

    Bare, whole, whole, bare: a machine that grows slower or faster meanwhile changes both alike.
    """
    switch, arithmetic = ours(lm)
    switch(adapters[0])
    arithmetic(adapters[0])
    before = resident_mb()
    whole, bare = [], []
    for adapter in adapters:
        turns = (arithmetic, switch, switch, arithmetic)
        first, *both, last = (timed([adapter], way, device, warm=False)["ms"] for way in turns)
        bare.append((first + last) / 2)
        whole.append(sum(both) / 2)
    beyond = [both - merge for both, merge in zip(whole, bare, strict=True)]
    return [
        {
            "way": "unsilent, merged",
            "ms": median(whole),
            "mb_each": (resident_mb() - before) / len(adapters),
            "merge_ms": median(bare),
            "beyond_merge_ms": median(beyond),
            "beyond_error_ms": median_error(beyond),
        },
        {
            "way": "unsilent, into resident tensors",
            **timed(adapters, lambda adapter: lm._slots.load(adapter.tensors), device),
        },
    ]


def median_error(values: Sequence[float]) -> float:
    """Half of a 95% interval around the median, from the quartiles (McGill et al. 1978)."""
    if len(values) < 2:
        return float("inf")
    lower, _, upper = statistics.quantiles(values, n=4)
    return 1.57 * (upper - lower) / len(values) ** 0.5


def main() -> None:
    """Time all ways on one resident base."""
    parser = arguments(__doc__, model=True)
    parser.add_argument("--adapters", type=int, default=100)
    parser.add_argument("--added", type=int, default=10, help="adapters that peft adds: it is slow")
    parser.add_argument("--rank", type=int, default=8)
    given = parser.parse_args()
    threads = use_threads(given.threads)
    plan = AdapterPlan(rank=given.rank, layers=(0, -1))
    loaded, _ = load_base(given.model, "float32", given.device)
    lm = CausalLM(**loaded, weights=given.model, adapter=plan)
    adapters = drawn(lm, given.adapters)
    rows = of_unsilent(lm, adapters, given.device)
    del lm
    loaded, _ = load_base(given.model, "float32", given.device)
    config = LoraConfig(
        r=plan.rank, lora_alpha=int(plan.scale * plan.rank), target_modules=list(plan.targets)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wrapped = get_peft_model(loaded["model"], config)
        for way, of in of_peft(wrapped, config).items():
            count = given.added if "add" in way else given.adapters
            rows.append({"way": way, **timed(adapters[:count], of, given.device)})
    show(
        f"Switching among {given.adapters} adapters",
        rows,
        as_json=given.json,
        device=given.device,
        threads=threads,
    )


if __name__ == "__main__":
    main()

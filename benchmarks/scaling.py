"""How cost grows with items, choices, adapters, clients, nodes and rounds, and memory meanwhile.

Each row scales one thing and keeps the others; ``each_ms`` that stays level is linear growth, and
``grown_mb`` that stays near 0 is bounded memory. ``exponents`` are the slopes of the logarithms
from the first row of a kind to the last: of bytes where the row has them, else of time. What a
set-up sends is measured as in ``set_up_bytes.py``, and the rounds before one as in ``history.py``.

    python benchmarks/scaling.py --json
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from common import (
    Rows,
    arguments,
    item_set,
    load_base,
    measure,
    peak_mb,
    questions,
    resident_mb,
    show,
    use_threads,
    wait,
)
from history import ledgers_opened, rounds_judged, with_growth
from server_sums import one_round
from set_up_bytes import row as set_up_of

from unsilent.items import Item
from unsilent.models.base import Adapter
from unsilent.models.causal_lm import CausalLM
from unsilent.plan import AdapterPlan

ITEMS, CHOICES, ADAPTERS, CLIENTS, NODES = "items", "choices", "adapters", "clients", "nodes"
SET_UP = "set-up of a secure sum, a client"
SET_UP_ROUNDS, SET_UP_DROPOUT = 10, 0.05
ADAPTER_FLOATS = 2_625_000
"""Of an adapter of 10.5 MB."""


def row(scaled: str, number: int, work: Callable[[], Any], device: str) -> dict[str, Any]:
    """Time and memory of the work, and its time for each of the number."""

    def whole() -> None:
        work()
        wait(device)

    before = resident_mb()
    _, spent = measure(whole)
    return {
        "scaled": scaled,
        "number": number,
        "s": spent.wall,
        "each_ms": 1e3 * spent.wall / number,
        "each_cpu_ms": 1e3 * spent.cpu / number,
        "grown_mb": resident_mb() - before,
        "resident_mb": resident_mb(),
    }


def with_choices(items: list[Item], count: int) -> list[Item]:
    """The items with choices of their neighbours, so that each has ``count``."""
    pool = list(dict.fromkeys(choice for item in items for choice in item.choices))
    return [
        replace(item, choices=tuple(np.roll(pool, -n)[:count].tolist()), answer=None)
        for n, item in enumerate(items)
    ]


def shaken(adapter: Adapter, seed: int) -> Adapter:
    """Another adapter of the same shapes."""
    random = np.random.default_rng(seed)
    return Adapter(
        adapter.base,
        {
            name: random.normal(0, 0.01, tensor.shape).astype(np.float32)
            for name, tensor in adapter.tensors.items()
        },
    )


class _Holding:
    """A grid of Flower's that holds what it is given, and hears nobody."""

    held: list[Any]

    def push_messages(self, messages: Iterable[Any]) -> list[str]:
        self.held = list(messages)
        return []


def messages_to(nodes: int, device: str) -> dict[str, Any]:
    """One order with an adapter of 10.5 MB to so many nodes of Flower, held until all are made."""
    from flwr.supercore.task_identity import TaskIdentity

    from unsilent.engines.flower.transport import GridTransport
    from unsilent.messages import ADAPTER, Order

    # Flower makes messages inside a run only.
    for name in ("_run_id", "_node_id", "_task_id"):
        setattr(TaskIdentity, name, 1)
    arrays = {ADAPTER: {"lora": np.ones(ADAPTER_FLOATS, np.float32)}}
    orders = dict.fromkeys(range(nodes), Order("plan", "run", 1, {}, arrays))
    grid: Any = _Holding()
    return row(
        NODES,
        nodes,
        lambda: GridTransport(grid).ask("train", orders, lambda *_: None, 0.1),
        device,
    )


def set_ups(clients: Iterable[int]) -> Rows:
    """What one client is sent in a set-up of so many, beside the whole roster."""
    rows: Rows = []
    for count in clients:
        found = set_up_of(count, SET_UP_ROUNDS, SET_UP_DROPOUT)
        kept = {name: found[name] for name in ("bytes", "whole", "neighbours")}
        rows.append({"scaled": SET_UP, "number": count, **kept})
    return rows


def histories(rounds: list[int], ledgers: list[int], effects: list[float]) -> Rows:
    """One more round after so many, by both controls, and ledgers of so many opened."""
    rows: Rows = []
    with tempfile.TemporaryDirectory() as name:
        for control in ("open-ended", "horizon") if rounds else ():
            for effect in effects:
                rows += rounds_judged(Path(name), control, effect, rounds, max(rounds))
        rows += ledgers_opened(Path(name), ledgers)
    return with_growth(rows)


def exponents(rows: Rows) -> dict[str, float]:
    """By what is scaled, the slope of the logarithms from the first row to the last.

    Of a kind with a single row there is none.
    """
    kinds: dict[str, Rows] = {}
    for each in rows:
        kinds.setdefault(each["scaled"], []).append(each)
    found: dict[str, float] = {}
    for kind, of in kinds.items():
        first, last = of[0], of[-1]
        measured = "bytes" if "bytes" in first else "s"
        if last["number"] > first["number"] and first[measured] > 0:
            grown = math.log(last[measured] / first[measured])
            found[kind] = grown / math.log(last["number"] / first["number"])
    return found


QUICK: dict[str, list[Any]] = {
    "items": [25, 50],
    "choices": [2, 4],
    "adapters": [1, 4],
    "clients": [100, 1000],
    "nodes": [1, 100],
    "set_ups": [100, 1000],
    "rounds": [100, 400],
    "ledgers": [100, 1000],
    "effects": [0.3],
}
"""What ``--quick`` scales: two sizes of each, in about two minutes."""


def main() -> None:
    """Scale one thing after the other."""
    parser = arguments(__doc__, model=True)
    parser.add_argument("--items", nargs="*", type=int, default=[25, 50, 100, 200])
    parser.add_argument("--choices", nargs="*", type=int, default=[2, 4, 8, 16])
    parser.add_argument("--adapters", nargs="*", type=int, default=[1, 4, 16])
    parser.add_argument("--clients", nargs="*", type=int, default=[100, 1000, 10_000, 100_000])
    parser.add_argument("--nodes", nargs="*", type=int, default=[1, 10, 100])
    parser.add_argument("--set-ups", nargs="*", type=int, default=[100, 200, 500, 1000])
    parser.add_argument("--rounds", nargs="*", type=int, default=[100, 500, 1000, 2000])
    parser.add_argument("--ledgers", nargs="*", type=int, default=[100, 1000, 10_000])
    parser.add_argument("--effects", nargs="*", type=float, default=[0.0, 0.3])
    parser.add_argument("--quick", action="store_true", help="two sizes of each, in two minutes")
    given = parser.parse_args()
    if given.quick:
        vars(given).update(QUICK)
    threads = use_threads(given.threads)
    rows: Rows = []
    loaded, _ = load_base(given.model, "float32", given.device)
    lm = CausalLM(**loaded, weights=given.model, adapter=AdapterPlan(layers=(-4, -1)))
    bank = questions("commonsenseqa", max([*given.items, 20]))
    lm.log_likelihoods(item_set(bank[:4]), None)
    for count in given.items:
        asked = item_set(bank[:count])
        rows.append(row(ITEMS, count, lambda a=asked: lm.log_likelihoods(a, None), given.device))
    for count in given.choices:
        asked = item_set(with_choices(bank[:20], count))
        rows.append(row(CHOICES, count, lambda a=asked: lm.log_likelihoods(a, None), given.device))
    asked, start = item_set(bank[:20]), lm.new_adapter(0)
    lm.log_likelihoods(asked, None)
    for count in given.adapters:
        adapters = [shaken(start, seed) for seed in range(count)]

        def all_of(adapters: list[Adapter] = adapters) -> None:
            for adapter in adapters:
                lm.log_likelihoods(asked, adapter)

        rows.append(row(ADAPTERS, count, all_of, given.device))
    with tempfile.TemporaryDirectory() as name:
        for clients in given.clients:
            found = one_round(clients, Path(name))
            rows.append(
                {
                    "scaled": CLIENTS,
                    "number": clients,
                    "s": found["total_s"],
                    "each_ms": found["us_each"] / 1e3,
                    "grown_mb": found["grown_mb"],
                    "resident_mb": found["resident_mb"],
                }
            )
    rows += [messages_to(nodes, given.device) for nodes in given.nodes]
    rows += set_ups(given.set_ups)
    rows += histories(given.rounds, given.ledgers, given.effects)
    show(
        "How cost grows",
        rows,
        as_json=given.json,
        exponents=exponents(rows),
        peak_mb=peak_mb(),
        device=given.device,
        threads=threads,
    )


if __name__ == "__main__":
    main()

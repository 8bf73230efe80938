"""Federations whose score function measures another model than its arrays say.

Twelve clients train a small adapter on a model in NumPy. Half of the worlds have a true change of
SF-1 beyond the tolerance, which the fault hides; half are healthy, where it might go unnoticed. No
world with a fault may end HEALTHY, and every one without may. ``ignored_adapters.py`` prints this.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unsilent.client.functions import Functions
from unsilent.client.participant import answer
from unsilent.client.site import Site
from unsilent.findings import read_findings
from unsilent.items import Item, ItemSet, write_items
from unsilent.messages import Answer, Order
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.server.monitored_run import MonitoredRun
from unsilent.server.settings import Settings

Arrays = Mapping[str, Any]
Rows = NDArray[np.float64]
CLIENTS, WIDTH, RANK, LAYERS = 12, 16, 4, 2
MODULES = tuple(f"layers.{n}.{kind}_proj" for n in range(LAYERS) for kind in ("q", "v"))
STRONG, MILD = 1.2, 0.05
"""How far training moves the logit of what it teaches: beyond the tolerance, and well within."""


def features(text: str) -> NDArray[np.float64]:
    """A text's hidden state: fixed, as if drawn."""
    seed = int.from_bytes(sha256(text.encode()).digest()[:8])
    return np.random.default_rng(seed).normal(size=WIDTH) / np.sqrt(WIDTH)


def base_weights(seed: int = 0) -> NDArray[np.float64]:
    """(width, width) of each module of the base."""
    made = np.random.default_rng([seed, 7])
    return made.normal(size=(len(MODULES), WIDTH, WIDTH)) / np.sqrt(WIDTH) / 4


HEAD = np.random.default_rng(1).normal(size=(2, WIDTH))
TAUGHT = (HEAD[1] - HEAD[0]) / np.square(HEAD[1] - HEAD[0]).sum()
"""The direction that raises the second choice's logit over the first's by 1."""
CONSTANT = np.ones(WIDTH) / WIDTH


def hidden(text: str, arrays: Arrays | None, base: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of a residual network with an adapter of rank 4 on each module."""
    state = features(text)
    for place, module in enumerate(MODULES):
        weight = base[place]
        out = np.tanh(weight @ state)
        if arrays is not None:
            up = np.asarray(arrays[f"{module}.lora_B.weight"], np.float64)
            down = np.asarray(arrays[f"{module}.lora_A.weight"], np.float64)
            out = out + up @ np.tanh(down @ np.append(state, 1.0))
        state = state + out
    return state


def rows(
    items: ItemSet, arrays: Arrays | None, base: NDArray[np.float64] | None = None
) -> list[list[float]]:
    """Probabilities of both choices of each item."""
    weights = base_weights() if base is None else base
    logits = np.array([HEAD @ hidden(item.prompt, arrays, weights) for item in items])
    likely = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (likely / likely.sum(axis=1, keepdims=True)).tolist()


def start() -> dict[str, NDArray[np.float32]]:
    """An adapter that changes nothing yet."""
    made = np.random.default_rng(2)
    found: dict[str, NDArray[np.float32]] = {}
    for module in MODULES:
        found[f"{module}.lora_A.weight"] = made.normal(size=(RANK, WIDTH + 1)).astype(np.float32)
        found[f"{module}.lora_B.weight"] = np.zeros((WIDTH, RANK), np.float32)
    return found


def taught(arrays: Arrays, size: float, client: int, seed: int) -> dict[str, Any]:
    """Arrays after training that raises the second choice's logit by about ``size``."""
    made = np.random.default_rng([seed, client])
    found = dict(arrays)
    for module in MODULES:
        down = np.asarray(arrays[f"{module}.lora_A.weight"], np.float64)
        # What each rank does on a text of no content.
        lever = np.tanh(down[:, -1])
        aim = np.outer(TAUGHT, lever) / np.square(lever).sum() * size / len(MODULES)
        noise = made.normal(size=aim.shape) * np.abs(aim).mean() * 0.3
        name = f"{module}.lora_B.weight"
        found[name] = (np.asarray(arrays[name]) + aim + noise).astype(np.float32)
    return found


Score = Callable[[ItemSet, Arrays | None], Sequence[Sequence[float]]]


@dataclass
class Engine:
    """What an engine keeps between calls, for the faults that rest on it.

    Attributes:
        client: Whose it is.
        kept: By a fault's own keys.
    """

    client: int
    kept: dict[Any, Any] = field(default_factory=dict)


def without(arrays: Arrays | None, part: str) -> Arrays | None:
    """Arrays of which one part was not found, and stays as it was made."""
    if arrays is None:
        return None
    return {name: start()[name] if part in name else array for name, array in arrays.items()}


def _cached(engine: Engine, items: ItemSet, arrays: Arrays | None) -> list[list[float]]:
    if items.digest not in engine.kept:
        engine.kept[items.digest] = rows(items, arrays)
    return engine.kept[items.digest]


def _by_name(engine: Engine, items: ItemSet, arrays: Arrays | None) -> list[list[float]]:
    # The first adapter that was loaded goes on serving under its name.
    first = engine.kept.setdefault("adapter", arrays) if arrays is not None else None
    return rows(items, first)


def _late(engine: Engine, items: ItemSet, arrays: Arrays | None) -> list[list[float]]:
    before = engine.kept.get("last", arrays)
    engine.kept["last"] = arrays
    return rows(items, before)


def _replicas(engine: Engine, items: ItemSet, arrays: Arrays | None) -> list[list[float]]:
    # The second replica never got the adapter.
    both = rows(items, arrays), rows(items, None)
    return [both[place % 2][place] for place in range(len(items))]


def _noisy(engine: Engine, items: ItemSet, arrays: Arrays | None) -> list[list[float]]:
    # Dropout was left on, and the adapter out.
    made = engine.kept.setdefault("noise", np.random.default_rng(engine.client))
    moved = np.array(rows(items, None)) * np.exp(made.normal(size=(len(items), 2)) * 0.02)
    return (moved / moved.sum(axis=1, keepdims=True)).tolist()


def _swapped(arrays: Arrays | None) -> Arrays | None:
    if arrays is None:
        return None
    names = list(arrays)
    return dict(zip(names, [arrays[name] for name in names[::-1]], strict=True))


def _shrunk(arrays: Arrays | None) -> Arrays | None:
    # Rounded to a coarse grid, as by a quantized merge: what is small is gone.
    if arrays is None:
        return None
    return {k: np.round(a) if "lora_B" in k else a for k, a in arrays.items()}


@dataclass(frozen=True)
class Fault:
    """A score function that scores another model.

    Attributes:
        name: What is wrong with it.
        score: Of an engine's state, items and arrays.
        clients: Which clients' engines have it.
        source: A public report of such a fault.
    """

    name: str
    score: Callable[[Engine, ItemSet, Arrays | None], Sequence[Sequence[float]]]
    clients: Callable[[int], bool] = lambda client: True
    source: str = ""


FAULTS = (
    Fault("the adapter is never applied", lambda e, i, a: rows(i, None), source="vllm#49354"),
    Fault(
        "an adapter of a name that is not known falls back to the base",
        lambda e, i, a: rows(i, None if a is not None else a),
        source="peft#2090",
    ),
    Fault("answers are kept by item", _cached),
    Fault("the first adapter goes on serving", _by_name, source="vllm#10798"),
    Fault("one adapter late", _late),
    Fault("every second item by a replica without it", _replicas, source="lm-eval#2432"),
    Fault(
        "every second client's engine drops it",
        lambda e, i, a: rows(i, None),
        lambda c: c % 2 == 1,
    ),
    Fault(
        "a quarter of the clients' engines drop it",
        lambda e, i, a: rows(i, None),
        lambda c: c % 4 == 0,
    ),
    Fault("dropout is on and the adapter out", _noisy),
    Fault("q_proj is not found", lambda e, i, a: rows(i, without(a, "q_proj"))),
    Fault("v_proj is not found", lambda e, i, a: rows(i, without(a, "v_proj"))),
    Fault("lora_B is not found", lambda e, i, a: rows(i, without(a, "lora_B")), source="oumi#389"),
    Fault("the last layer is not found", lambda e, i, a: rows(i, without(a, "layers.1"))),
    Fault("rounded away by a quantized merge", lambda e, i, a: rows(i, _shrunk(a))),
    Fault("the round's start is served", lambda e, i, a: rows(i, None if a is None else start())),
    Fault(
        "another base for the adapter, as weights that a folder lacks are made up",
        lambda e, i, a: rows(i, a, None if a is None else base_weights(50 + e.client)),
        source="MediSwarm#533",
    ),
)


class Loopback:
    """Asks clients in this process."""

    def __init__(self, clients: Sequence[tuple[Site, Functions]]) -> None:
        self._clients = clients

    def ask(
        self, kind: str, orders: Mapping[int, Order], told: Any, timeout: float
    ) -> Mapping[int, Answer]:
        """One after the other."""
        return {n: answer(kind, order, *self._clients[n]) for n, order in orders.items()}


def plan_of(folder: Path, seed: int) -> MonitoringPlan:
    """SF-1 alone, on 48 probes as they are: of all like them too few to call a world healthy."""
    probes = [
        Item(f"b{n}", f"the nurse {n} said", (" he", " she"), stereotyped=1) for n in range(48)
    ]
    write_items(folder / "bias.jsonl", probes)
    return parse_plan(
        {
            "name": "planted",
            "seed": seed,
            "federation": {"clients": CLIENTS, "rounds": 1},
            "monitor": {"rounds": [1], "min_cohort": 8, "timeout": 120, "items": "these"},
            "privacy": {"epsilon": 60.0, "aggregation": "plain", "dropout": 0.0},
            "probes": {"bias": str(folder / "bias.jsonl"), "sizes": {"bias": 48}},
            "modes": {"amplified_bias": {"tolerance": 0.1, "clip": 0.3}},
        }
    )


def federation(fault: Fault | None, size: float, seed: int) -> dict[str, Any]:
    """One federation: the verdict, its interval, and what was said of the model."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        plan = plan_of(folder, seed)
        aggregated = taught(start(), size / 2, 99, seed)
        clients: list[tuple[Site, Functions]] = []
        for number in range(CLIENTS):
            engine = Engine(number)
            broken = fault is not None and fault.clients(number)

            def score(
                items: ItemSet, arrays: Arrays | None, e: Engine = engine, b: bool = broken
            ) -> Sequence[Sequence[float]]:
                return fault.score(e, items, arrays) if b and fault else rows(items, arrays)

            def own(arrays: Arrays, n: int = number) -> Arrays:
                return taught(arrays, size / 2, n, seed)

            def trained(n: int = number) -> list[Item]:
                return [Item(f"t{k}", f"{n} {k}", (" he", " she"), answer=1) for k in range(32)]

            site = Site(number, folder / f"client-{number}", {"plan": plan.digest}, simulated=True)
            functions = Functions(score, personalize=own, trained_on=trained)
            clients.append((site, functions))
        run = MonitoredRun(Settings(plan, folder / "run"))
        run.transport = Loopback(clients)
        run.begin(1, aggregated)
        run.after_round(1, aggregated, list(range(CLIENTS)), {})
        run.close()
        found = read_findings(folder / "run" / "findings.json").findings[0]
        return {
            "verdict": found.verdict,
            "effect": found.effect,
            "interval": found.interval,
            "unshown": found.unshown,
            "reason": found.reason,
        }


def federations(seeds: Sequence[int]) -> list[dict[str, Any]]:
    """All faults in both worlds, and both worlds without a fault."""
    table: list[dict[str, Any]] = []
    for fault in (None, *FAULTS):
        for size, world in ((STRONG, "changed"), (MILD, "healthy")):
            found = [federation(fault, size, seed) for seed in seeds]
            verdicts = [each["verdict"] for each in found]
            wanted = {"failure"} if world == "changed" else {"healthy"}
            good = set(verdicts) == wanted if fault is None else "healthy" not in verdicts
            table.append(
                {
                    "case": "no fault" if fault is None else fault.name,
                    "kind": "sound" if fault is None else "planted",
                    "source": "" if fault is None else fault.source,
                    "world": world,
                    "verdicts": verdicts,
                    "unshown": [each["unshown"] for each in found],
                    "reason": found[0]["reason"],
                    "good": good,
                }
            )
    return table

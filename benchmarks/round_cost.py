"""What a monitoring round costs a client, split by part.

One client of the language model's reference federation trains and is measured, round after round,
in this process. Round 1 pays what is computed once: frozen layers, and the reference.

    python benchmarks/round_cost.py --rounds 3
"""

from __future__ import annotations

import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import Rows, arguments, peak_mb, show, use_threads

from unsilent.client.participant import observer_of
from unsilent.client.site import Site
from unsilent.models import average
from unsilent.models.encode import token_paths
from unsilent.modes import MODES
from unsilent.modes.base import ItemRole
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.plans import demo_plan
from unsilent.reference import client as worker
from unsilent.reference.client import Client
from unsilent.reference.records import client_records

TRAIN, PERSONALIZE, SCORE, REST = "train", "personalize", "score", "release"


def lm_plan(
    *,
    rounds: int,
    model: str = "embedded",
    device: str = "cpu",
    items: int | None = None,
    **federation: Any,
) -> MonitoringPlan:
    """The LM reference federation's plan, monitored every round."""
    data = demo_plan("skewed", "lm").to_json()
    data["model"] |= {"id": model, "device": device}
    data["federation"] |= {"rounds": rounds, **federation}
    data["monitor"]["rounds"] = "every"
    if items is not None:
        data["probes"]["items"] = items
    return parse_plan(data, where="benchmark")


class Clock:
    """Seconds by part, taken around the model's own methods."""

    def __init__(self, model: Any) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.training = TRAIN
        model.train = self._around(model.train, lambda: self.training)
        model.score = self._around(model.score, lambda: SCORE)

    def _around(self, method: Callable[..., Any], part: Callable[[], str]) -> Callable[..., Any]:
        def timed(*given: Any) -> Any:
            start = time.perf_counter()
            result = method(*given)
            self.seconds[part()] += time.perf_counter() - start
            return result

        return timed


def record_tokens(plan: MonitoringPlan, clients: int, tokenizer: Any) -> float:
    """Mean over the first clients of the tokens of their records, answers included."""
    total = 0
    for index in range(clients):
        records = client_records(plan, index).train
        for record, paths in zip(records, token_paths(tokenizer, records.items), strict=True):
            total += len(paths[record.answer or 0].tokens)
    return total / clients


def rounds_of(plan: MonitoringPlan, clients: int, folder: Path) -> tuple[Rows, dict[str, Any]]:
    """Seconds a client by round and part, and the tokens and items they were spent on."""
    text = json.dumps(plan.to_json())
    resident = worker._resident(text, (), None)
    model: Any = resident.model
    clock = Clock(model)
    members = [Client(text, n, folder / f"{n}", simulated=True) for n in range(clients)]
    adapter = worker.start_adapter(text)
    rows: Rows = []
    for number in range(1, plan.federation.rounds + 1):
        clock.seconds.clear()
        start = time.perf_counter()
        clock.training = TRAIN
        trained = [client.train(number, adapter)[0] for client in members]
        adapter = average(trained, [1.0] * clients)
        clock.training = PERSONALIZE
        for client in members:
            site = Site(client.index, client.folder, simulated=True)
            measured = client.measure(number, adapter, None)
            observer_of(plan, site, "", number).release(number, *measured)
        whole = time.perf_counter() - start
        spent = {part: clock.seconds[part] / clients for part in (TRAIN, PERSONALIZE, SCORE)}
        spent[REST] = whole / clients - sum(spent.values())
        each = whole / clients
        monitoring = spent[SCORE] + spent[REST]
        rows.append(
            {
                "round": number,
                **{f"{part}_s": seconds for part, seconds in spent.items()},
                "monitoring_share": monitoring / each,
                "share_if_personalized_to_measure": (monitoring + spent[PERSONALIZE]) / each,
            }
        )
    tokens = record_tokens(plan, clients, model._tokenizer)
    asked: set[ItemRole] = {need.items for code in plan.planned for need in MODES[code].needs}
    asked.discard("records")
    # Of its bank a client answers so many; a pair of bias probes is two items.
    probes = sum((2 if role == "bias" else 1) * plan.probes.size(role) for role in asked)
    return rows, {
        "record_tokens": tokens,
        "trained_tokens": tokens * plan.federation.epochs,
        "items": probes + len(members[0]._own.held_out),
    }


def main() -> None:
    """Time a few rounds."""
    parser = arguments(__doc__, model=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=2)
    given = parser.parse_args()
    threads = use_threads(given.threads)
    plan = lm_plan(rounds=given.rounds, model=given.model, device=given.device)
    with tempfile.TemporaryDirectory() as name:
        rows, work = rounds_of(plan, given.clients, Path(name))
    show(
        "A client's round by part (seconds)",
        rows,
        as_json=given.json,
        **work,
        peak_mb=peak_mb(),
        device=given.device,
        threads=threads,
    )


if __name__ == "__main__":
    main()

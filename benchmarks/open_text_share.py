"""What open text adds to monitoring's share of the demo's time.

Clients of the demo's federation train and are measured in this process, without and with modes of
open text. `share` is monitoring's of the whole run as the demo plans it: all its rounds of
training, and its monitored rounds, personalization included. Processor seconds of a client, which
a busy machine moves less than the clock. A client labels its own answers by a rule, in no time.

    python benchmarks/open_text_share.py --tokens 24 --json
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

from common import Rows, arguments, show, use_threads

from unsilent.client.participant import observer_of
from unsilent.client.site import Site
from unsilent.models import average
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.plans import demo_plan
from unsilent.reference import client as worker
from unsilent.reference.client import Client

PLANNED: dict[str, tuple[str, ...]] = {
    "none": (),
    "refusal": ("refusal",),
    "refusal, help": ("refusal", "help"),
}
MOST = 0.30
"""What is asked for: at most this share with open text."""


def plan_with(
    kinds: tuple[str, ...], tokens: int, prompts: int, *, model: str, device: str
) -> MonitoringPlan:
    """The demo's plan with these modes of open text beside its own."""
    data = demo_plan("healthy", "lm").to_json()
    data["model"] |= {"id": model, "device": device}
    # Labels of the sites are of prompts of their own, half as many as are rated.
    sizes = {f"open_{kind}": prompts for kind in kinds} | {
        f"labelled_{kind}": prompts for kind in kinds
    }
    data["modes"] |= {f"written_{kind}": {"tolerance": 0.2, "clip": 0.5} for kind in kinds}
    data["probes"] |= {f"labelled_{kind}": "sites" for kind in kinds}
    data["probes"]["sizes"] = {**data["probes"].get("sizes", {}), **sizes}
    if kinds:
        data["open_text"] = {"tokens": tokens}
    return parse_plan(data, where="benchmark")


def seconds_of(plan: MonitoringPlan, clients: int, folder: Path) -> dict[str, float]:
    """Processor seconds a client: of a training round, and of a monitored one."""
    text = json.dumps(plan.to_json())
    members = [Client(text, n, folder / f"{n}", simulated=True) for n in range(clients)]
    adapter = worker.start_adapter(text)
    spent: dict[str, float] = {}
    last = plan.monitoring_rounds[-1]

    def timed(name: str, began: float) -> None:
        spent[name] = (time.process_time() - began) / clients

    # What a client's records become in the frozen layers is computed once.
    began = time.process_time()
    first = [client.train(1, adapter)[0] for client in members]
    timed("first", began)
    began = time.process_time()
    adapter = average(first, [1.0] * clients)
    trained = [client.train(last, adapter)[0] for client in members]
    timed("train", began)
    adapter = average(trained, [1.0] * clients)
    began = time.process_time()
    for client in members:
        measured = client.measure(last, adapter, None)
        site = Site(client.index, client.folder, simulated=True)
        observer_of(plan, site, "", last).release(last, *measured)
    timed("monitored", began)
    return spent


def main() -> None:
    """Time each plan."""
    parser = arguments(__doc__, model=True)
    parser.add_argument("--tokens", type=int, default=24, help="the most that an answer has")
    parser.add_argument("--prompts", type=int, default=8, help="rated in a round, of each mode")
    parser.add_argument("--clients", type=int, default=2)
    given = parser.parse_args()
    use_threads(given.threads)
    rows: Rows = []
    for name, kinds in PLANNED.items():
        plan = plan_with(kinds, given.tokens, given.prompts, model=given.model, device=given.device)
        with tempfile.TemporaryDirectory() as folder:
            spent: dict[str, Any] = dict(seconds_of(plan, given.clients, Path(folder)))
        rounds, monitored = plan.federation.rounds, len(plan.monitoring_rounds)
        training = spent["first"] + (rounds - 1) * spent["train"]
        monitoring = monitored * spent["monitored"]
        rows.append(
            {
                "open_text": name,
                **{f"{part}_s": seconds for part, seconds in spent.items()},
                "share": monitoring / (training + monitoring),
            }
        )
    show(
        "Monitoring's share of the demo's processor time",
        rows,
        as_json=given.json,
        tokens=given.tokens,
        prompts=given.prompts,
        clients=given.clients,
        missed=[row["open_text"] for row in rows if row["share"] > MOST],
    )


if __name__ == "__main__":
    main()

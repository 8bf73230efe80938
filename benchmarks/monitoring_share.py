"""Monitoring's share of a client's time, for a round of so many trained tokens and scored items.

The language model's reference federation, with as many records as give the wanted tokens.

Counted as trained is each token of each record, answer included, every time that local training
goes over it: a record of 30 tokens in three epochs is 90. What personalization trains after that
comes on top and is not in ``trained_tokens``; its time is the client's own work, as training is,
and ``share_if_personalized_to_measure`` is what the share would be were it done for monitoring
alone. Counted as scored is each probe once, under however many adapters the modes ask for it.

Shares of rounds after the first are what a federation pays for long; the first pays for frozen
layers and the reference. What all clients of a process share, such as the scores of the adapter
that a round starts from, is paid once: more clients, a smaller share.

    python benchmarks/monitoring_share.py --tokens 20000 --items 300
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from common import Rows, arguments, median, peak_mb, show, tokenizer_of, use_threads
from round_cost import lm_plan, record_tokens, rounds_of

from unsilent.plan import MonitoringPlan


def plan_for(tokens: int, clients: int, place: str, **wanted: Any) -> MonitoringPlan:
    """A plan whose records give the clients, on average, no fewer trained tokens than asked."""
    tokenizer = tokenizer_of(place)
    records = 32
    while True:
        plan = lm_plan(records=records, valence=[0.1, 4.0], **wanted)
        trained = record_tokens(plan, clients, tokenizer) * plan.federation.epochs
        if trained >= tokens:
            return plan
        records = max(records + 1, round(records * tokens / trained))


def main() -> None:
    """Find the records, then time the rounds."""
    parser = arguments(__doc__, model=True)
    parser.add_argument("--tokens", type=int, default=20_000, help="trained by a client in a round")
    parser.add_argument("--items", type=int, default=300, help="scored in a round")
    parser.add_argument("--clients", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    threads = use_threads(given.threads)
    held_out = max(4, given.items // 12)
    plan = plan_for(
        given.tokens,
        given.clients,
        given.model,
        model=given.model,
        rounds=given.rounds,
        device=given.device,
        # Of five planned roles four are asked, and counterfactuals come in pairs.
        items=-(-(given.items - held_out) // 5),
        held_out=held_out,
    )
    with tempfile.TemporaryDirectory() as name:
        rows, work = rounds_of(plan, given.clients, Path(name))
    show(
        "Monitoring's share of a client's round",
        rows,
        as_json=given.json,
        **work,
        clients=given.clients,
        share=later(rows, "monitoring_share"),
        share_if_personalized_to_measure=later(rows, "share_if_personalized_to_measure"),
        peak_mb=peak_mb(),
        device=given.device,
        threads=threads,
    )


def later(rows: Rows, name: str) -> float:
    """The median over the rounds after the first, or the first where there is no other."""
    return median([row[name] for row in rows[1:] or rows])


if __name__ == "__main__":
    main()

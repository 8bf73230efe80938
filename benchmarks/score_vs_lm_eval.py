"""Scoring against lm-evaluation-harness: the same resident model, the same items, the same run.

Each pair of runs scores one part of the items, first one way and then the other, in turns; the
harness with its best batch size of several. It is handed the tokens, so its time is of scoring
alone; unsilent's is from the text. A ratio over 1 says how many times faster unsilent is; how far
it can go depends on how much the choices of an item share, so every set has a row of its own.
Where the two differ most, both are held against the same weights in float64: ``error`` and
``harness_error``.

    pip install "lm-eval==0.4.13"
    python benchmarks/score_vs_lm_eval.py --items 100 --runs 5
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from common import (
    SETS,
    Rows,
    Spent,
    arguments,
    item_set,
    load_base,
    matmul_rate,
    measure,
    median,
    questions,
    show,
    use_threads,
    wait,
    with_shots,
)

from unsilent.items import Item, read_items
from unsilent.models.causal_lm import CausalLM
from unsilent.models.encode import token_paths
from unsilent.plan import AdapterPlan, parse_plan
from unsilent.probes import load_probes

T = TypeVar("T")


PROBES = "probes"
"""The embedded plan's own: what a monitoring round asks."""
CHECKED = 12
"""So many choices are scored in float64: those in which the two differ most."""


class Harness:
    """lm-evaluation-harness around a model that is already loaded."""

    def __init__(self, model: Any, tokenizer: Any, device: str) -> None:
        from lm_eval.models.huggingface import HFLM  # pyright: ignore[reportMissingImports]

        logging.getLogger("lm_eval").setLevel(logging.ERROR)
        self._lm: Any = HFLM(pretrained=model, tokenizer=tokenizer, device=device, batch_size=1)
        self._tokenizer = tokenizer

    def requests(self, items: Sequence[Item]) -> list[Any]:
        """One request a choice, as the harness itself encodes them: context and continuation."""
        return [
            (
                (f"{path.item}", f"{path.choice}"),
                list(path.tokens[: path.start]),
                list(path.tokens[path.start :]),
            )
            for paths in token_paths(self._tokenizer, items)
            for path in paths
        ]

    def score(self, requests: Sequence[Any], batch_size: int) -> list[float]:
        """The log-likelihood of each request."""
        self._lm.batch_size_per_gpu = batch_size
        return [found[0] for found in self._lm._loglikelihood_tokens(requests, disable_tqdm=True)]


class Exact:
    """The same weights in float64, one sequence at a time: what both should say."""

    def __init__(self, model: Any) -> None:
        self._model = copy.deepcopy(model).double()

    def score(self, request: Any) -> float:
        """The log-likelihood of one of the harness's requests."""
        _, context, continuation = request
        tokens = torch.tensor([context + continuation], device=self._model.device)
        with torch.inference_mode():
            logits = self._model(tokens[:, :-1]).logits[0, len(context) - 1 :]
        wanted = tokens[0, len(context) :, None]
        return float(logits.log_softmax(-1).gather(1, wanted).sum())


def compare(
    parts: Sequence[Sequence[Item]],
    ours: CausalLM,
    harness: Harness,
    exact: Exact,
    sizes: Sequence[int],
) -> dict[str, Any]:
    """One row of the table: ratios, agreement, and the share of the matrix rate."""
    device = str(ours.engine.device)

    def timed(work: Callable[[], T]) -> tuple[T, Spent]:
        def run() -> T:
            result = work()
            wait(device)
            return result

        return measure(run)

    ours.log_likelihoods(item_set(parts[0][:4]), None)
    pilot = harness.requests(parts[0][: max(4, len(parts[0]) // 8)])
    speed = {size: timed(lambda n=size: harness.score(pilot, n))[1].wall for size in sizes}
    best = min(speed, key=lambda size: speed[size])
    mine: list[Spent] = []
    theirs: list[Spent] = []
    same = 0
    apart: list[tuple[float, float, float, Any]] = []
    for number, part in enumerate(parts):
        asked, requests = item_set(part), harness.requests(part)
        if number % 2:
            logs, spent = timed(lambda r=requests: harness.score(r, best))
            table, own = timed(lambda a=asked: ours.log_likelihoods(a, None))
        else:
            table, own = timed(lambda a=asked: ours.log_likelihoods(a, None))
            logs, spent = timed(lambda r=requests: harness.score(r, best))
        mine.append(own)
        theirs.append(spent)
        found, asks = iter(logs), iter(requests)
        for row, item in zip(table, part, strict=True):
            other = np.array([next(found) for _ in item.choices])
            same += int(np.argmax(row[: len(other)])) == int(np.argmax(other))
            apart += [
                (abs(one - two), one, two, next(asks))
                for one, two in zip(row[: len(other)].tolist(), other.tolist(), strict=True)
            ]
    items = sum(len(part) for part in parts)
    apart.sort(key=lambda pair: pair[0], reverse=True)
    true = [exact.score(request) for *_, request in apart[:CHECKED]]
    return {
        "items": items,
        "runs": len(parts),
        "batch_size": best,
        "ratio": median([t.wall / m.wall for m, t in zip(mine, theirs, strict=True)]),
        "ratio_cpu": median([t.cpu / m.cpu for m, t in zip(mine, theirs, strict=True)]),
        "items_per_s": items / sum(m.wall for m in mine),
        "harness_items_per_s": items / sum(t.wall for t in theirs),
        "agree": same / items,
        "largest_difference": apart[0][0],
        "error": max(abs(one - t) for (_, one, _, _), t in zip(apart, true, strict=False)),
        "harness_error": max(abs(two - t) for (_, _, two, _), t in zip(apart, true, strict=False)),
    }


def work_of(ours: CausalLM, parts: Sequence[Sequence[Item]]) -> float:
    """GFLOP of the layers' and the head's matrix products that unsilent does for the items."""
    inner, outer = 0, ours.model.get_output_embeddings().weight.numel()
    for name, parameter in ours.model.get_decoder().named_parameters():
        inner += parameter.numel() if parameter.ndim == 2 and "embed" not in name else 0
    total = 0.0
    for part in parts:
        prepared = ours._prepare(item_set(part), share=True)
        prefixes = sum(len(group.prefix or ()) for group in prepared.groups)
        nodes = prefixes + sum(len(row) for row in prepared.rows)
        total += inner * nodes + outer * sum(len(set(r.edge_nodes.tolist())) for r in prepared.rows)
    return 2e-9 * total


def main() -> None:
    """Compare, for each dtype, set and number of shots."""
    parser = arguments(__doc__, model=True)
    parser.add_argument("--items", type=int, default=100, help="items in each run")
    parser.add_argument("--runs", type=int, default=5, help="pairs of runs")
    parser.add_argument("--dtypes", nargs="+", default=["float32"], help="float32, bfloat16")
    parser.add_argument("--shots", nargs="+", type=int, default=[0, 3])
    parser.add_argument("--batch-sizes", nargs="+", type=int, default=[4, 8, 16, 32])
    parser.add_argument("--budget", type=int, help="unsilent's tokens in a batch")
    parser.add_argument(
        "--sets",
        nargs="+",
        default=[PROBES, *SETS],
        help=f"of {PROBES}, {', '.join(SETS)}, or a .jsonl",
    )
    given = parser.parse_args()
    threads = use_threads(given.threads)
    rows: Rows = []
    rate = 0.0
    for dtype in given.dtypes:
        loaded, kind = load_base(given.model, dtype, given.device)
        # One wrapped module, so that the harness runs the same model at its own speed.
        plan = AdapterPlan(rank=1, targets=("q_proj",), layers=(0, 0))
        ours = CausalLM(**loaded, weights=given.model, adapter=plan, budget=given.budget)
        exact = Exact(loaded["model"])
        harness = Harness(loaded["model"], loaded["tokenizer"], given.device)
        rate = matmul_rate(given.device, kind)
        with ours.merged(None):
            for shots, name in product(given.shots, given.sets):
                if shots and name == PROBES:
                    continue
                asked = with_shots(pick(name, given.items * given.runs + shots), shots)
                size = -(-len(asked) // given.runs)
                parts = [asked[start : start + size] for start in range(0, len(asked), size)]
                row = compare(parts, ours, harness, exact, given.batch_sizes)
                speed = work_of(ours, parts) / row["items"] * row["items_per_s"]
                rows.append(
                    {"dtype": dtype, "shots": shots, "set": name, **row, "of_matmul": speed / rate}
                )
    show(
        "Scoring, unsilent against lm-evaluation-harness",
        rows,
        as_json=given.json,
        device=given.device,
        threads=threads,
        matmul_gflops=rate,
    )


def pick(name: str, count: int) -> list[Item]:
    """The items of a set, of a file, or the plan's own probes of all roles in turns."""
    if name.endswith(".jsonl"):
        return list(read_items(Path(name)))[:count]
    if name != PROBES:
        return questions(name, count)
    plan = parse_plan(
        {
            "name": "benchmark",
            "probes": {"items": -(-count // 6)},
            "modes": {"confidence_miscalibration": {"tolerance": 0.1, "clip": 0.3}},
        },
        where="benchmark",
    )
    turns: dict[int, list[Item]] = {}
    for name, items in load_probes(plan).items():
        places: dict[str, int] = {}
        for item in items:
            # Counterfactuals of one pair stay together.
            turn = places.setdefault(item.pair or item.id, len(places))
            turns.setdefault(turn, []).append(replace(item, id=f"{name}-{item.id}"))
    return [item for turn in sorted(turns) for item in turns[turn]][:count]


if __name__ == "__main__":
    main()

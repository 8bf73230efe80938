"""How far rounding moves a model, in the numbers of ``unsilent parity``.

The same model in float32 is held against itself in bfloat16, and with the matrices of its layers
rounded to 8 and to 4 bits, one scale a row. One draw of the starter plan's public items.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from common import Rows, arguments, load_base, show, use_threads

from unsilent.models.causal_lm import CausalLM
from unsilent.parity.check import ask_reference, drawn
from unsilent.parity.compare import TOLERANCE, compare
from unsilent.plan import AdapterPlan
from unsilent.plans import starter_plan
from unsilent.probes import load_probes


def scorer(base: Any, tokenizer: Any, name: str) -> CausalLM:
    """A model as the reference scores it."""
    return CausalLM(base, tokenizer, weights=name, adapter=AdapterPlan())


def rounded(base: Any, bits: int) -> Any:
    """The model with each matrix of its layers rounded to so many bits, a scale for each row."""
    made = copy.deepcopy(base)
    most = 2 ** (bits - 1) - 1
    with torch.no_grad():
        for name, weight in made.named_parameters():
            if ".layers." in name and weight.ndim == 2:
                scale = weight.abs().amax(dim=1, keepdim=True).clamp_min(1e-12) / most
                weight.copy_((weight / scale).round() * scale)
    return made


def main() -> None:
    """Compare, one row a way of rounding."""
    parser = arguments(__doc__ or "", model=True)
    parser.add_argument("--items", type=int, default=256)
    given = parser.parse_args()
    threads = use_threads(given.threads)
    plan = starter_plan()
    sets = {str(role): found for role, found in load_probes(plan).items()}
    items = drawn(sets, given.items)
    whole, _ = load_base(given.model, "float32", given.device)
    half, _ = load_base(given.model, "bfloat16", given.device)
    tokenizer = whole["tokenizer"]
    ways = {
        "bfloat16": half["model"],
        "8 bits": rounded(whole["model"], 8),
        "4 bits": rounded(whole["model"], 4),
    }
    expected = ask_reference(scorer(whole["model"], tokenizer, "float32"), items, None)
    rows: Rows = []
    for name, base in ways.items():
        said = ask_reference(scorer(base, tokenizer, name), items, None)
        found = compare(items, said, expected, TOLERANCE)
        rows.append({"rounded to": name, **found.to_json()})
    show(
        "A model against itself, rounded",
        rows,
        as_json=given.json,
        threads=threads,
        tolerance=TOLERANCE,
    )


if __name__ == "__main__":
    main()

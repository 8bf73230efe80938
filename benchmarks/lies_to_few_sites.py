"""Lies to three to six sites of plans that spare one: whether any gives a server a single vector.

The long form of ``tests/release/secure_sum/test_few_lies.py``, whose attack it runs with other
seeds. Exits with 1 if a round gave more than one sum, or one of fewer honest sites than planned.

    python benchmarks/lies_to_few_sites.py --seeds 20 --json
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.release.secure_sum.few_lies import plans, search


def row(plan: tuple[int, int, int], terms: Any, seeds: int) -> dict[str, Any]:
    """All seeds of one plan: how many rounds gave a sum of how many honest sites."""
    sizes: Counter[int] = Counter()
    broken = silent = 0
    smallest = terms.parameters.smallest_sum
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as folder:
            found = search(Path(folder), terms, random.Random(f"{plan} {seed}"))
        for each in found:
            sizes.update(each.sizes)
            silent += not each.sizes
            wrong = len(each.sizes) > 1 or min(each.sizes, default=smallest) < smallest
            broken += wrong or each.signed_twice
    sites, colluders, least = plan
    return {
        "sites": sites,
        "colluders": colluders,
        "least": least,
        "unit": "none" if smallest >= 2 else "client",
        "smallest_sum": smallest,
        "rounds": seeds * len(terms.rounds),
        "without_a_sum": silent,
        "sums_of": {str(size): sizes[size] for size in sorted(sizes)},
        "broken": broken,
    }


def main() -> None:
    """Attack, and print a table or JSON."""
    parser = argparse.ArgumentParser(description="Lie to few sites of a secure sum.")
    parser.add_argument("--seeds", type=int, default=20, help="of each plan, with 20 rounds each")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    arguments = parser.parse_args()
    # What is on disk counts here, not when it is flushed.
    os.fsync = lambda _: None
    rows = [row(plan, terms, arguments.seeds) for plan, terms in plans(rounds=20).items()]
    if arguments.json:
        sys.stdout.write(json.dumps({"rows": rows}, indent=2) + "\n")
    else:
        for each in rows:
            sys.stdout.write("  ".join(f"{key} {value}" for key, value in each.items()) + "\n")
    sys.exit(any(each["broken"] for each in rows))


if __name__ == "__main__":
    main()

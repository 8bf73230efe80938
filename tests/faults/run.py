"""Runs cases: ``python -m tests.faults.run SEED COUNT OUT [PART PARTS]``, forking their processes.

Prints one line of JSON for each case; with PART 1 and PARTS 3 for every third from the second on.
With NAMES in the environment, a line each, only those.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

from tests.faults.cases import run_case, suite, warm_up


def main(seed: int, count: int, out: Path, part: int = 0, parts: int = 1) -> None:
    """Run so many cases in folders under ``out``; those of cases that kept all promises go."""
    warm_up(out / f"warm-up-{part}")
    names = os.environ.get("NAMES", "").splitlines()
    for number, case in enumerate(suite(seed, count)):
        if number % parts != part or (names and case.name not in names):
            continue
        folder = out / str(number)
        found = run_case(case, folder)
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()
        if not found["broken"]:
            shutil.rmtree(folder)


if __name__ == "__main__":
    seed, count, out, *rest = sys.argv[1:]
    main(int(seed), int(count), Path(out), *map(int, rest))

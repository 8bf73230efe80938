"""Runs cases: ``python -m tests.faults.run SEED COUNT OUT [PART]``; their processes are its forks.

Prints one line of JSON for each case. With PART, 0 or 1, every second one.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from tests.faults.cases import run_case, suite


def main(seed: int, count: int, out: Path, part: int | None = None) -> None:
    """Run so many cases in folders under ``out``; those of cases that kept all promises go."""
    for number, case in enumerate(suite(seed, count)):
        if part is not None and number % 2 != part:
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

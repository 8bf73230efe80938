"""How long it takes from `unsilent demo` to the first true thing that is shown, and to the end.

Both from an empty cache, for which model and data are downloaded and prepared, and from the cache
that this left. The first true thing is the first look's verdict on an injected failure.

    python benchmarks/first_minutes.py --json
    python benchmarks/first_minutes.py --until first     the first look alone, of both caches
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import arguments, show

SHOWN = "Behind it: "
"""How the line begins that says what is behind the numbers."""
COMMAND = "import sys; from unsilent.cli import main; sys.exit(main(sys.argv[1:]))"


def timed(cache: Path, out: Path, words: list[str], *, first_only: bool) -> dict[str, Any]:
    """Seconds from the command to what it shows. It is ended after the first look, if so asked."""
    environment = {**os.environ, "UNSILENT_CACHE": str(cache), "COLUMNS": "200"}
    command = [sys.executable, "-c", COMMAND, "demo", "--out", str(out), *words]
    began = time.monotonic()
    first, stages = None, list[tuple[str, float]]()
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        for line in process.stderr or ():
            at = time.monotonic() - began
            if line.startswith("unsilent: "):
                stages.append((line.removeprefix("unsilent: ").strip(), round(at, 1)))
            if first is None and line.startswith(SHOWN):
                first = at
                if first_only:
                    process.kill()
                    break
    ended = None if first_only else time.monotonic() - began
    failed = process.returncode if not first_only else None
    return {"first_true_s": first, "end_s": ended, "exit": failed, "stages": dict(stages)}


def main() -> None:
    """Time both caches."""
    parser = arguments(__doc__)
    parser.add_argument("--until", choices=["first", "end"], default="end")
    parser.add_argument("--tier", choices=["lm", "fleet"], default="lm")
    parser.add_argument("--cache", type=Path, help="a warm cache to time alone")
    given = parser.parse_args()
    rows = list[dict[str, Any]]()
    with tempfile.TemporaryDirectory() as name:
        cache = given.cache or Path(name) / "cache"
        for kind in ("warm",) if given.cache else ("empty", "warm"):
            words = ["--tier", given.tier]
            told = timed(cache, Path(name) / kind, words, first_only=given.until == "first")
            stages = told.pop("stages")
            rows.append({"cache": kind, **told, **({"stages": stages} if given.json else {})})
    show(
        "From the command to what it shows, in seconds",
        rows,
        as_json=given.json,
        cores=os.cpu_count(),
        load=round(os.getloadavg()[0], 1),
    )


if __name__ == "__main__":
    main()

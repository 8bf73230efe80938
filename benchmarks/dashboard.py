"""How long the dashboard's pages take on a ledger of 100,000 entries.

    python benchmarks/dashboard.py runs/demo --json

The ledger of a run is copied and brought to that length by repeating its newest judged round, in
one correct hash chain. The server is started anew for each first page; then every page is asked
for in turns. Seconds are of the clock, from the request to the last byte. ``started`` is from the
server's own line to the first page's last byte, ``ready`` from the start of its process.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from large_ledger import enlarge

from unsilent.ledger import Ledger
from unsilent.ledger.location import LEDGER_FILE

PAGES = {
    "run": "/runs/large",
    "runs": "/",
    "ledger": "/runs/large/ledger",
    "by kind": "/runs/large/ledger?kind=findings",
    "by round": "/runs/large/ledger?round=777",
    "by kind and round": "/runs/large/ledger?kind=sum&round=9999",
    "deep": "/runs/large/ledger?kind=system&before=50000",
    "an entry": "/runs/large/ledger/50000",
}


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="a run folder whose ledger is in it")
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "large"
        folder.mkdir()
        shutil.copy(given.run / LEDGER_FILE, folder / LEDGER_FILE)
        ledger = Ledger(folder / LEDGER_FILE)
        enlarge(ledger, given.entries)
        rows = measure(Path(place), given.repeats)
        found = {"entries": ledger.size, "rows": rows}
    if given.json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return
    sys.stdout.write(f"{found['entries']:,} entries; seconds, median and most\n")
    for row in rows:
        sys.stdout.write(f"{row['page']:20} {row['median']:8.3f} {row['most']:8.3f}\n")


def measure(place: Path, repeats: int) -> list[dict[str, float | str]]:
    """Seconds of the first page of new servers, and of all pages of one that runs."""
    taken: dict[str, list[float]] = {"first page, ready": [], "first page, started": []}
    for _ in range(repeats):
        began = time.perf_counter()
        process, address = start(place)
        told = time.perf_counter()
        get(address + PAGES["run"])
        now = time.perf_counter()
        taken["first page, ready"].append(now - began)
        taken["first page, started"].append(now - told)
        stop(process)
    process, address = start(place)
    for _ in range(repeats):
        for name, path in PAGES.items():
            began = time.perf_counter()
            get(address + path)
            taken.setdefault(name, []).append(time.perf_counter() - began)
    stop(process)
    return [
        {"page": name, "median": statistics.median(seconds), "most": max(seconds)}
        for name, seconds in taken.items()
    ]


def start(place: Path) -> tuple[subprocess.Popen[str], str]:
    """A server on a free port, and its address."""
    command = [sys.executable, "-m", "unsilent.cli", "serve", str(place), "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    line = process.stderr.readline() if process.stderr else ""
    address = re.search(r"http://\S+:\d+", line)
    if address is None:
        process.kill()
        sys.exit(f"the server did not start: {line}")
    return process, address[0]


def stop(process: subprocess.Popen[str]) -> None:
    """End a server."""
    process.terminate()
    process.wait(30)
    if process.stderr is not None:
        process.stderr.close()


def get(address: str) -> bytes:
    """A page's bytes."""
    with urllib.request.urlopen(address, timeout=60) as answer:
        found: bytes = answer.read()
    return found


if __name__ == "__main__":
    main()

"""Run the example deployment between two hosts: network namespaces with addresses of their own.

    sudo python benchmarks/between_hosts.py --json

The SuperLink and ``flwr`` are on one, the nodes on the other, and a pair of virtual cables is all
that is between them. Needs root and ``ip``; the namespaces are its own, and are taken away again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from unsilent.keeper import leave_when_asked
from unsilent.ledger import Ledger

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "deployment"
NEAR, FAR = "10.203.7.1", "10.203.7.2"


def ip(*words: str, check: bool = True) -> None:
    """One command of ``ip``."""
    subprocess.run(["ip", *words], check=check, capture_output=not check)


def main() -> int:
    """Lay the cable, run, read what was found, take all away."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    leave_when_asked()
    if os.geteuid() != 0:
        raise SystemExit("network namespaces need root")
    work = (given.work or Path(tempfile.mkdtemp(prefix="unsilent-hosts-"))).absolute()
    name = f"unsilent-{os.getpid()}"
    one, other = f"{name}-a", f"{name}-b"
    began = time.monotonic()
    try:
        for space in (one, other):
            ip("netns", "add", space)
            ip("-n", space, "link", "set", "lo", "up")
        ip("link", "add", "va", "netns", one, "type", "veth", "peer", "name", "vb", "netns", other)
        for space, end, address in ((one, "va", NEAR), (other, "vb", FAR)):
            ip("-n", space, "addr", "add", f"{address}/24", "dev", end)
            ip("-n", space, "link", "set", end, "up")
        command = [
            *("ip", "netns", "exec", one, sys.executable, str(EXAMPLE / "deploy.py")),
            *(str(EXAMPLE / "app"), "--work", str(work), "--nodes", str(given.nodes)),
            *("--host", NEAR, "--node-command", f"ip netns exec {other}"),
        ]
        done = subprocess.run(command, stdout=sys.stderr, check=False)
    finally:
        for space in (one, other):
            ip("netns", "del", space, check=False)
    path = work / "run" / "ledger.sqlite"
    judged = (
        [entry.payload["round"] for entry in Ledger(path, read_only=True).entries("findings")]
        if path.is_file()
        else []
    )
    found = {
        "superlink": NEAR,
        "nodes": FAR,
        "rc": done.returncode,
        "judged": judged,
        "seconds": round(time.monotonic() - began, 1),
    }
    sys.stdout.write(json.dumps(found, indent=1) + "\n" if given.json else f"{found}\n")
    return 0 if judged and not done.returncode else 1


if __name__ == "__main__":
    sys.exit(main())

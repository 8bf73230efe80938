"""Run the example deployment between two hosts: network namespaces with addresses of their own.

    sudo python benchmarks/between_hosts.py --json

The SuperLink and ``flwr`` are on one, the nodes on the other, and a pair of virtual cables is all
that is between them. Needs root and ``ip``; the namespaces are its own, and are taken away again,
those of one that was killed by the next. None of its processes outlives it.

Flower gives an app's process 30 seconds to start, and then starts another beside it. On a machine
under load none of them is ever in time; ``--patience`` gives them longer, and changes nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from unsilent.keeper import Keeper, leave_when_asked
from unsilent.ledger import Ledger

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "deployment"
NEAR, FAR = "10.203.7.1", "10.203.7.2"


def ip(*words: str, check: bool = True) -> None:
    """One command of ``ip``."""
    subprocess.run(["ip", *words], check=check, capture_output=not check)


def take_away_left_over() -> None:
    """Take away the namespaces of runs of this script that were killed."""
    listed = subprocess.run(["ip", "netns", "list"], check=False, capture_output=True, text=True)
    for name in re.findall(r"^(unsilent-(\d+)-[ab])\b", listed.stdout, re.MULTILINE):
        if not Path(f"/proc/{name[1]}").exists():
            ip("netns", "del", name[0], check=False)


def patient(work: Path, seconds: int, env: dict[str, str]) -> dict[str, str]:
    """An environment in which Flower waits longer for the processes of apps to start."""
    folder = work / "patient"
    folder.mkdir(parents=True, exist_ok=True)
    # Read by each Python before anything else; the number is read where others import it.
    (folder / "sitecustomize.py").write_text(
        "try:\n    from flwr.common import constant\nexcept ImportError:\n    pass\n"
        f"else:\n    constant.HEARTBEAT_DEFAULT_INTERVAL = {seconds}\n"
    )
    paths = [str(folder), *filter(None, [env.get("PYTHONPATH")])]
    return {**env, "PYTHONPATH": os.pathsep.join(paths)}


def main() -> int:
    """Lay the cable, run, read what was found, take all away."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--patience", type=int, default=30, help="for a process to start, seconds")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    leave_when_asked()
    if os.geteuid() != 0:
        raise SystemExit("network namespaces need root")
    work = (given.work or Path(tempfile.mkdtemp(prefix="unsilent-hosts-"))).absolute()
    name = f"unsilent-{os.getpid()}"
    one, other = f"{name}-a", f"{name}-b"
    began = time.monotonic()
    take_away_left_over()
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
        with Keeper() as keeper:
            env = keeper.env
            if given.patience != 30:
                env = patient(work, given.patience, env)
            done = subprocess.run(command, stdout=sys.stderr, check=False, env=env)
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

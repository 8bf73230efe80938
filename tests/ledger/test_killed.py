"""Killed at any moment, a ledger is whole and goes on."""

import signal
import subprocess
import sys
import time

from unsilent.ledger import Ledger

WRITER = """
import sys
from pathlib import Path
from unsilent.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
i = 0
while True:
    entry = ledger.append("note", {"i": i, "text": "x" * 2000})
    print(entry.index, entry.hash, flush=True)
    i += 1
"""


def test_a_chain_survives_kill_9(tmp_path):
    path = tmp_path / "ledger.db"
    told = 0
    for delay in (0.0, 0.05, 0.27):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
        )
        # The first line says that it is at work; the kill falls anywhere in what follows.
        lines = [writer.stdout.readline()]
        time.sleep(delay)
        writer.send_signal(signal.SIGKILL)
        lines += writer.stdout.readlines()
        writer.stdout.close()
        assert writer.wait() == -signal.SIGKILL
        index, digest = [line.split() for line in lines if line.endswith("\n")][-1]
        ledger = Ledger(path)
        assert ledger.verify(digest) in (int(index), int(index) + 1)
        assert int(index) > told
        told = ledger.append("note", {"after": delay}).index
    assert Ledger(path).verify() == told


def test_killed_while_it_is_made_it_starts_cleanly(tmp_path):
    start = time.monotonic()
    subprocess.run([sys.executable, "-c", "import unsilent.ledger"], check=True)
    loading = time.monotonic() - start
    for step in range(3):
        path = tmp_path / f"{step}.db"
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 10 * loading
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(0.004 * step)
        writer.kill()
        writer.wait()
        ledger = Ledger(path)
        ledger.append("note", {})
        assert ledger.verify() >= 1

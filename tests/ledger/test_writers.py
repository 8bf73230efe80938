"""Servers that write to one ledger at once, from processes of their own, keep one chain."""

import signal
import subprocess
import sys

import pytest

from unsilent.ledger import Ledger

WRITER = """
import sys
from unsilent.ledger import Ledger
where, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
sys.stdin.readline()
ledger = Ledger(where)
for i in range(count):
    print(ledger.append("note", {"writer": name, "i": i, "round": i}).index, flush=True)
    while i == 0 and len({e.payload["writer"] for e in ledger.entries()}) < 2 and count > 1:
        pass  # Nobody goes on before the other has begun, so that they do write at once.
"""
FORKED = """
import os, sys
from unsilent.ledger import Ledger
ledger = Ledger(sys.argv[1])
ledger.append("note", {"of": "parent"})
for child in range(3):
    if os.fork() == 0:
        ledger.append("note", {"of": child})
        os._exit(0)
for child in range(3):
    status = os.wait()[1]
    assert status == 0
ledger.append("note", {"of": "parent"})
"""


def writer(place, name, count):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, place.where, name, str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_two_servers_at_once(place):
    both = [writer(place, name, 100) for name in ("one", "two")]
    for process in both:
        process.stdin.write("go\n")
        process.stdin.flush()
    told = []
    for process in both:
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        told.append([int(line) for line in out.split()])
    ledger = Ledger(place.where)
    assert ledger.verify() == 200
    assert sorted(told[0] + told[1]) == list(range(1, 201))
    assert max(told[0][0], told[1][0]) < min(told[0][-1], told[1][-1]), "they did not overlap"
    for name in ("one", "two"):
        own = [e.payload["i"] for e in ledger.entries() if e.payload["writer"] == name]
        assert own == list(range(100))


def test_one_killed_while_the_other_writes(place):
    victim, other = writer(place, "victim", 10_000), writer(place, "other", 100)
    for process in (victim, other):
        process.stdin.write("go\n")
        process.stdin.flush()
    for _ in range(20):
        victim.stdout.readline()
    victim.send_signal(signal.SIGKILL)
    rest = victim.stdout.read().split()
    victim.communicate()
    out, _ = other.communicate(timeout=60)
    assert len(out.split()) == 100
    ledger = Ledger(place.where)
    written = sum(e.payload["writer"] == "victim" for e in ledger.entries())
    # What was told is there; one more may have been written and not told.
    assert written - (20 + len(rest)) in (0, 1)
    assert ledger.verify() == 100 + written


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_a_process_that_forks(place):
    subprocess.run([sys.executable, "-W", "error", "-c", FORKED, place.where], check=True)
    ledger = Ledger(place.where)
    assert ledger.verify() == 5
    assert {e.payload["of"] for e in ledger.entries()} == {"parent", 0, 1, 2}

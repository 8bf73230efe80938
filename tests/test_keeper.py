"""However a process ends, what it started through a keeper ends with it, and nothing else does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from unsilent.keeper import Keeper, marked

OWNER = """
import os, subprocess, sys, time
from unsilent.keeper import Keeper, leave_when_asked

leave_when_asked()
moment, folder = sys.argv[1], sys.argv[2]
child = [sys.executable, "-S", "-c", '''
import os, signal, sys, time
kind = sys.argv[1]
if kind == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if kind == "away":  # in a session of its own, and no child of its parent's any more
    if os.fork(): os._exit(0)
    os.setsid()
open(sys.argv[2] + "/" + kind, "w").write(str(os.getpid()))
if kind == "flee":  # starts others as long as it lives
    for _ in range(50):
        os.spawnl(os.P_NOWAIT, sys.executable, sys.executable, "-Sc", "import time; time.sleep(60)")
        time.sleep(.2)
time.sleep(60)
''']
with Keeper(grace=1.0) as keeper:
    print(keeper._mark, flush=True)
    kinds = ("plain", "deaf", "away", "flee")
    for kind in kinds:
        subprocess.Popen([*child, kind, folder], env=keeper.env, start_new_session=kind != "plain")
        if moment == "between" and kind == "deaf":
            print("now", flush=True)
    if moment == "later":
        while not all(os.path.exists(folder + "/" + kind) for kind in kinds): time.sleep(.02)
        print("now", flush=True)
    time.sleep(60)
"""


def left(mark: str, patience: float = 15.0) -> list[int]:
    """What still carries a mark; waited for."""
    deadline = time.monotonic() + patience
    while (found := list(marked(mark))) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def killed(ends: signal.Signals, moment: str, folder: Path) -> str:
    """Start an owner and end it at a moment; the mark of what it started."""
    command = [sys.executable, "-c", OWNER, moment, str(folder)]
    owner = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert owner.stdout is not None
    mark = owner.stdout.readline().strip()
    if moment != "at once":
        assert owner.stdout.readline() == "now\n"
        assert len(list(marked(mark))) >= (2 if moment == "between" else 4)
    # As a terminal or a time-out does it: the whole group.
    os.killpg(owner.pid, ends)
    owner.wait(20)
    owner.stdout.close()
    return mark


CASES = [
    (signal.SIGKILL, "at once"),
    (signal.SIGKILL, "between"),
    (signal.SIGKILL, "later"),
    (signal.SIGTERM, "between"),
    (signal.SIGINT, "later"),
    (signal.SIGHUP, "later"),
]


@pytest.mark.parametrize(("ends", "moment"), CASES)
def test_nothing_is_left(ends: signal.Signals, moment: str, tmp_path: Path) -> None:
    stranger = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])
    mark = killed(ends, moment, tmp_path)
    assert left(mark) == []
    # And what is being started when the owner dies comes to nothing, too.
    time.sleep(0.3)
    assert left(mark) == []
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_leaving_the_block_ends_what_runs_and_waits_for_it() -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    with Keeper(grace=0.2) as keeper:
        process = subprocess.Popen([sys.executable, "-S", "-c", code], env=keeper.env)
    assert process.wait(5) in (-signal.SIGTERM, -signal.SIGKILL)


def test_a_keeper_within_another_ones_process_has_a_mark_of_its_own() -> None:
    with Keeper(grace=0.2) as outer:
        kept = subprocess.Popen(
            [sys.executable, "-S", "-c", "import time; time.sleep(60)"], env=outer.env
        )
        with Keeper(grace=0.2):
            pass
        assert kept.poll() is None
    assert kept.wait(5)

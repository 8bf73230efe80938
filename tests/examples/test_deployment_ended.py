"""The example deployment, killed while it starts, leaves no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "deployment"


def running(work: Path) -> list[str]:
    """Command lines that name the deployment's folder, and those that its programs started."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            home = (path / "environ").read_bytes()
        except OSError:
            continue
        if f"FLWR_HOME={work}".encode() in home and int(path.name) != os.getpid():
            found.append(words)
    return found


def test_nothing_is_left_of_one_that_was_killed(tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLE / "deploy.py"), str(EXAMPLE / "app"), "--nodes", "1"]
    with (tmp_path / "output").open("wb") as output:
        script = subprocess.Popen(
            [*command, "--work", str(tmp_path / "work")],
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + 120
    # The SuperLink listens, and has started a program of its own.
    while not (seen := running(tmp_path / "work"))[1:] and time.monotonic() < deadline:
        assert script.poll() is None, (tmp_path / "output").read_text()
        time.sleep(0.05)
    assert any("superlink" in words for words in seen)
    script.send_signal(signal.SIGKILL)
    script.wait()
    deadline = time.monotonic() + 30
    while running(tmp_path / "work") and time.monotonic() < deadline:
        time.sleep(0.1)
    assert running(tmp_path / "work") == []

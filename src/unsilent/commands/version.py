"""Which unsilent this is: its version, and the commit where one is known."""

from __future__ import annotations

import json
import subprocess
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path

from unsilent import __version__

_HASH = 12
_SECONDS = 5.0


def described() -> str:
    """``0.4.0``, or ``0.4.0 (commit 0123456789ab)``; ``-dirty`` where files differ from it."""
    commit = _installed() or _checked_out(Path(__file__).resolve().parents[3])
    return f"{__version__} (commit {commit})" if commit else __version__


def _installed() -> str | None:
    """The commit that pip took a distribution from, which it notes beside it."""
    try:
        text = Distribution.from_name("unsilent").read_text("direct_url.json")
        commit = json.loads(text or "{}")["vcs_info"]["commit_id"]
    except (PackageNotFoundError, OSError, ValueError, KeyError, TypeError):
        return None
    return str(commit)[:_HASH]


def _checked_out(root: Path) -> str | None:
    """The commit of a checkout, None where this is none or git is not there."""
    if not ((root / ".git").exists() and (root / "src" / "unsilent").is_dir()):
        return None
    asked = ["git", "-C", str(root), "describe", "--always", "--dirty", f"--abbrev={_HASH}"]
    try:
        # No tag is wanted: a commit is one thing, a tag may move.
        done = subprocess.run(
            [*asked, "--exclude=*"], capture_output=True, text=True, check=True, timeout=_SECONDS
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None

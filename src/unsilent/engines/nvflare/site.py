"""A site's own settings: from its environment, never from the job.

A client script comes with the job, so what its line gives stands only where the environment, which
the site's owner rules, says nothing. Who owns the simulator owns its sites.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

from unsilent.client.site import Site
from unsilent.release.record_rules import HOME_KEY

STORE = "UNSILENT_STORE"
"""Environment variable of a site: the folder in which its own folder is, named as the site."""
SIMULATION = "UNSILENT_SIMULATION"
"""Environment variable of simulated sites: the folder that holds theirs, in ``clients``."""

SETTINGS = {
    "plan": "UNSILENT_PLAN",
    "model": "UNSILENT_MODEL",
    "start": "UNSILENT_START",
    "files": "UNSILENT_FILES",
    HOME_KEY: "UNSILENT_HOME_DOMAIN",
}
"""What else a site's owner may set, and by which variable."""

_REMEDY = f"Start the site with {STORE} set to a folder of its own that is kept between jobs."
_NUMBERED = re.compile(r".*?(\d+)$")
_WORKER = "nvflare.private.fed.app.simulator.simulator_worker"
_LARGEST = 1 << 31


def site_of(name: str, store: str | Path | None, settings: Mapping[str, object]) -> Site:
    """Where a site's orders are answered.

    A site is simulated, which decides that its noise is seeded, where nobody names a store and
    either the environment says so or FLARE's simulator started this process.

    Args:
        name: The site's, as FLARE knows it.
        store: What the script names for all sites; the environment's goes first.
        settings: Likewise, by the keys of ``SETTINGS``.
    """
    own = {key: os.environ[each] for key, each in SETTINGS.items() if os.environ.get(each)}
    agreed = {**settings, **own}
    kept = os.environ.get(STORE) or store
    if kept:
        # Several sites of one machine, as in a POC, have one environment.
        return Site(-1, Path(kept).expanduser() / name, agreed, remedy=_REMEDY)
    number = number_of(name)
    if folder := os.environ.get(SIMULATION):
        place = Path(folder) / "clients" / f"{number:04d}"
    elif (simulator := _simulator()) is not None:
        place = simulator / "unsilent" / name
    else:
        return Site(-1, None, agreed, remedy=_REMEDY)
    return Site(number, place, agreed, simulated=True, remedy=_REMEDY)


def number_of(name: str) -> int:
    """A simulated site's number: ``site-1`` is client 0; of another name one that is its own."""
    found = _NUMBERED.fullmatch(name)
    if found and 0 < int(found.group(1)) < _LARGEST:
        return int(found.group(1)) - 1
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % _LARGEST


def _simulator() -> Path | None:
    """The workspace of FLARE's simulator if it started this process, or one above it."""
    import psutil

    try:
        process = psutil.Process()
        lines = [each.cmdline() for each in (process, *process.parents())]
    except psutil.Error:
        return None
    return next((found for line in lines if (found := _root(line)) is not None), None)


def _root(command: list[str]) -> Path | None:
    """The workspace that a worker of the simulator was started with; None if it is none."""
    if "-m" not in command or _WORKER not in command:
        return None
    if command.index(_WORKER) != command.index("-m") + 1 or "--simulator_root" not in command:
        return None
    return Path(*command[command.index("--simulator_root") + 1 :][:1])

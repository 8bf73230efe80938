"""Clients who are doubted where nothing is wrong: in the benchmark's traces and in the demos.

``ignored_adapters.py`` prints this beside what is planted.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from unsilent.client.own_statistics import OWN_FILE, read_own


def traced() -> Iterator[dict[str, Any]]:
    """Clients of the benchmark's traces in whom nothing changed at all, by tier."""
    from unsilent_bench.traces import read

    for tier in ("fleet", "lm"):
        held = [each for each in read().federations if each.tier == tier]
        asked = sum(int(each.present.sum()) for each in held)
        yield _alarms(f"traces of the {tier} tier", asked, sum(int(e.unshown.sum()) for e in held))


def demos(seed: int) -> Iterator[dict[str, Any]]:
    """Clients of both demos who could not show that their adapter acts, as their files say."""
    for tier in ("fleet", "lm"):
        for scenario in ("healthy", "skewed"):
            with tempfile.TemporaryDirectory() as folder:
                words = ["demo", "--tier", tier, "--scenario", scenario, "--seed", str(seed)]
                words.append("--no-first-look")
                command = "from unsilent.cli import main; main()"
                subprocess.run(
                    [sys.executable, "-c", command, *words, "--out", folder, "--json"],
                    check=True,
                    capture_output=True,
                )
                told = [read_own(path.parent) for path in Path(folder).rglob(OWN_FILE)]
                unsure = [r.model for rounds in told for r in rounds if r.model]
                asked = sum(len(rounds) for rounds in told)
                yield _alarms(f"{tier} demo, {scenario}", asked, len(unsure))


def _alarms(name: str, asked: int, unsure: int) -> dict[str, Any]:
    return {
        "case": name,
        "kind": "sound",
        "answer": f"{unsure} of {asked} client rounds doubted",
        "asked": asked,
        "doubted": unsure,
        "good": asked > 0 and unsure == 0,
    }

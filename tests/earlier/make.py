"""Make what an earlier version left: run it with that version, never with a later one.

    python make.py FOLDER postgresql://USER@/DATABASE?host=SOCKETS

FOLDER is made anew: a finished run without weights, its ledger as PostgreSQL dumps it, one client's
own record, a signed pack, what the version's commands said of all this, a short run of another
kind, and the digests of many plans.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path
from typing import Any

SCHEMA = "earlier_run"
KEPT = ("plan.json", "findings.json", "ledger.sqlite", "state.json", "timing.json")
OF_CLIENT = ("budget.json", "limit.json", "own.json", "federation.json", "release-*", "run-*")
PLAN = Path(__file__).with_name("plan.toml")
# Three clients' own limits end one round before the plan does: its last round is missed.
SHORT, EPSILON = ("0003", "0007", "0011"), 130.0


def unsilent(*words: str | Path, ends: tuple[int, ...] = (0,)) -> str:
    """What a command of the version prints; it must end with one of these codes."""
    command = [sys.executable, "-m", "unsilent.cli", *map(str, words)]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode not in ends:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}")
    return done.stdout


def run(out: Path) -> None:
    """A finished run: a gate that rolled back and was overruled, a missed round, a person told."""
    from unsilent.plan import read_plan

    out.mkdir()
    plan = json.dumps(read_plan(PLAN).to_json(), indent=2) + "\n"
    (out / "plan.json").write_text(plan, encoding="utf-8")
    for client in SHORT:
        folder = out / "clients" / client
        folder.mkdir(parents=True)
        unsilent("privacy", "limit", folder, "--epsilon", str(EPSILON))
    unsilent("run", PLAN, "--out", out)
    by = ("--by", "A. Person")
    unsilent("gate", "overrule", out, "--round", "2", "--reason", "checked by hand", *by)
    unsilent("aware", out, *by, "--note", "told the ward")


def like_these(folder: Path) -> None:
    """A short run about clients like these, whose sums hold squares too."""
    text = PLAN.read_text(encoding="utf-8").replace('"ward"', '"like-these"')
    text = text.replace('population = "enrolled"', 'population = "like-these"')
    text = text.replace("rounds = 5", "rounds = 2")
    with tempfile.TemporaryDirectory() as room:
        plan = Path(room) / "plan.toml"
        plan.write_text(text, encoding="utf-8")
        unsilent("run", plan, "--out", Path(room) / "run")
        for name in KEPT:
            shutil.copy(Path(room) / "run" / name, folder / name)


def plans() -> list[dict[str, Any]]:
    """Plans of many kinds, each with its digest and that of its vectors' layout."""
    from unsilent.plan import parse_plan
    from unsilent.release import Layout

    some = {"amplified_bias": {"tolerance": 0.1, "clip": 0.4}}
    every: dict[str, Any] = {**some, "fairness_collapse": {"tolerance": 0.3, "clip": 1.0}}
    for name in ("confidence_miscalibration", "adaptation_misalignment", "alignment_erosion"):
        every[name] = {"tolerance": 0.1, "clip": 0.2, "weight": 0.5}
    every["out_of_domain_degradation"] = {"tolerance": 0.1, "clip": 0.3, "subgroups": ["film"]}
    found: list[dict[str, Any]] = []
    for modes, population, unit, clip, bias in product(
        (some, every), ("enrolled", "like-these"), ("client", "record"), (1.0, 2.0), (0, 128)
    ):
        given = {
            "federation": {"clients": 64, "rounds": 3, "held_out": 12},
            "monitor": {"rounds": [1, 3], "min_cohort": 30, "population": population},
            "privacy": {"epsilon": 20.0, "clip": clip, "unit": unit},
            "probes": {"items": 64, "sizes": {"bias": bias}} if bias else {"items": 64},
            "modes": modes,
        }
        plan = parse_plan(given)
        layout = Layout.from_plan(plan).digest
        found.append({"given": given, "digest": plan.digest, "layout": layout})
    return found


def dump(ledger: Path, url: str) -> str:
    """The rows in a PostgreSQL ledger that the version itself makes, as plain SQL."""
    import psycopg

    from unsilent.ledger import Ledger

    with sqlite3.connect(ledger) as source:
        found = source.execute("SELECT * FROM unsilent_ledger ORDER BY position")
        columns = [each[0] for each in found.description]
        rows = found.fetchall()
    home = Ledger(f"{url}&schema={SCHEMA}")
    into = f"INSERT INTO {SCHEMA}.unsilent_ledger ({', '.join(columns)}) VALUES "
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.executemany(into + f"({', '.join(['%s'] * len(columns))})", rows)
    home.verify(Ledger(ledger).head)
    command = ["pg_dump", "--inserts", "--no-owner", "--no-privileges", f"--schema={SCHEMA}", url]
    text = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    # Settings of the session that dumped are none of the ledger's.
    noise = ("--", "SET ", "SELECT pg_catalog.set_config", "\\")
    return "".join(f"{line}\n" for line in text.splitlines() if line and not line.startswith(noise))


def said(folder: Path) -> dict[str, Any]:
    """What the version's commands say of the run, the client and the pack that are kept."""
    asked = {
        "gate": ("gate", folder / "run"),
        "spent": ("privacy", "spent", folder / "run"),
        "limit": ("privacy", "limit", folder / "client"),
        "local": ("local", folder / "client"),
        "verify": ("verify", folder / "evidence.zip"),
    }
    # Whatever it answers is kept: a version may have been wrong about its own pack.
    answers = {name: unsilent(*words, "--json", ends=(0, 1)) for name, words in asked.items()}
    return {name: json.loads(text) for name, text in answers.items()}


def make(folder: Path, url: str) -> None:
    """Fill the folder."""
    shutil.rmtree(folder, ignore_errors=True)
    for each in ("run", "client", "like-these"):
        (folder / each).mkdir(parents=True)
    with tempfile.TemporaryDirectory() as room:
        out, pack = Path(room) / "run", folder / "evidence.zip"
        run(out)
        signed = json.loads(
            unsilent("evidence", out, "--out", pack, "--key", Path(room) / "key.pem", "--json")
        )
        (folder / "key.txt").write_text(signed["public_key"] + "\n", encoding="utf-8")
        for name in KEPT:
            shutil.copy(out / name, folder / "run" / name)
        for path in (p for each in OF_CLIENT for p in (out / "clients" / SHORT[0]).glob(each)):
            shutil.copy(path, folder / "client" / path.name)
        text = json.dumps(said(folder), indent=1, ensure_ascii=False)
        (folder / "said.json").write_text(text + "\n", encoding="utf-8")
        dumped = dump(folder / "run" / "ledger.sqlite", url)
        (folder / "ledger.sql").write_text(dumped, encoding="utf-8")
    like_these(folder / "like-these")
    lines = ",\n".join(json.dumps(each) for each in plans())
    (folder / "plans.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    make(Path(sys.argv[1]), sys.argv[2])

"""The README as a newcomer follows it: a fresh clone, an empty cache, each command in its order.

First the lines of its command blocks, then what its table of commands names, on the run that these
left, in the environment that they made. The script ends where a command exits otherwise than it
should, or prints a traceback. Each is timed.

    python benchmarks/readme_commands.py           `make demo` up to the first look's verdict
    python benchmarks/readme_commands.py --long    to the demo's end, both scenarios
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import arguments, show

ROOT = Path(__file__).parents[1]
SHOWN = "Behind it: "
"""How the line begins that says what is behind the numbers."""
PATIENCE_S = 3600.0


@dataclass(frozen=True)
class Step:
    """One command of the README's table.

    Attributes:
        named: As it stands there.
        words: With what its capitals stand for; None where it is not run.
        code: What it should exit with.
        why: Why it is not run, or exits so.
        until: How the line begins that it has done its work with, where it would go on.
    """

    named: str
    words: str | None
    code: int = 0
    why: str = ""
    until: str | None = None


TABLE = (
    Step("unsilent plan init", "plan init plan.toml"),
    Step("plan check PLAN", "plan check plan.toml"),
    Step("unsilent contract PLAN", "contract plan.toml"),
    Step("unsilent run PLAN --out RUN", None, why="a federation's own time; the demo is one"),
    Step(
        "unsilent watch PLAN --app APP --every 7d",
        None,
        why="an app's adapters; benchmarks/watching.py",
    ),
    Step("unsilent findings RUN --fail-on failure", "findings {run} --fail-on failure", 3),
    Step("unsilent report RUN", "report {run}"),
    Step("unsilent serve RUNS", "serve runs --port 0", until="unsilent: http://"),
    Step("unsilent gate RUN", "gate {run}"),
    Step("gate override RUN", None, why="the demo's gate observes: nothing to override"),
    Step("unsilent local FOLDER", "local {run}/clients/0"),
    Step(
        "unsilent parity PLAN --at URL --model NAME",
        None,
        why="a served model; tests/parity has one",
    ),
    Step("unsilent record RUN", "record {run}"),
    Step("unsilent evidence RUN", "evidence {run}"),
    Step("key", "key"),
    Step("verify PACK --key FILE", "verify {run}/evidence.zip --key {key}"),
    Step("aware RUN", 'aware {run} --by "A. Person" --note "told the clinic"'),
    Step("unsilent privacy spent RUN", "privacy spent {run}"),
    Step("unsilent privacy audit", None, why="minutes; tests/audit"),
    Step("unsilent privacy limit FOLDER", "privacy limit {run}/clients/0"),
    Step("privacy key FOLDER", "privacy key {run}/clients/0"),
    Step("unsilent model list", "model list"),
    Step("model fetch NAME", None, why="a model's own terms have to be accepted"),
    Step("unsilent probes list", "probes list"),
    Step("show", "probes show --help"),
    Step("check", "probes check examples/digits/probes.jsonl --role task"),
    Step("score", None, why="loads the model; tests/probes"),
    Step("validate", None, why="minutes with a model; bench/tests/validation"),
    Step("unsilent bench run", "bench run", 2, "needs unsilent-bench, as it says"),
    *(
        Step(name, None, why="with unsilent-bench")
        for name in ("gather", "replay", "report", "tables", "verdicts")
    ),
    Step("unsilent landscape", "landscape"),
    Step("unsilent completion SHELL", "completion bash"),
    Step("unsilent export RUN", "export {run}"),
    Step("schema", "schema findings"),
    Step("modes", "modes"),
)


def named(readme: str) -> list[str]:
    """The commands that the README's table names, in its order."""
    rows = re.findall(r"^\| (`.*?) \| ", readme, re.MULTILINE)
    commands = [row for row in rows if row.startswith("`unsilent")]
    return [each for row in commands for each in re.findall(r"`([^`]+)`", row)]


def lines(readme: str) -> list[str]:
    """The lines of its command blocks."""
    blocks = re.findall(r"^```console\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    found = [line for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    return [re.sub(r"\s+#.*$", "", line.removeprefix("$ ")) for line in found]


def followed(
    command: str, folder: Path, environment: dict[str, str], *, until: str | None = None
) -> tuple[int, str, float]:
    """Exit code (0 where it was ended because it had shown ``until``), output, seconds."""
    began, said = time.monotonic(), list[str]()
    with subprocess.Popen(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        late = threading.Timer(PATIENCE_S, _ended, (process,))
        late.start()
        shown = False
        for line in process.stdout or ():
            said.append(line)
            if until is not None and line.startswith(until):
                shown = True
                _ended(process)
                break
        code = process.wait()
        late.cancel()
    return (0 if shown else code), "".join(said), time.monotonic() - began


def _ended(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGTERM)


def surroundings(folder: Path) -> dict[str, str]:
    """A newcomer's environment: an empty home and cache, but pip's settings and what it has."""
    told = {name: value for name, value in os.environ.items() if not name.startswith("UNSILENT_")}
    settings = Path.home() / ".config" / "pip" / "pip.conf"
    if settings.is_file():
        told.setdefault("PIP_CONFIG_FILE", str(settings))
    told.setdefault("PIP_CACHE_DIR", str(Path.home() / ".cache" / "pip"))
    for name in ("PYTHONPATH", "VIRTUAL_ENV"):
        told.pop(name, None)
    home = folder / "home"
    home.mkdir()
    return {**told, "HOME": str(home), "COLUMNS": "200"}


def main() -> None:
    """Follow the README."""
    parser = arguments(__doc__)
    parser.add_argument("--long", action="store_true", help="the demo to its end, both scenarios")
    given = parser.parse_args()
    rows = list[dict[str, Any]]()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    missing = set(named(readme)) ^ {step.named for step in TABLE}
    if missing:
        sys.exit(f"not in both the README's table and this script's: {', '.join(sorted(missing))}")
    with tempfile.TemporaryDirectory() as name:
        clone, around = Path(name) / "unsilent", surroundings(Path(name))
        steps: list[tuple[str, int, str | None]] = [
            (f"git clone --quiet {shlex.quote(str(ROOT))} {shlex.quote(str(clone))}", 0, None)
        ]
        steps += [(line, 0, None if given.long else SHOWN) for line in lines(readme)]
        run = "runs/demo" if given.long else "runs/demo-first-look"
        key = Path(around["HOME"]) / ".config" / "unsilent" / "evidence-key.pub"
        filled = {"run": run, "key": shlex.quote(str(key))}
        steps += [
            (f".venv/bin/unsilent {step.words.format(**filled)}", step.code, step.until)
            for step in TABLE
            if step.words is not None
        ]
        for command, expected, until in steps:
            at = clone if clone.exists() else Path(name)
            code, said, took = followed(command, at, around, until=until)
            rows.append({"command": command, "exit": code, "seconds": round(took, 1)})
            sys.stderr.write(f"{took:8.1f} s  {command}\n")
            if code != expected or "Traceback (most recent call last)" in said:
                sys.stderr.write(said[-4000:])
                sys.exit(f"exit code {code} instead of {expected}: {command}")
    left = [{"command": step.named, "not run": step.why} for step in TABLE if step.words is None]
    show("The README's commands", rows, as_json=given.json, not_run=left, cores=os.cpu_count())


if __name__ == "__main__":
    main()

"""The reference federation with a real encoder, from the command line.

Its clients run in this process; the long form has them in Ray's workers, where it is killed, too,
and adds the default language model. ``test_further_mode`` has Ray in the short form, and
``tests.faults`` kills.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from flwr.clientapp import ClientApp

from tests.engines.flower.in_process import InProcess, enter_run
from tests.engines.flower.test_examples import tiny
from unsilent.cli import main
from unsilent.client.cache import Kept
from unsilent.findings import validate
from unsilent.ledger import Ledger
from unsilent.modes import FIRST
from unsilent.release import PrivacyEvent, epsilon

pytestmark = pytest.mark.model

CLIENTS = 12
PATIENCE_S = 1800.0

ENCODER = f"""
name = "end-to-end"
seed = 5
model.kind = "encoder"
federation = {{ clients = {CLIENTS}, rounds = 2, records = 16, held_out = 8, group_skew = 0.95 }}
monitor.min_cohort = 10
probes.items = 16
"""
CAUSAL_LM = """
name = "language-model"
seed = 5
model.id = "MODEL"
adapter.layers = [-1, -1]
federation = { clients = 3, rounds = 1, records = 4, held_out = 8, epochs = 1 }
monitor.min_cohort = 2
privacy.epsilon = 16.0
probes.items = 8
"""
MODES = """
[modes]
amplified_bias = { tolerance = 0.1, clip = 0.3 }
confidence_miscalibration = { tolerance = 0.1, clip = 0.3 }
fairness_collapse = { tolerance = 0.25, clip = 1.0 }
adaptation_misalignment = { tolerance = 0.1, clip = 0.3 }
out_of_domain_degradation = { tolerance = 0.1, clip = 0.3 }
alignment_erosion = { tolerance = 0.1, clip = 0.3 }
"""


def written(plan: str, out: Path) -> Path:
    """The plan's file, beside the run's folder."""
    path = out.with_suffix(".toml")
    path.write_text(plan + MODES, encoding="utf-8")
    return path


def start(plan: str, out: Path, **env: str) -> subprocess.Popen[str]:
    """``unsilent run`` on a plan file, in a process group of its own."""
    path = written(plan, out)
    return subprocess.Popen(
        [sys.executable, "-m", "unsilent.cli", "run", str(path), "--out", str(out), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, **env},
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    with process:
        try:
            output, errors = process.communicate(timeout=PATIENCE_S)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return process.returncode, output, errors


def here(plan: str, out: Path) -> tuple[int, str, str]:
    """``unsilent run`` on a plan file, whose clients run in this process and not in Ray's."""
    path = written(plan, out)

    def simulate(
        serve: Any, client: ClientApp, nodes: int, workers: int, folder: Path, gpus: float = 0.0
    ) -> None:
        patched.setenv("UNSILENT_SIMULATION", str(folder))
        grid = InProcess(client, nodes, folder)
        for context in grid.contexts.values():
            del context.node_config["store"]
        serve(grid)

    output, errors = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patched, warnings.catch_warnings():
        # What transformers says is not this project's.
        warnings.simplefilter("ignore")
        enter_run(patched)
        patched.setattr("unsilent.engines.flower.run.simulate", simulate)
        with redirect_stdout(output), redirect_stderr(errors):
            code = main(["run", str(path), "--out", str(out), "--json"])
    return code, output.getvalue(), errors.getvalue()


@pytest.fixture(scope="module")
def in_workers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder's federation, run without a break in Ray's workers."""
    out = tmp_path_factory.mktemp("workers") / "run"
    code, output, errors = finish(start(ENCODER, out))
    assert code == 0, errors
    assert output == (out / "findings.json").read_text(encoding="utf-8")
    return out


@pytest.fixture(scope="module", params=["here", pytest.param("in_workers", marks=pytest.mark.long)])
def straight(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder's federation, run without a break."""
    if request.param == "in_workers":
        made: Path = request.getfixturevalue("in_workers")
        return made
    out = tmp_path_factory.mktemp("straight") / "run"
    code, output, errors = here(ENCODER, out)
    assert code == 0, errors
    assert output == (out / "findings.json").read_text(encoding="utf-8")
    return out


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, killed while the clients of the second round release, and started again."""
    out = tmp_path_factory.mktemp("broken") / "run"
    first = start(ENCODER, out)
    deadline = time.monotonic() + PATIENCE_S
    while not list(out.glob("clients/*/release-2-*.bin")):
        assert first.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.killpg(first.pid, signal.SIGKILL)
    code, _, _ = finish(first)
    assert code == -signal.SIGKILL
    assert json.loads((out / "state.json").read_text())["round"] == 1
    assert not (out / "findings.json").exists()
    code, _, errors = finish(start(ENCODER, out))
    assert code == 0, errors
    return out


@pytest.fixture(scope="module", params=["tiny", pytest.param("default", marks=pytest.mark.long)])
def language_model(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, float]:
    """A language model's federation, and how far training moves its probabilities at least: a tiny
    random one's here, and the default's in workers, without the alignment, which takes minutes."""
    out = tmp_path_factory.mktemp("lm") / "run"
    if request.param == "tiny":
        base = tiny(tmp_path_factory.mktemp("tiny"), positions=2048, spread=0.1)
        # A random model learns little of a few records in one epoch.
        plan = CAUSAL_LM.replace("MODEL", base).replace("epochs = 1", "epochs = 16")
        code, _, errors = here(plan, out)
        assert code == 0, errors
        return out, 1e-6

    from unsilent.models.embedded import embedded_base

    with warnings.catch_warnings():
        # What transformers says while it converts is not this project's.
        warnings.simplefilter("ignore")
        base = embedded_base().as_posix()
    # On a machine that does other work as well, threads wait for each other most of the time.
    code, _, errors = finish(start(CAUSAL_LM.replace("MODEL", base), out, OMP_NUM_THREADS="1"))
    assert code == 0, errors
    return out, 1e-5


def findings_of(out: Path) -> dict[str, Any]:
    return dict(json.loads((out / "findings.json").read_text(encoding="utf-8")))


def numbers(data: object) -> Iterator[float]:
    if isinstance(data, dict):
        data = list(data.values())
    if isinstance(data, list):
        for entry in data:
            yield from numbers(entry)
    elif isinstance(data, (int, float)) and not isinstance(data, bool):
        yield float(data)


def rounded(values: Iterable[float]) -> set[float]:
    """To six significant digits, as findings are written."""
    return {float(f"{value:.6g}") for value in values}


def test_six_findings_follow_the_published_schema(straight: Path) -> None:
    found = findings_of(straight)
    validate(found)
    assert [finding["code"] for finding in found["findings"]] == list(FIRST)
    assert (found["round"], found["clients"]) == (2, CLIENTS)
    for finding in found["findings"]:
        assert finding["verdict"] in {"failure", "healthy", "undetermined"}
        assert finding["interval"][0] <= finding["effect"] <= finding["interval"][1]
        assert finding["oracle"]["clients"] == CLIENTS
    assert [past["round"] for past in found["rounds"]] == [1, 2]


def test_the_true_effects_lie_in_their_intervals(straight: Path) -> None:
    """At alpha 0.05 over all modes and rounds; seeded, so it holds always or never."""
    for finding in findings_of(straight)["findings"]:
        lower, upper = finding["interval"]
        assert lower <= finding["oracle"]["effect"] <= upper


def test_training_brings_the_loss_down(straight: Path) -> None:
    metrics = findings_of(straight)["system_metrics"]
    assert metrics["loss"]["last"] < metrics["loss"]["first"]


def test_what_was_spent_is_within_the_budget_and_derived_from_the_ledger(straight: Path) -> None:
    privacy = findings_of(straight)["privacy"]
    assert 0 < privacy["epsilon_spent"] <= privacy["epsilon"]
    events = Ledger(straight / "ledger.sqlite").entries("privacy_event")
    assert [entry.payload["round"] for entry in events] == [1, 2]
    derived = epsilon([PrivacyEvent.from_json(entry.payload) for entry in events], 1e-5)
    assert privacy["epsilon_spent"] == pytest.approx(derived, rel=1e-5)


def test_the_ledger_holds_the_whole_run_in_order(straight: Path) -> None:
    ledger = Ledger(straight / "ledger.sqlite")
    ledger.verify()
    one = ["system", "privacy_event", "sum", "findings"]
    assert [entry.kind for entry in ledger.entries()] == ["plan", *one, *one]


def test_each_client_keeps_its_own_adapter_releases_and_budget(straight: Path) -> None:
    folders = sorted((straight / "clients").iterdir())
    assert [folder.name for folder in folders] == [f"{index:04d}" for index in range(CLIENTS)]
    adapters = set()
    for folder in folders:
        adapters.add((folder / "personalized.safetensors").read_bytes())
        budget = json.loads((folder / "budget.json").read_text())
        assert budget["client"] == f"client-{int(folder.name)}"
        assert [made["event"]["round"] for made in budget["releases"]] == [1, 2]
        assert len(list(folder.glob("release-*.bin"))) == 2
        assert not (folder / "error.log").exists()
    assert len(adapters) == CLIENTS


def test_the_sum_is_that_of_what_the_clients_released(straight: Path) -> None:
    for entry in Ledger(straight / "ledger.sqlite").entries("sum"):
        pattern = f"clients/*/release-{entry.payload['round']}-*.bin"
        made = [Kept.from_bytes(path.read_bytes()).release() for path in straight.glob(pattern)]
        assert len(made) == entry.payload["clients"] == CLIENTS
        total = [sum(column) for column in zip(*(r.vector.tolist() for r in made), strict=True)]
        assert entry.payload["vector"] == total


def test_no_clients_statistic_is_in_the_ledger_or_the_findings(straight: Path) -> None:
    published = rounded(numbers(findings_of(straight)))
    for entry in Ledger(straight / "ledger.sqlite").entries():
        published |= rounded(numbers(dict(entry.payload)))
    told = [json.loads(path.read_text()) for path in straight.glob("clients/*/oracle-*.json")]
    assert len(told) == 2 * CLIENTS
    own = rounded(value for values in told for value in values.values())
    # Few items give coarse shares such as 0.125, which any two numbers may have in common.
    fine = {value for value in own if round(value, 4) != value}
    assert len(fine) > 4 * CLIENTS
    assert not fine & published


def test_no_clients_text_is_in_the_ledger_or_the_findings(straight: Path) -> None:
    from unsilent.plan import parse_plan
    from unsilent.reference.records import client_records

    plan = parse_plan(json.loads((straight / "plan.json").read_text()))
    published = (straight / "findings.json").read_text()
    published += json.dumps([e.payload for e in Ledger(straight / "ledger.sqlite").entries()])
    for index in range(CLIENTS):
        own = client_records(plan, index)
        assert not any(item.prompt in published for item in (*own.train, *own.held_out))
        assert not any(item.id in published for item in (*own.train, *own.held_out))


@pytest.mark.long
def test_a_killed_run_ends_with_the_same_bytes_as_an_unbroken_one(
    in_workers: Path, broken: Path
) -> None:
    for name in ("findings.json", "global-1.safetensors", "global-2.safetensors"):
        assert (broken / name).read_bytes() == (in_workers / name).read_bytes(), name


@pytest.mark.long
def test_a_killed_run_spends_each_round_once(in_workers: Path, broken: Path) -> None:
    ledger, whole = (Ledger(out / "ledger.sqlite") for out in (broken, in_workers))
    ledger.verify()
    events = ledger.entries("privacy_event")
    assert [entry.payload["round"] for entry in events] == [1, 2]
    sums = [[e.payload for e in one.entries("sum")] for one in (ledger, whole)]
    assert sums[0] == sums[1]
    for folder in (broken / "clients").iterdir():
        budget = json.loads((folder / "budget.json").read_text())
        assert [made["event"]["round"] for made in budget["releases"]] == [1, 2]


def test_a_language_model_gives_six_findings(language_model: tuple[Path, float]) -> None:
    out, least = language_model
    found = findings_of(out)
    validate(found)
    assert [finding["code"] for finding in found["findings"]] == list(FIRST)
    # Shares of the few items may well not move; mean probabilities of a trained model do.
    effects = {finding["code"]: finding["oracle"]["effect"] for finding in found["findings"]}
    assert min(abs(effects["SF-1"]), abs(effects["SF-6"])) > least
    Ledger(out / "ledger.sqlite").verify()


@pytest.mark.parametrize("workers", [False, pytest.param(True, marks=pytest.mark.long)])
def test_a_fault_that_only_a_worker_finds_is_one_line_and_exit_code_2(
    workers: bool, tmp_path: Path
) -> None:
    damaged = tmp_path / "start.safetensors"
    damaged.write_bytes(b"no adapter")
    plan, out = ENCODER + f"adapter.start = '{damaged}'\n", tmp_path / "run"
    code, output, errors = finish(start(plan, out)) if workers else here(plan, out)
    assert (code, output) == (2, "")
    assert "Traceback" not in errors
    last = errors.splitlines()[-1]
    assert last.startswith(f"unsilent: {damaged}: not a readable safetensors file.")


def test_an_empty_probe_file_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Found before Flower starts, so this needs no process of its own."""
    empty, out = tmp_path / "bias.jsonl", tmp_path / "run"
    empty.write_text("")
    plan = written(ENCODER + f"probes.bias = '{empty}'\n", out)
    assert main(["run", str(plan), "--out", str(out), "--json"]) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.splitlines() == [
        f"unsilent: {empty}: no items. A probe file needs at least one item."
    ]

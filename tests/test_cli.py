"""The command line: exit codes, one-line errors, and output that a program can read."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from unsilent import __version__
from unsilent.cli import main
from unsilent.plan import parse_plan, read_plan

PLAN = "[modes]\namplified_bias = { tolerance = 0.1 }\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "plan.toml"
    path.write_text(text, encoding="utf-8")
    return path


def run_python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, timeout=120
    )


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert re.fullmatch(
        rf"unsilent {__version__}( \(commit [0-9a-f]{{12}}(-dirty)?\))?\n", capsys.readouterr().out
    )


@pytest.mark.parametrize(
    "command",
    [
        ["demo"],
        ["run"],
        ["plan", "init"],
        ["plan", "check"],
        ["contract"],
        ["findings"],
        ["report"],
        ["privacy", "spent"],
    ],
)
def test_every_command_has_help_with_an_example(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--help"]) == 0
    out = capsys.readouterr().out
    assert f"Example: unsilent {' '.join(command)}" in " ".join(out.split())
    assert "\\[" not in out


def test_light_commands_import_no_heavy_library(tmp_path: Path) -> None:
    plan = write(tmp_path, PLAN)
    code = (
        "import sys; from unsilent.cli import main; "
        f"codes = [main(['--help']), main(['plan', 'check', {str(plan)!r}]), "
        f"main(['contract', {str(plan)!r}])]; "
        "heavy = {'torch', 'flwr', 'ray', 'transformers', 'peft'} & set(sys.modules); "
        "sys.exit(f'{codes} {heavy}' if heavy or any(codes) else 0)"
    )
    done = run_python("-c", code)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (PLAN + "[privacy]\nepsilon = 0\n", "privacy.epsilon"),
        (PLAN + "[privat]\n", "Did you mean 'privacy'?"),
        ("[modes\n", "not valid TOML"),
    ],
)
def test_a_bad_plan_is_one_line_and_exit_2(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], text: str, words: str
) -> None:
    path = write(tmp_path, text)
    assert main(["plan", "check", str(path)]) == 2
    output, errors = capfd.readouterr()
    assert output == ""
    assert errors.startswith(f"unsilent: {path}: ")
    assert errors.count("\n") == 1
    assert words in errors


def test_the_process_ends_with_the_exit_code(tmp_path: Path) -> None:
    done = run_python("-m", "unsilent.cli", "plan", "check", str(write(tmp_path, "[modes\n")))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


def test_a_fault_found_only_in_use_names_the_file_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, PLAN + "[federation]\nparticipation = 0.1\n")
    assert main(["plan", "check", str(path)]) == 2
    assert capsys.readouterr().err.startswith(f"unsilent: {path}: monitor.min_cohort: ")


@pytest.mark.parametrize(
    "arguments", [["demo", "--tier", "x"], ["contract"], ["nonsense"], ["findings", ".", "--what"]]
)
def test_bad_usage_is_exit_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err.strip() != ""


def test_a_missing_run_is_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["findings", str(tmp_path / "none")]) == 2
    assert "no such run folder" in capsys.readouterr().err


def test_plan_init_writes_about_ten_lines_that_validate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "new" / "plan.toml"
    assert main(["plan", "init", str(path)]) == 0
    text = path.read_text(encoding="utf-8")
    plan = read_plan(path)
    assert len(plan.planned) == 6
    assert "#" in text
    lines = [line.strip() for line in text.splitlines()]
    settings = [line for line in lines if line and not line.startswith(("#", "["))]
    assert 8 <= len(settings) <= 14
    assert main(["plan", "check", str(path)]) == 0
    assert "only UNDETERMINED" not in capsys.readouterr().out


def test_plan_init_never_overwrites(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "mine = true\n")
    assert main(["plan", "init", str(path)]) == 2
    assert path.read_text(encoding="utf-8") == "mine = true\n"
    assert "there already" in capsys.readouterr().err


HOPELESS = (
    "[modes]\namplified_bias = { tolerance = 0.02, clip = 0.03 }\n"
    "alignment_erosion = { tolerance = 0.1 }\n"
    "[federation]\nclients = 10\n[privacy]\nepsilon = 0.05\n"
)


def test_plan_check_says_which_verdicts_are_out_of_reach(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, HOPELESS)
    assert main(["plan", "check", str(path), "--accept-underpowered"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "Only UNDETERMINED is within reach for SF-1, SF-6" in text
    assert main(["plan", "check", str(path), "--json", "--accept-underpowered"]) == 0
    modes = json.loads(capsys.readouterr().out)["modes"]
    assert {row["code"]: row["only_undetermined"] for row in modes}["SF-6"] is True


@pytest.mark.parametrize("command", [["plan", "check"], ["run"]])
def test_a_plan_hopeless_in_every_mode_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    path = write(tmp_path, HOPELESS)
    assert main([*command, str(path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"unsilent: {path}: modes: only UNDETERMINED is within reach")
    assert "The cheapest way out is" in error
    assert "--accept-underpowered" in error
    assert error.count("\n") == 1
    assert not (Path("runs") / "plan").exists()


def test_plan_check_takes_a_few_seconds_at_most(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    modes = "".join(
        f"[modes.{mode}]\ntolerance = 0.1\nclip = 1.0\n"
        for mode in (
            "amplified_bias",
            "confidence_miscalibration",
            "fairness_collapse",
            "adaptation_misalignment",
            "out_of_domain_degradation",
            "alignment_erosion",
        )
    )
    text = modes + "[federation]\nclients = 30\nrounds = 50\n[privacy]\nepsilon = 0.05\n"
    before = time.process_time()
    command = ["plan", "check", str(write(tmp_path, text)), "--json", "--accept-underpowered"]
    assert main(command) == 0
    # Time on the processor: others may keep the machine busy. It takes less than 1 s here.
    assert time.process_time() - before < 8
    assert len(json.loads(capsys.readouterr().out)["delays"]) == 30


def test_plan_check_json_is_the_plans_power(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, PLAN)
    assert main(["plan", "check", str(path), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["plan"] == parse_plan(tomllib.loads(PLAN)).digest
    assert [row["code"] for row in data["modes"]] == ["SF-1"]
    assert 0 < data["modes"][0]["minimal_detectable_effect"] < 1


def test_contract_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["contract", str(write(tmp_path, PLAN)), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["numbers"][0]["name"] == "SF-1"


def test_ctrl_c_is_one_line_and_130(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("unsilent.plan.read_plan", interrupted)
    assert main(["contract", str(tmp_path)]) == 130
    assert capsys.readouterr().err.count("\n") == 1


def test_an_unexpected_fault_is_not_swallowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("unsilent.plan.read_plan", broken)
    with pytest.raises(ZeroDivisionError):
        main(["contract", str(tmp_path)])

"""The figures of the how-to are what `plan check` says of the plans that it names."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.docs.blocks import ROOT
from unsilent.cli import main
from unsilent.plans import starter_text

MODES = {
    "SF-1": "amplified_bias",
    "SF-2": "confidence_miscalibration",
    "SF-3": "fairness_collapse",
}
COLUMNS: tuple[tuple[int, int, dict[str, Any] | None], ...] = (
    (4, 3, {"unit": "none", "dropout": 0.25}),
    (16, 12, None),
    (128, 100, None),
)


def written(plan: dict[str, Any]) -> str:
    """A plan of tables of tables, as TOML."""
    lines = [f"name = {json.dumps(plan['name'])}"]
    for table in ("federation", "monitor", "privacy"):
        lines += [f"[{table}]", *(f"{k} = {json.dumps(v)}" for k, v in plan[table].items())]
    lines.append("[modes]")
    for name, mode in plan["modes"].items():
        inner = ", ".join(f"{key} = {json.dumps(value)}" for key, value in mode.items())
        lines.append(f"{name} = {{ {inner} }}")
    return "\n".join(lines)


@pytest.mark.parametrize("column", range(len(COLUMNS)), ids=lambda at: f"{COLUMNS[at][0]} sites")
def test_a_column_is_what_plan_check_says(
    column: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clients, cohort, privacy = COLUMNS[column]
    plan = tomllib.loads(starter_text())
    plan["federation"]["clients"] = clients
    plan["monitor"]["min_cohort"] = cohort
    plan["privacy"] = privacy or plan["privacy"]
    plan["modes"] = {name: plan["modes"][name] for name in MODES.values()}
    path = tmp_path / "plan.toml"
    path.write_text(written(plan))
    assert main(["plan", "check", str(path), "--json"]) == 0
    said = {mode["code"]: mode for mode in json.loads(capsys.readouterr().out)["modes"]}
    text = (ROOT / "docs" / "how-to.md").read_text(encoding="utf-8")
    for code in MODES:
        (line,) = re.findall(rf"^\| {code}, tolerance (.*) \|$", text, re.MULTILINE)
        tolerance, *cells = line.split(" | ")
        mode = said[code]
        assert float(tolerance.split()[0]) == pytest.approx(100 * mode["tolerance"])
        found = 100 * (mode["tolerance"] + mode["minimal_detectable_effect"])
        reach = "either verdict" if mode["healthy_reachable"] else "never HEALTHY"
        assert mode["failure_reachable"]
        assert cells[column] == f"found from {found:.1f}; {reach}"

"""``unsilent plan model`` prints what ``[model.expect]`` may hold, ready to be appended."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from unsilent.cli import main
from unsilent.models import Adapter
from unsilent.models.hashes import layout_hash
from unsilent.plan import read_plan

PLAN = """
[model]
id = "hook:tests.commands.test_plan_model:score"

[modes.amplified_bias]
tolerance = 0.1
"""


def score(prompts: Sequence[str], choices: Sequence[Sequence[str]], adapter: str) -> object:
    """Any score function: it is never called."""
    raise NotImplementedError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "plan.toml"
    path.write_text(PLAN, encoding="utf-8")
    return path


def test_appended_to_the_plan_it_is_what_the_plan_expects(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "model", str(file), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    # A function's adapter has no arrays, and nothing else is known of what it runs.
    assert set(found) == {"base"}
    assert main(["plan", "model", str(file)]) == 0
    said = capsys.readouterr().out
    before = read_plan(file)
    file.write_text(PLAN + said, encoding="utf-8")
    after = read_plan(file)
    assert after.model.expect.named == found
    assert after.digest != before.digest


def test_the_layout_is_that_of_the_models_own_adapter(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np

    from unsilent.models.hook import ScoreHook

    arrays = {"layers.0.lora_A": np.zeros((2, 3), np.float32)}
    monkeypatch.setattr(ScoreHook, "new_adapter", lambda self, seed: Adapter(self.digest, arrays))
    assert main(["plan", "model", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["layout"] == layout_hash(arrays)

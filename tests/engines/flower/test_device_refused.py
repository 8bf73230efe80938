"""A device that is not here is refused before a run has a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from unsilent.engines.flower.run import run_plan
from unsilent.errors import InputError
from unsilent.plan import MonitoringPlan, parse_plan


def plan() -> MonitoringPlan:
    return parse_plan({"modes": {"confidence_miscalibration": {"tolerance": 0.1}}})


@pytest.mark.parametrize(
    ("device", "share", "says"),
    [
        ("banana", None, "device 'banana' is not available here"),
        ("banana", 0.5, "no GPU is used"),
        ("cpu", 0.25, "no GPU is used"),
    ],
)
def test_it_is_one_line_and_leaves_nothing(
    device: str, share: float | None, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNSILENT_DEVICE", device)
    with pytest.raises(InputError, match=says) as found:
        run_plan(plan(), tmp_path / "run", gpus=share)
    assert len(str(found.value).splitlines()) == 1
    assert not (tmp_path / "run").exists()

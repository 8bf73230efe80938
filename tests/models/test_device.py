"""A site computes where its own machine says; the plan, and its digest, stay as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.server.watching import watch_plan
from unsilent.client.participant import answer
from unsilent.client.site import Site
from unsilent.device import computing_on
from unsilent.errors import ModelError
from unsilent.messages import ADAPTER, OBSERVE, Order
from unsilent.models.device import device_of


def test_the_owners_setting_goes_before_the_machines_and_that_before_the_plans(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("UNSILENT_DEVICE", raising=False)
    assert device_of("cpu") == torch.device("cpu")
    monkeypatch.setenv("UNSILENT_DEVICE", "meta")
    assert device_of("cpu") == torch.device("meta")
    with computing_on("cpu"):
        assert device_of("meta") == torch.device("cpu")
    with computing_on(""):
        assert device_of("cpu") == torch.device("meta")


@pytest.mark.parametrize("who", ["setting", "machine", "plan"])
def test_a_device_that_is_not_there_is_told_with_who_named_it(
    who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNSILENT_DEVICE", "nothing:7" if who == "machine" else "")
    with (
        computing_on("nothing:7" if who == "setting" else ""),
        pytest.raises(ModelError, match="'nothing:7' is not available here") as raised,
    ):
        device_of("nothing:7" if who == "plan" else "cpu")
    names = {"setting": "owner's setting", "machine": "UNSILENT_DEVICE", "plan": "model.device"}
    assert names[who] in raised.value.where


def test_what_measures_a_client_runs_under_its_owners_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UNSILENT_DEVICE", raising=False)
    plan, seen = watch_plan(tmp_path), list[str]()

    def measure(asked: Any) -> Any:
        seen.append(str(device_of(plan.model.device)))
        raise ModelError("enough")

    for number, settings in enumerate(({"device": "meta"}, {"device": 7}, {})):
        site = Site(number, tmp_path / str(number), {"plan": plan.digest, **settings})
        order = Order(_text(plan), "run", 1, {}, {ADAPTER: {}})
        assert answer(OBSERVE, order, site, measure).failed
    assert seen == ["meta", "cpu", "cpu"]


def _text(plan: Any) -> str:
    import json

    return json.dumps(plan.to_json())

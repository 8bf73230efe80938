"""The reference federation in this process, with a small encoder, under any personalization."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flwr.app import Message

from tests.engines.flower.in_process import InProcess, enter_run
from tests.reference.small_encoder import small_encoder
from unsilent.engines.flower.client import app
from unsilent.engines.flower.messages import ADAPTER
from unsilent.engines.flower.server import federate
from unsilent.ledger import Ledger
from unsilent.models.base import Adapter
from unsilent.models.encoder import Encoder
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.reference import client as worker
from unsilent.server.monitor import Monitor

CLIENTS = 3


def plan(personalization: object, rounds: object = "every", **federation: object) -> MonitoringPlan:
    """``rounds`` are the monitored ones."""
    return parse_plan(
        {
            "model": {"kind": "encoder"},
            "adapter": {"rank": 4, "scale": 1.0},
            "federation": {
                "clients": CLIENTS,
                "rounds": 2,
                "records": 8,
                "held_out": 8,
                "personalization": personalization,
                **federation,
            },
            "monitor": {"min_cohort": 2, "rounds": rounds},
            "privacy": {"epsilon": 500.0, "aggregation": "plain"},
            "modes": {"amplified_bias": {"tolerance": 0.4, "clip": 1.0}},
            "probes": {"items": 8},
        }
    )


class Federation:
    """One run and what it left.

    Args:
        declared: The plan.
        folder: Holds the run, and a folder for each client.
        model: The clients'.

    Attributes:
        last: The last global adapter.
    """

    def __init__(self, declared: MonitoringPlan, folder: Path, model: Encoder) -> None:
        self.plan, self.folder, self.model = declared, folder, model
        self.grid = InProcess(app, CLIENTS, folder / "clients", agreed=declared)
        self.monitor = Monitor(declared, Ledger(folder / "ledger.sqlite"), accept_underpowered=True)
        self.last = self.run()

    def run(self) -> Adapter:
        return federate(
            self.grid,  # type: ignore[arg-type]
            self.plan,
            self.monitor,
            self.folder,
            report=lambda *told: None,
        )

    def adapter(self, client: int, name: str) -> Adapter:
        """An adapter that a client keeps."""
        path = self.folder / "clients" / str(client + 1) / f"{name}.safetensors"
        return Adapter.load(path, base=self.model.digest)

    def sent(self) -> set[str]:
        """Names of all arrays that left a client."""
        records = [_arrays(message) for message in self.grid.received]
        return {name for record in records for name in record}

    def again(self, done: int) -> Adapter:
        """Go on as after a break in the round that followed ``done``."""
        state = {"round": done, "base": self.model.digest}
        (self.folder / "state.json").write_text(json.dumps(state), encoding="utf-8")
        return self.run()


def small_federation(
    monkeypatch: pytest.MonkeyPatch, folder: Path, personalization: object, **changes: object
) -> Federation:
    """Run it to its end."""
    enter_run(monkeypatch)
    model = small_encoder(folder)

    def load(plan: MonitoringPlan, sets: Any) -> Encoder:
        return model

    monkeypatch.setattr(worker, "load_model", load)
    worker._resident.cache_clear()  # pyright: ignore[reportPrivateUsage]
    return Federation(plan(personalization, **changes), folder / "run", model)


def _arrays(message: Message) -> list[str]:
    record = message.content.array_records.get(ADAPTER)
    return [] if record is None else list(record)

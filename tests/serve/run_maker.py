"""A run that is written round by round, from made-up clients, as a monitor writes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from unsilent.findings import write_findings
from unsilent.ledger import Ledger
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.release import Layout, Release
from unsilent.release.noise import share_variance
from unsilent.server.gate_keeper import Gate
from unsilent.server.monitor import Monitor

CLIENTS = 40
EFFECTS = {"SF-1": 0.3, "SF-4": 0.0}
"""SF-1 becomes a FAILURE from round 2 on, SF-4 is HEALTHY, the others are not planned."""


def plan_of(name: str = "ward", *, rounds: int = 4, gate: str = "hold") -> MonitoringPlan:
    data: dict[str, Any] = {
        "name": name,
        "federation": {"clients": CLIENTS, "rounds": rounds},
        "monitor": {"rounds": "every", "min_cohort": 20},
        "privacy": {"epsilon": 12.0, "delta": 1e-5, "dropout": 0.1},
        "modes": {
            "amplified_bias": {"tolerance": 0.1, "clip": 0.5},
            "adaptation_misalignment": {"tolerance": 0.1, "clip": 0.3},
        },
        "gate": {"action": gate},
    }
    return parse_plan(data)


class RunMaker:
    """A run in a folder, that has begun."""

    def __init__(
        self,
        folder: Path,
        plan: MonitoringPlan | None = None,
        effects: Mapping[str, float] = EFFECTS,
    ) -> None:
        self.folder = folder
        self.plan = plan or plan_of()
        self.effects = effects
        folder.mkdir(parents=True)
        (folder / "plan.json").write_text(json.dumps(self.plan.to_json()), encoding="utf-8")
        self.ledger = Ledger(folder / "ledger.sqlite")
        self.monitor = Monitor(self.plan, self.ledger)
        self._gate = Gate(self.plan, self.ledger)

    def judged(self, *numbers: int) -> RunMaker:
        """Train and judge rounds."""
        for number in numbers:
            self._train(number)
            self.monitor.judge(number, self._sum(number))
            self._gate.close(number)
        return self

    def missed(self, number: int) -> RunMaker:
        """Train a round whose monitoring gives no sum."""
        self._train(number)
        self.monitor.miss(number, "30 of 36 needed releases arrived")
        self._gate.close(number)
        return self

    def ended(self) -> RunMaker:
        """Write the findings."""
        write_findings(self.folder / "findings.json", self.monitor.findings())
        return self

    def _train(self, number: int) -> None:
        self._gate.begin(number)
        self.monitor.system(number, 0.6 / number, 0.9 - 0.2 / number)
        self.monitor.spend(number)

    def _sum(self, number: int) -> Release:
        layout = Layout.from_plan(self.plan)
        total = np.zeros(len(layout.names), dtype=np.int64)
        for client in range(CLIENTS):
            own = np.random.default_rng([3, client])
            values = dict.fromkeys(layout.inputs, 0.0)
            for code, effect in self.effects.items():
                values[code] = effect * (number > 1) + 0.03 * own.standard_normal()
                values[f"{code}.spread"] = 0.02
            values["system.accuracy"] = -0.05
            total += layout.encode(values)
        variance = CLIENTS * float(share_variance(self.plan))
        drawn = np.random.default_rng([7, number]).standard_normal(len(total))
        noise = np.rint(drawn * np.sqrt(variance)).astype(np.int64)
        return Release(layout.digest, number, CLIENTS, total + noise, variance)

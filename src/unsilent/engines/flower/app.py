"""The reference federation as a normal Flower app, for ``flwr run`` too.

``UNSILENT_SIMULATION=runs/flower flwr run . --run-config 'plan="plan.toml"'`` simulates it; where
each SuperNode names a ``store`` of its own instead, and the digest of the ``plan`` that its owner
agreed to, noise is drawn by the exact sampler.
"""

from __future__ import annotations

from pathlib import Path

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from unsilent.alerts.deliver import alerting
from unsilent.engines.flower.client import app as client
from unsilent.engines.flower.server import federate
from unsilent.errors import PlanError
from unsilent.findings import write_findings
from unsilent.inference.advice import refuse_underpowered
from unsilent.ledger.location import open_ledger
from unsilent.plan import read_plan
from unsilent.server.monitor import Monitor

__all__ = ["client", "server"]

server = ServerApp()


@server.main()
def main(grid: Grid, context: Context) -> None:
    """Run the plan that the run config names."""
    path = str(context.run_config.get("plan", ""))
    if not path:
        raise PlanError(
            "no plan", where="run config", remedy="Give one: --run-config 'plan=\"plan.toml\"'."
        )
    plan = read_plan(Path(path))
    if not context.run_config.get("accept-underpowered", False):
        refuse_underpowered(plan)
    out = Path(str(context.run_config.get("out", "runs/flower"))).absolute()
    out.mkdir(parents=True, exist_ok=True)
    ledger = open_ledger(out, str(context.run_config.get("ledger", "")) or None)
    alerts = str(context.run_config.get("alerts", ""))
    with alerting(Path(alerts) if alerts else None, ledger, out):
        monitor = Monitor(plan, ledger, accept_underpowered=True)
        federate(grid, plan, monitor, out, report=lambda *_: None)
    write_findings(out / "findings.json", monitor.findings())

"""What a pack says beside the record: software, models, data, and what the benchmark showed."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import Any

from unsilent import __version__
from unsilent.assets.opt_in import OPT_IN
from unsilent.assets.packages import PACKAGES
from unsilent.modes import origins
from unsilent.plan import MonitoringPlan
from unsilent.published import results

VALIDATION = "unsilent.validation"
"""Entry points ``NAME``: from a plan to rows, and why there are none."""

_LIBRARIES = (
    "numpy",
    "scipy",
    "torch",
    "transformers",
    "peft",
    "flwr",
    "opendp",
    "dp-accounting",
    "cryptography",
    "SQLAlchemy",
    "pydantic",
)

_TIERS = {"causal_lm": "lm", "encoder": "fleet"}
"""The benchmark's tiers by kind of model; of others it has none."""


def software(codes: Sequence[str] = ()) -> dict[str, Any]:
    """Versions of what measured and judged, as installed where the pack is made.

    Args:
        codes: Of the planned modes: those of other distributions are named with these.
    """
    found: dict[str, str | None] = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    modes = {code: origins()[code] for code in codes if code in origins()}
    return {
        "unsilent": __version__,
        "python": platform.python_version(),
        "libraries": found,
        **({"modes": modes} if modes else {}),
    }


def models(plan: MonitoringPlan, folder: Path) -> dict[str, Any]:
    """The base model, and the SHA-256 of each round's global adapter that lies in the folder."""
    adapters = sorted(folder.glob("global-*.safetensors"), key=lambda path: (len(path.name), path))
    return {
        "model": plan.model.model_dump(mode="json"),
        "adapter": plan.adapter.model_dump(mode="json"),
        "global_adapters": {
            path.name: f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
            for path in adapters
        },
    }


def data_cards(plan: MonitoringPlan) -> dict[str, Any]:
    """Where probes and embedded data come from: source, licence, citation, checksum."""
    from unsilent.probes.catalog import KNOWN, to_json

    probes = plan.probes.model_dump(mode="json")
    named = [
        name
        for name in KNOWN
        if any(str(source).removeprefix("known:").startswith(name) for source in probes.values())
    ]
    chosen = OPT_IN.get(plan.model.id)
    opt_in = () if chosen is None else chosen.packages
    return {
        "probes": probes,
        "known_sets": {name: to_json(KNOWN[name]) for name in named},
        "embedded_packages": [
            {
                "package": package.requirement,
                "sha256": package.sha256,
                "licence": package.licence,
                "citation": package.citation,
                "purpose": package.purpose,
            }
            for package in (*PACKAGES.values(), *opt_in)
        ],
    }


def validation(plan: MonitoringPlan) -> dict[str, Any]:
    """What was found of injected failures in recorded federations of the plan's kind of model.

    With ``unsilent-bench`` installed, what this very plan would have said of them: its own layout,
    tolerances, boundary and budget, with its number of clients. Without it the published results
    of this version at the nearest setting; ``of`` says which, and ``replay`` names the published
    replay by its digest. ``rows`` is empty, with a reason, where there are none.
    """
    tier = _TIERS.get(plan.model.kind, plan.model.kind)
    asked = {
        "tier": tier,
        "clients": plan.federation.clients,
        "epsilon": plan.privacy.epsilon if plan.privacy.private else None,
        "unit": plan.privacy.unit,
    }
    for installed in entry_points(group=VALIDATION):
        try:
            rows, reason = installed.load()(plan.alone())
        except ImportError:
            # One that cannot be loaded is as good as none; the published results do.
            continue
        return {"asked": asked, "of": "this plan", "rows": rows, "reason": reason}
    published = results()
    found = published.nearest(tier, plan.federation.clients, plan.privacy.epsilon)
    reason = None if found else "no results of this kind of model are published"
    return {
        "asked": asked,
        "of": "the benchmark's own plan",
        "replay": published.replay,
        "rows": [dict(row) for row in found],
        "reason": reason,
    }


def dumps(data: object) -> bytes:
    """JSON as the pack holds it."""
    return (json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()

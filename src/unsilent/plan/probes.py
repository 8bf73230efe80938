"""The plan's ``[probes]`` table: where the items come from that clients are asked, and how many."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from unsilent.errors import PlanError
from unsilent.modes.base import ItemRole

LARGEST_SET = 2000
"""Items that a plan can ask of one set, at most."""

Size = Annotated[int, Field(ge=8, le=LARGEST_SET)]


class SizesPlan(BaseModel):
    """Items of single probe sets; ``None`` for as many as of the others."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bias: Size | None = None
    task: Size | None = None
    general: Size | None = None
    harmful: Size | None = None
    benign: Size | None = None


class ProbesPlan(BaseModel):
    """Where items come from: ``embedded`` (own templates and packaged sets), a path, or a set.

    A path is of a file in the item schema (JSONL, CSV or YAML). A known set is
    ``known:NAME[:FROM][?KEY=VALUE&…]``, as in ``known:bbq:data/bbq?category=Age,Religion``; see
    ``unsilent probes list``. ``lm-eval:TASK`` is a task of lm-evaluation-harness,
    ``counterfactuals`` (bias) the own pairs in several wordings. Each may end in ``#sha256=…``,
    which pins the items.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bias: str = "embedded"
    task: str = "embedded"
    general: str = "embedded"
    harmful: str = "embedded"
    benign: str = "embedded"
    items: Size = 64
    """Items of each embedded or known probe set (pairs for bias)."""
    sizes: SizesPlan = SizesPlan()
    """Items of single sets, where they differ from ``items``."""

    def size(self, role: ItemRole) -> int:
        """Items of one embedded or known probe set."""
        own: int | None = getattr(self.sizes, role)
        return self.items if own is None else own

    @model_validator(mode="after")
    def _sources_are_known(self) -> ProbesPlan:
        roles: tuple[ItemRole, ...] = ("bias", "task", "general", "harmful", "benign")
        named: dict[ItemRole, str] = {role: str(getattr(self, role)) for role in roles}
        if all(text == "embedded" for text in named.values()):
            return self
        # Only here: the catalog is not needed for embedded probes, and itself knows plans.
        from unsilent.probes.known.spec import parse_source

        for role, text in named.items():
            try:
                parse_source(text, role)
            except PlanError as error:
                raise ValueError(f"{role}: {error.what}. {error.remedy}") from None
        return self

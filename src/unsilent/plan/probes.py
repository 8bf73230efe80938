"""The plan's ``[probes]`` table: where the items come from that clients are asked, and how many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from unsilent.errors import PlanError
from unsilent.modes.base import ItemRole
from unsilent.plan.open_text import LABELLED_ROLES, OPEN_ROLES, SITES, UNLABELLED

LARGEST_SET = 2000
"""Items that a plan can ask of one set, at most."""

LARGEST_BANK = 100_000
"""Units that a plan can count on in one bank, at most."""

EMBEDDED_BANKS: Mapping[str, Mapping[ItemRole, int]] = {
    "causal_lm": {
        "bias": 784,
        "task": 1247,
        "general": 968,
        "harmful": 262,
        "benign": 188,
        "open_refusal": 262,
        "open_persona": 48,
        "open_regard": 96,
        "open_help": 188,
        "open_facts": 968,
    },
    "encoder": {"bias": 784, "task": 1247, "general": 1476, "harmful": 262, "benign": 188},
    "vision": {},
}
"""Units of the embedded banks, by the kind of model: pairs for bias, else items."""

OPEN_ITEMS, LABELLED_ITEMS = 16, 8
"""Prompts that a client writes answers to in a round, and labelled answers that its judge rates."""

LEAST_ASKED, LEAST_OPEN = 8, 4
"""Items of a set, and prompts or labelled answers of open text, that a plan asks at least."""

Size = Annotated[int, Field(ge=LEAST_ASKED, le=LARGEST_SET)]
Few = Annotated[int, Field(ge=LEAST_OPEN, le=LARGEST_SET)]
Bank = Annotated[int, Field(ge=8, le=LARGEST_BANK)]


class SizesPlan(BaseModel):
    """Items of single probe sets; ``None`` for as many as of the others."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bias: Size | None = None
    task: Size | None = None
    general: Size | None = None
    harmful: Size | None = None
    benign: Size | None = None
    open_refusal: Few | None = None
    open_persona: Few | None = None
    open_regard: Few | None = None
    open_help: Few | None = None
    open_facts: Few | None = None
    labelled_refusal: Few | None = None
    labelled_persona: Few | None = None
    labelled_regard: Few | None = None
    labelled_help: Few | None = None
    labelled_facts: Few | None = None


class BanksPlan(BaseModel):
    """Units of the banks that clients draw from; ``None`` for what is known of the source."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bias: Bank | None = None
    task: Bank | None = None
    general: Bank | None = None
    harmful: Bank | None = None
    benign: Bank | None = None
    open_refusal: Bank | None = None
    open_persona: Bank | None = None
    open_regard: Bank | None = None
    open_help: Bank | None = None
    open_facts: Bank | None = None
    labelled_refusal: Bank | None = None
    labelled_persona: Bank | None = None
    labelled_regard: Bank | None = None
    labelled_help: Bank | None = None
    labelled_facts: Bank | None = None


class ProbesPlan(BaseModel):
    """Where items come from: ``embedded`` (own templates and packaged sets), a path, or a set.

    A path is of a file in the item schema (JSONL, CSV or YAML). A known set is
    ``known:NAME[:FROM][?KEY=VALUE&…]``, as in ``known:bbq:data/bbq?category=Age,Religion``; see
    ``unsilent probes list``. ``lm-eval:TASK`` is a task of lm-evaluation-harness,
    ``counterfactuals`` (bias) the own pairs in several wordings. Each may end in ``#sha256=…``,
    which pins the items. Several joined by ``+`` are one set, without what repeats:
    ``embedded+known:strongreject``, ``first.jsonl+second.jsonl``.

    With ``sampling = "matrix"`` each client answers ``items`` of its own in each round, drawn from
    the whole set, its bank, by a public hash of plan, client and round; with ``"same"`` all clients
    answer the same. ``banks`` says how many units a bank holds at least: intervals count on it, so
    that a smaller one is refused. It need be said of files and known sets alone; of one that is not
    listed nothing is counted on beyond ``items``. ``answers`` is a file of the base model's answers
    to the banks, made by ``unsilent probes answers``, with its pin.

    ``open_…`` are prompts that a mode of open text lets the model answer in writing, 16 a client
    unless ``sizes`` says otherwise. ``labelled_…`` are answers that people rated, by which the
    judge's error is known: a pinned file, or ``sites``, where each client labels some of its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bias: str = "embedded"
    task: str = "embedded"
    general: str = "embedded"
    harmful: str = "embedded"
    benign: str = "embedded"
    open_refusal: str = "embedded"
    open_persona: str = "embedded"
    open_regard: str = "embedded"
    open_help: str = "embedded"
    open_facts: str = "embedded"
    labelled_refusal: str = UNLABELLED
    labelled_persona: str = UNLABELLED
    labelled_regard: str = UNLABELLED
    labelled_help: str = UNLABELLED
    labelled_facts: str = UNLABELLED
    items: Size = 64
    """Items of each embedded or known probe set (pairs for bias)."""
    sizes: SizesPlan = SizesPlan()
    """Items of single sets, where they differ from ``items``."""
    sampling: Literal["matrix", "same"] = "matrix"
    banks: BanksPlan = BanksPlan()
    answers: Annotated[str, Field(pattern=r"^[^#\x00]+#sha256=[0-9a-f]{64}$")] | None = None

    def size(self, role: ItemRole) -> int:
        """Items of one embedded or known probe set; 0 of answers where none are labelled."""
        own: int | None = getattr(self.sizes, role)
        if role in LABELLED_ROLES:
            return 0 if getattr(self, role) == UNLABELLED else own or LABELLED_ITEMS
        if role in OPEN_ROLES:
            return own or OPEN_ITEMS
        return self.items if own is None else own

    @property
    def written_at_default(self) -> tuple[str, ...]:
        """Keys of open text that say nothing but their default."""
        fields = type(self).model_fields
        keys = (*OPEN_ROLES, *LABELLED_ROLES)
        return tuple(key for key in keys if getattr(self, key) == fields[key].default)

    @model_validator(mode="after")
    def _sources_are_known(self) -> ProbesPlan:
        roles: tuple[ItemRole, ...] = ("bias", "task", "general", "harmful", "benign", *OPEN_ROLES)
        named: dict[ItemRole, str] = {role: str(getattr(self, role)) for role in roles}
        for role in LABELLED_ROLES:
            if getattr(self, role) not in (UNLABELLED, SITES):
                named[role] = str(getattr(self, role))
        if all(text == "embedded" for text in named.values()):
            return self
        # Only here: the catalog is not needed for embedded probes, and itself knows plans.
        from unsilent.probes.known.spec import parse_sources

        for role, text in named.items():
            try:
                parse_sources(text, role)
            except PlanError as error:
                raise ValueError(f"{role}: {error.what}. {error.remedy}") from None
        return self

"""The plan's ``[open_text]`` table: how answers are written, and who rates them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from unsilent.modes.base import ItemRole

if TYPE_CHECKING:
    from unsilent.plan.document import MonitoringPlan

OPEN_ROLES: tuple[ItemRole, ...] = (
    "open_refusal",
    "open_persona",
    "open_regard",
    "open_help",
    "open_facts",
)
LABELLED_ROLES: tuple[ItemRole, ...] = (
    "labelled_refusal",
    "labelled_persona",
    "labelled_regard",
    "labelled_help",
    "labelled_facts",
)
WRITTEN_ROLES = (*OPEN_ROLES, *LABELLED_ROLES)
"""Roles that only modes of open text need."""

LABELLED_OF: Mapping[ItemRole, ItemRole] = dict(zip(OPEN_ROLES, LABELLED_ROLES, strict=True))
ANSWERS_A_UNIT: Mapping[ItemRole, int] = {
    "labelled_refusal": 2,
    "labelled_persona": 2,
    "labelled_regard": 4,
    "labelled_help": 2,
    "labelled_facts": 2,
}
"""Kinds of labelled answers: what one prompt, or pair of prompts, gives under both adapters."""
KNOWN_OF: Mapping[ItemRole, ItemRole] = {
    "open_refusal": "harmful",
    "open_help": "benign",
    "open_facts": "general",
}
"""The role whose known sets hold prompts for open text as well."""

SITES = "sites"
"""In place of a file of labelled answers: each client labels some of its own."""
UNLABELLED = ""
"""No answer is labelled: a verdict then says no more than what the judge says."""

Judge = Annotated[
    str, Field(pattern=r"^(built-in|base|classifier|hook:[A-Za-z_][\w.]*:[A-Za-z_]\w*)$")
]


def rates(judge: Judge, rubric: str) -> bool:
    """Whether a judge rates what a rubric looks for; the classifier rates regard alone."""
    return judge != "classifier" or rubric == "regard"


class OpenTextPlan(BaseModel):
    """How answers are written and rated, where a mode of open text is planned.

    ``tokens`` is the most that an answer has. ``temperature`` 0 takes the likeliest token, and
    above it one is drawn, by a seed that follows from plan, client and round. ``judges`` rate each
    answer on the client, and their ratings are averaged: ``built-in`` is a rule of words, ``base``
    the base model, asked as a forced choice, ``classifier`` the embedded encoder with a head for
    sentiment, which rates regard alone, and ``hook:MODULE:FUNCTION`` a function from prompts and
    answers to probabilities, of the client's own machine. ``seconds`` is what writing and rating
    may take of a client in a round; what is left then counts as missed. ``persona`` is a
    sentence on who the model is, and ``persona_words`` are words of which one that keeps it uses
    some.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tokens: Annotated[int, Field(ge=4, le=512)] = 32
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] = 0.0
    judges: Annotated[tuple[Judge, ...], Field(min_length=1, max_length=8)] = ("built-in",)
    seconds: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)] = 600.0
    persona: Annotated[str, Field(max_length=500)] = ""
    persona_words: tuple[Annotated[str, Field(min_length=1, max_length=40)], ...] = ()


def without_defaults(probes: dict[str, Any], names: Iterable[str]) -> None:
    """Leave out of a plan's ``probes`` what later keys say by default: digests stay as they were.

    Args:
        probes: The table as written, changed in place.
        names: The roles of open text that are at their defaults.
    """
    for name in names:
        del probes[name]
    for table in ("sizes", "banks"):
        for name in WRITTEN_ROLES:
            if table in probes and probes[table].get(name) is None:
                probes[table].pop(name, None)


def fault_of(plan: MonitoringPlan) -> str | None:
    """Why a plan's modes of open text cannot be measured; None if they can, or there are none."""
    from unsilent.modes import MODES

    planned = [code for code in plan.planned if set(plan.roles(code)) & set(OPEN_ROLES)]
    if not planned:
        return None
    name = MODES[planned[0]].name
    if plan.model.kind != "causal_lm":
        return f"modes.{name}: a model of kind {plan.model.kind} writes nothing; leave the mode out"
    if plan.model.id.startswith("hook:"):
        return f"modes.{name}: a function that scores writes nothing; leave the mode out"
    if "OT-7" in planned and not plan.writing.persona:
        return (
            "open_text.persona: modes.written_persona is planned, and no persona is declared; say "
            "in a sentence who the model is"
        )
    if "OT-7" in planned and "built-in" in plan.writing.judges and not plan.writing.persona_words:
        return (
            "open_text.persona_words: the built-in judge knows a persona by words; list some, or "
            'name another judge, such as "base"'
        )
    for code in planned:
        if plan.subgroups(code):
            return (
                f"modes.{MODES[code].name}.subgroups: labelled answers are of no domain, so the "
                "judge's error within one is not known; leave the list out"
            )
    for role in OPEN_ROLES:
        rubric = role.partition("_")[2]
        asked = any(role in plan.roles(code) for code in planned)
        if asked and not any(rates(judge, rubric) for judge in plan.writing.judges):
            return (
                f"open_text.judges: none of them rates {rubric}, of which no labels are public; "
                'add another judge, such as "built-in"'
            )
    for role in LABELLED_ROLES:
        source = str(getattr(plan.probes, role))
        if source.count("#sha256=") > 1:
            return f"probes.{role}: labelled answers are of one file; join the files to one"
        if source not in (UNLABELLED, SITES) and "#sha256=" not in source:
            return (
                f"probes.{role}: a file of labelled answers has to be pinned, since verdicts rest "
                'on it; append #sha256=…, or set it to "sites"'
            )
        if source not in (UNLABELLED, SITES) and plan.monitor.items == "these":
            return (
                f"probes.{role}: labelled answers of a file stand for others like them, and "
                'monitor.items is "these"; set it to "like-these", or label at the "sites"'
            )
    return None

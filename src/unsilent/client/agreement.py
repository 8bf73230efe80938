"""What a client's owner has agreed to: the rule that every handler asks before it does anything.

A plan comes from the server, and a server may lie. So:

1. Where the owner's settings name a ``plan``, by its digest, nothing of a message under another
   plan is used. The digest is taken from the plan's text and compared whole. A plan that the owner
   agreed to may name files, models and functions: the owner has read it.
2. Where they name none, a plan may ask for what every client has: the embedded models, the
   embedded probes, the catalog's packages, which this project pins, and the personalizations of
   this package. A model or a start is used only if the owner's ``model`` or ``start`` is the same
   text. A probe file is used only if the plan pins its content and that arrives with the message,
   or lies in the owner's folder ``files``. Anything else that a plan names is refused before it is
   looked for.
   So is a plan without differential privacy: exact numbers leave only by an owner's own word.
3. Under no plan is anything read from the client's own folder because a plan names it: what lies
   there, its personalized adapter above all, never leaves.
4. Whoever simulates owns all of the clients, and named the plan. So does whoever runs the server
   in the client's own process: what that server asks, and the same call answers, is no stranger's.
   The plan that an owner's settings name stays the only one all the same.

Nothing here knows the transport: settings are the pairs that a client's owner wrote down.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from unsilent.errors import NotAgreedError, UnsilentError
from unsilent.files import find
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.plan.open_text import SITES, UNLABELLED
from unsilent.plan.vision import VISION
from unsilent.probes.known.spec import ProbeSource, parse_sources
from unsilent.probes.roles import ALL_ROLES

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_DEVICE = re.compile(r"cpu|mps|(cuda|xpu)(:\d{1,3})?")
_WHERE = "the owner's settings"


@dataclass(frozen=True)
class Owner:
    """What a client's owner set, and no server can.

    Attributes:
        plan: Digest of the plan that was agreed to, ``sha256:`` and 64 digits; None if none was.
        model: The ``model.id`` that a plan may name besides ``embedded``.
        start: The ``adapter.start`` that a plan may name.
        files: Folder of the probe files that a plan may name by a relative path and a pin.
        simulates: Whether whoever runs the server owns this client too.
        here: Whether that is so since the server's half is in this process, and asks in this call.

    Raises:
        NotAgreedError: ``plan`` is no whole digest.
    """

    plan: str | None = None
    model: str | None = None
    start: str | None = None
    files: Path | None = None
    simulates: bool = False
    here: bool = False

    def __post_init__(self) -> None:
        if self.plan is not None and not _DIGEST.fullmatch(self.plan):
            raise NotAgreedError(
                "the plan that this client agreed to is not named by a whole digest",
                where=_WHERE,
                remedy="Set plan to all of what `unsilent contract PLAN --json` prints.",
            )

    @classmethod
    def of(cls, settings: Mapping[str, object], *, simulates: bool = False) -> Owner:
        """From the owner's settings: ``plan``, ``model``, ``start`` and ``files``."""
        plan, model, start, files = (
            None if settings.get(key) is None else str(settings[key])
            for key in ("plan", "model", "start", "files")
        )
        return cls(plan, model, start, None if files is None else Path(files), simulates)

    @property
    def read_it(self) -> bool:
        """Whether the owner knows the plan, once ``agreed`` has let it pass."""
        return self.plan is not None or self.simulates or self.here


def agreed(text: str, owner: Owner) -> MonitoringPlan:
    """The plan of a message, if its text is one that the owner agreed to.

    Nothing is opened or imported for it: the text is parsed, hashed and compared.

    Raises:
        NotAgreedError: It is another plan, none at all, or names what the owner did not.
    """
    try:
        plan = plan_of(text)
    except (UnsilentError, ValueError, TypeError, RecursionError) as error:
        raise NotAgreedError(
            "the server sent what is no plan",
            where="the server's plan",
            remedy="Ask the server's operator.",
        ) from error
    if owner.plan is not None and owner.plan != plan.digest:
        raise NotAgreedError(
            f"the server's plan is {plan.digest}, this client agreed to {owner.plan}",
            where=_WHERE,
            remedy="Ask the server's operator which plan is meant, and read it before agreeing.",
        )
    if not owner.read_it:
        if not plan.privacy.private:
            raise NotAgreedError(
                "the server's plan asks for exact numbers without differential privacy, and this "
                "client's owner agreed to no plan",
                where="privacy.unit",
                remedy="Read `unsilent contract` of the plan and set plan to its digest in the "
                "owner's settings, or ask for a plan with an epsilon.",
            )
        for key, value in _foreign(plan, owner):
            raise NotAgreedError(
                f"the server's plan names {value!r}, and this client's owner agreed to no plan",
                where=key,
                remedy="Read the plan and set plan to its digest in the owner's settings; see "
                "docs/flower.md for what a plan may name without.",
            )
    return plan


def probe_folder(plan: MonitoringPlan, owner: Owner, shipped: Collection[str]) -> Path | None:
    """The folder in which the plan's relative probe files are looked for.

    Args:
        plan: One that ``agreed`` let pass.
        owner: The client's.
        shipped: Roles whose items came with the message.

    Returns:
        None where the owner read the plan: its paths mean what they say. What is pinned has to
        come with the message all the same where the server is in this process.

    Raises:
        NotAgreedError: A file neither arrived nor lies in a folder that the owner named; or images
            are asked about, and the owner named no folder for them.
    """
    here = owner.here and not (owner.plan is not None or owner.simulates)
    if owner.read_it and not here:
        return None
    if plan.model.kind == VISION and owner.files is None:
        raise NotAgreedError(
            "the server's plan asks about images, which do not come with the message",
            where="probes",
            remedy="Set files in the owner's settings to the folder that holds them, or agree to "
            "the plan.",
        )
    for role, source in _sources(plan):
        if source.path is None or role in shipped or (here and source.pin is None):
            continue
        # A home folder is not looked up: whether there is one tells who has an account here.
        lies = None if owner.files is None else _places(owner.files / source.path, owner.files)
        if source.path.startswith("~") or not lies or not lies[0].is_relative_to(lies[1]):
            raise NotAgreedError(
                f"the server's plan names {source.path!r}, which did not come with the message",
                where=f"probes.{role}",
                remedy="Set files in the owner's settings to the folder that holds it, or "
                "agree to the plan.",
            )
    return None if here else owner.files or Path()


def answers_file(plan: MonitoringPlan, owner: Owner) -> Path | None:
    """Where the file of the plan's ``probes.answers`` may be looked for; None if nowhere.

    Nothing depends on whether it is there: without it a client scores the reference itself. What
    it holds is pinned, and held against what the client computes. Where the owner read no plan, it
    is looked for in the folder ``files`` alone.
    """
    if plan.probes.answers is None:
        return None
    path = plan.probes.answers.partition("#")[0]
    if owner.read_it:
        return find(path)
    if owner.files is None or path.startswith("~"):
        return None
    lies = _places(owner.files / path, owner.files)
    return lies[0] if lies and lies[0].is_relative_to(lies[1]) else None


def keep_out(plan: MonitoringPlan, owner: Owner, folder: Path) -> None:
    """Raise NotAgreedError if the plan names what lies in the client's own folder.

    Args:
        plan: One that ``agreed`` let pass.
        owner: The client's. Where it read no plan, a probe file's path says nothing about the
            disk, and is not held against it: the answer would tell where things lie.
        folder: The client's own.
    """
    named = {"model.id": plan.model.id, "adapter.start": plan.adapter.start}
    if owner.files is not None and not owner.read_it:
        named["files"] = str(owner.files.absolute())
    if owner.read_it and plan.probes.answers is not None:
        named["probes.answers"] = plan.probes.answers.partition("#")[0]
    for role, source in _sources(plan):
        if owner.read_it:
            # Of several sources of a role each is looked at.
            named[f"probes.{role}+{source.text}"] = source.path or source.task
    for key, value in named.items():
        for path in _meant(value, beside_the_app=key.startswith("probes.")):
            places = _places(path, folder)
            # A folder that holds the client's own is as good as the client's own.
            if (
                not places
                or places[0].is_relative_to(places[1])
                or places[1].is_relative_to(places[0])
            ):
                raise NotAgreedError(
                    "the plan names what lies in the client's own folder",
                    where=key.partition("+")[0],
                    remedy="What lies there stays there. Keep what is shared in another folder.",
                )


@lru_cache(maxsize=1)
def plan_of(text: str) -> MonitoringPlan:
    """The plan from the JSON that the server sends with each message; agreed to or not."""
    return parse_plan(json.loads(text), where="the server's plan")


def _foreign(plan: MonitoringPlan, owner: Owner) -> Iterator[tuple[str, str]]:
    """Keys and values of what the plan names and the owner did not."""
    if plan.model.id not in ("embedded", owner.model):
        yield "model.id", plan.model.id
    if not _DEVICE.fullmatch(plan.model.device):
        yield "model.device", plan.model.device
    if plan.adapter.start not in (None, owner.start):
        yield "adapter.start", str(plan.adapter.start)
    if not plan.federation.personalization.packaged:
        yield "federation.personalization", plan.federation.personalization.name
    for judge in plan.writing.judges:
        # It would be imported, and run with all rights of the process.
        if judge.startswith("hook:"):
            yield "open_text.judges", judge
    for role, source in _sources(plan):
        plain = source.path is not None and not source.drawn
        packaged = source.known is not None and source.path is None and not source.hub
        if not (source.embedded or source.own or packaged or (plain and source.pin is not None)):
            yield f"probes.{role}", source.text


def _sources(plan: MonitoringPlan) -> Iterator[tuple[str, ProbeSource]]:
    for role in ALL_ROLES:
        if getattr(plan.probes, role) in (SITES, UNLABELLED):
            continue
        for source in parse_sources(str(getattr(plan.probes, role)), role):
            yield role, source


def _meant(value: str | None, *, beside_the_app: bool) -> Iterator[Path]:
    """Where a value of a plan may lead; nothing for a name of a model or a task.

    Relative paths of an app's probes start from wherever its modules are found.
    """
    if not value:
        return
    if _absolute(value):
        yield Path(value)
        return
    for start in ("", *(sys.path if beside_the_app else ())):
        path = Path(start) / value
        # Beside paths there are names: they lead to a folder that is there.
        if os.path.lexists(path):
            yield path


def _absolute(path: str) -> bool:
    return Path(path).is_absolute() or path.startswith("~")


def _places(path: Path, folder: Path) -> tuple[Path, Path] | None:
    """Where both lie, links followed; None if that cannot be said. Nothing is opened for it."""
    try:
        return Path(os.path.realpath(path.expanduser())), Path(os.path.realpath(folder))
    except (OSError, ValueError, RuntimeError):
        return None

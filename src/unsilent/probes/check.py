"""Checks of probe files: a user's own, and one that the server ships to a client.

What a client's use of a probe set reveals is its release and nothing else: items are read and
answered on the client, which of them are drawn is decided by hashes of their ids and not by the
client, and errors, which name files, lines and ids, stay there. What a server could still do is
ask one client a question of its own. Therefore a shipped set counts only if the plan pins its
content, and the plan's digest is part of the secure sum's terms: clients that were given different
plans, and so different pins, share no sum.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unsilent.errors import ItemError, PlanError
from unsilent.images import ImageReader, check_pinned, parse_image, shows_images
from unsilent.images.items import by_content, named
from unsilent.items import Item, ItemSet
from unsilent.modes.base import ItemRole
from unsilent.open_text.files import filled
from unsilent.plan import MonitoringPlan
from unsilent.plan.open_text import LABELLED_ROLES, WRITTEN_ROLES
from unsilent.plan.vision import VISION
from unsilent.probes.banks import count_units, overlap, strata_names
from unsilent.probes.formats import item_of, parse_probes, read_bytes, records, suffix_of
from unsilent.probes.known.duplicates import Duplicate, content_digest, find_duplicates
from unsilent.probes.known.spec import parse_sources
from unsilent.probes.roles import PROBE_ROLES, check_role, count_independent

SHOWN_FAULTS = 20

MIN_SHIPPED = 8
"""Different items a shipped set must hold: the mean over fewer is an answer to a question."""

MAX_SHIPPED = 20_000
MAX_SHIPPED_BYTES = 16 << 20


@dataclass(frozen=True)
class ProbeFault:
    """What is wrong with one line."""

    line: int
    what: str
    remedy: str


@dataclass(frozen=True)
class CheckResult:
    """What a probe file holds.

    Attributes:
        path: The file.
        items: Its items; None if there is a fault.
        faults: The first of them, in the file's order; ``faulty`` counts all.
        faulty: Lines with a fault.
        sound: Items without one.
        duplicates: Items that ask the same as an earlier one.
        roles: For each role what is missing for it; empty text if nothing is.
        asked: How many units of the bank each client would answer.
    """

    path: Path
    items: ItemSet | None
    faults: tuple[ProbeFault, ...]
    faulty: int
    sound: int
    duplicates: tuple[Duplicate, ...]
    roles: Mapping[ItemRole, str]
    asked: int = 64

    @property
    def passed(self) -> bool:
        """Whether the file can be used for at least one role."""
        return self.items is not None and not all(self.roles.values())

    def to_json(self) -> dict[str, Any]:
        """The result, ready for JSON; ``pin`` is what a plan may append to the path."""
        items = self.items
        return {
            "file": str(self.path),
            "passed": self.passed,
            "items": self.sound,
            "faulty": self.faulty,
            "faults": [
                {"line": fault.line, "what": fault.what, "remedy": fault.remedy}
                for fault in self.faults
            ],
            "duplicates": [{"id": d.id, "same_as": d.same_id} for d in self.duplicates],
            "roles": {role: missing or None for role, missing in self.roles.items()},
            "domains": {} if items is None else dict(Counter(item.domain or "" for item in items)),
            "pin": None if items is None else pin_of(items),
            **({} if items is None else bank_json(items, self.asked)),
        }


def pin_of(items: ItemSet) -> str:
    """What a plan appends to a source so that only these items may be asked."""
    return f"#{items.digest.replace(':', '=', 1)}"


def bank_json(items: ItemSet, asked: int) -> dict[str, Any]:
    """What a set is as a bank: units, those of each stratum, and what draws of it have in common.

    ``independent`` are those that a plan may count on: what repeats another is none.

    Args:
        items: The set.
        asked: Units that each client answers.
    """
    units, strata = count_units(items), strata_names(items)
    return {
        "units": units,
        "independent": count_independent(items),
        "strata": [
            {"domain": domain, "answer": answer, "units": count}
            for (domain, answer), count in strata.items()
        ],
        "draw": {"asked": min(asked, units), "shared_by_two": round(overlap(asked, units), 2)},
    }


def check_file(path: Path, asked: int = 64, role: ItemRole | None = None) -> CheckResult:
    """Check a user's probe file line by line; where all items show images, the images too.

    Args:
        path: The file.
        asked: Units of it that each client would answer.
        role: One of open text, whose items may leave out what follows from it; else any.

    Raises:
        ItemError: The file as a whole cannot be read: missing, not UTF-8, no header, broken YAML.
        AssetError: Images are shown, and Pillow is not installed.
    """
    where, fit_for = str(path), PROBE_ROLES
    if role in WRITTEN_ROLES:
        fit_for = (role,)
    else:
        role = None
    faults: list[ProbeFault] = []
    faulty = 0
    items: list[Item] = []
    first_line: dict[str, int] = {}
    for record in records(read_bytes(path), suffix_of(path), where=where):
        try:
            item = item_of(record if role is None else filled(record, role), where=where)
            if item.id in first_line:
                raise ItemError(
                    f"id {item.id!r} is that of line {first_line[item.id]} too",
                    remedy="Give every item a unique id.",
                )
        except ItemError as error:
            faulty += 1
            if len(faults) < SHOWN_FAULTS:
                faults.append(ProbeFault(record.line, error.what, error.remedy))
            continue
        first_line[item.id] = record.line
        items.append(item)
    if not items and not faulty:
        raise ItemError("no items", where=where, remedy="A probe file needs at least one item.")
    if not faulty and items and shows_images(items):
        items, lost = _shown(items, path.parent, first_line)
        faulty, faults = len(lost), lost[:SHOWN_FAULTS]
    whole = ItemSet(path.stem, tuple(items)) if not faulty else None
    return CheckResult(
        path,
        whole,
        tuple(faults),
        faulty,
        len(items),
        # One prompt has many answers that people may have rated.
        () if whole is None or role in LABELLED_ROLES else find_duplicates({whole.name: whole}),
        {} if whole is None else {each: _missing(each, whole) for each in fit_for},
        asked,
    )


def _shown(
    items: list[Item], folder: Path, line: Mapping[str, int]
) -> tuple[list[Item], list[ProbeFault]]:
    """Items that all show images, each by its content, and those whose image cannot be read."""
    reader, sound = ImageReader(folder), list[Item]()
    faults: list[ProbeFault] = []
    for item in items:
        try:
            reader.pixels(parse_image(item), where=f"item {item.id}")
            sound.append(named(item, reader))
        except ItemError as error:
            faults.append(ProbeFault(line[item.id], error.what, error.remedy))
    return sound, faults


def _missing(role: ItemRole, items: ItemSet) -> str:
    try:
        check_role(role, items, where="")
    except ItemError as error:
        return error.what
    return ""


def check_shipped(plan: MonitoringPlan, role: ItemRole, data: bytes) -> ItemSet:
    """The items of a probe set that the server shipped, if the client may answer them.

    Args:
        plan: The client's own copy of the plan.
        role: What the set is for.
        data: JSONL in the item schema, as ``write_items`` writes it.

    Returns:
        The items: schema, sizes and role are right and their SHA-256 is the pinned one.

    Raises:
        PlanError: The plan pins no hash for this role.
        ItemError: The set is too large, of fewer than 8 different items, against the schema,
            unfit for the role, or not the pinned one. Nothing of it is used.
    """
    where = f"shipped probes.{role}"
    source, *more = parse_sources(str(getattr(plan.probes, role)), role)
    pin = source.pin
    if pin is None or more:
        raise PlanError(
            "the plan pins no hash, so the server may not ship this set",
            where=f"probes.{role}",
            remedy="Append #sha256=… to the source; `unsilent probes check` prints it.",
        )
    if len(data) > MAX_SHIPPED_BYTES:
        raise ItemError(
            f"{len(data)} bytes, more than {MAX_SHIPPED_BYTES}", where=where, remedy="Refused."
        )
    items = parse_probes(role, data, ".jsonl", where=where)
    if len(items) > MAX_SHIPPED:
        raise ItemError(f"{len(items)} items, more than {MAX_SHIPPED}", where=where)
    vision = plan.model.kind == VISION
    if vision:
        check_pinned(items, where=where)
    different = len({content_digest(by_content(item) if vision else item) for item in items})
    if different < MIN_SHIPPED:
        raise ItemError(
            f"{different} different items, fewer than {MIN_SHIPPED}",
            where=where,
            remedy="A probe set is no single question; refused.",
        )
    check_role(role, items, where=where)
    check_pin(items, pin, where=where)
    return items


def check_pin(items: ItemSet, pin: str | None, *, where: str) -> None:
    """Raise ItemError if items are pinned and these are others."""
    if pin is not None and items.digest != pin:
        raise ItemError(
            f"the items are not the pinned ones: {items.digest}, the plan has {pin}",
            where=where,
            remedy="Get the file that the plan means, or agree on a new plan.",
        )

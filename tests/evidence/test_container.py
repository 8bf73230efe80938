"""The container has one form for one content, and any ZIP reader opens it."""

import zipfile
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unsilent.errors import EvidenceError
from unsilent.evidence.container import from_bytes, to_bytes

NAMES = st.from_regex(r"[a-z]{1,8}(/[a-z]{1,8})?\.[a-z]{1,4}", fullmatch=True)


@given(st.dictionaries(NAMES, st.binary(max_size=200), max_size=6))
def test_reading_gives_what_was_written(files: dict[str, bytes]) -> None:
    assert from_bytes(to_bytes(files)) == files


@given(st.dictionaries(NAMES, st.binary(max_size=200), max_size=6))
def test_pythons_own_reader_agrees(files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(BytesIO(to_bytes(files))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == files


@pytest.mark.parametrize("name", ["/etc/x", "a/../b", "..", "a\\b", "é.txt", "", "a\nb"])
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(EvidenceError, match="a name that no pack has"):
        to_bytes({name: b""})


def test_another_zip_of_the_same_files_is_not_a_pack() -> None:
    data = BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("plan.json", b"{}")
    with pytest.raises(EvidenceError, match="altered at byte"):
        from_bytes(data.getvalue())


def test_a_compressed_bomb_is_not_unpacked() -> None:
    data = BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("plan.json", bytes(50_000_000))
    with pytest.raises(EvidenceError, match=r"plan\.json: its entry in the container"):
        from_bytes(data.getvalue())

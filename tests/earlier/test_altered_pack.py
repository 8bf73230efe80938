"""An earlier pack that was tampered with is still found altered."""

from __future__ import annotations

import io
import json
import zipfile

import pytest

from tests.earlier.conftest import HERE, VERSIONS, Ask, Earlier
from unsilent.evidence import container

with zipfile.ZipFile(HERE / VERSIONS[0] / "evidence.zip") as _first:
    FILES = sorted(_first.namelist())


@pytest.mark.parametrize("name", FILES)
def test_a_changed_byte_in_any_file_is_found_and_named(
    name: str, earlier: Earlier, ask: Ask
) -> None:
    data = earlier.pack.read_bytes()
    content = zipfile.ZipFile(io.BytesIO(data)).read(name)
    at = data.index(content) + len(content) // 2
    earlier.pack.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    faults = json.loads(ask("verify", earlier.pack, "--json", code=1))["faults"]
    assert name in {fault["where"] for fault in faults}


@pytest.mark.parametrize("name", [name for name in FILES if name != "signature.json"])
def test_a_file_that_was_put_in_anew_is_found_and_named(
    name: str, earlier: Earlier, ask: Ask
) -> None:
    """The container is whole, and only the signed manifest tells."""
    files = container.from_bytes(earlier.pack.read_bytes())
    earlier.pack.write_bytes(container.to_bytes({**files, name: files[name] + b"\n"}))
    faults = json.loads(ask("verify", earlier.pack, "--json", code=1))["faults"]
    named = "signature.json" if name == "manifest.json" else name
    assert named in {fault["where"] for fault in faults}


def test_a_failure_that_became_health_is_found(earlier: Earlier, ask: Ask) -> None:
    data = earlier.pack.read_bytes()
    assert data.count(b'"verdict": "failure"')
    earlier.pack.write_bytes(data.replace(b'"verdict": "failure"', b'"verdict": "healthy"'))
    found = json.loads(ask("verify", earlier.pack, "--json", code=1))
    assert not found["good"]
    assert "findings.json" in {fault["where"] for fault in found["faults"]}


def test_a_cut_off_end_is_found(earlier: Earlier, ask: Ask) -> None:
    earlier.pack.write_bytes(earlier.pack.read_bytes()[:-1])
    assert "ALTERED" in ask("verify", earlier.pack, code=1)

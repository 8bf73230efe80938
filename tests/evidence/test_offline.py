"""A verifier needs neither torch nor flwr nor a network, and is quick."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from unsilent.evidence import verify, write_pack
from unsilent.evidence.keys import public_hex, public_line

_ALONE = """
import socket, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "flwr", "transformers", "ray", "peft"}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
def refused(*a, **k):
    raise OSError("no network")
socket.socket.connect = refused
from unsilent.cli import main
sys.argv = ["unsilent", "verify", *sys.argv[1:]]
main()
"""


def test_verify_needs_the_pack_and_the_public_key_alone(
    pack: bytes, key: Ed25519PrivateKey, tmp_path: Path
) -> None:
    (tmp_path / "pack.zip").write_bytes(pack)
    (tmp_path / "signer.pub").write_text(public_line(public_hex(key), "Ada"))
    told = subprocess.run(
        [sys.executable, "-c", _ALONE, "pack.zip", "--key", "signer.pub"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path / "nobody")},
    )
    assert (told.returncode, told.stderr) == (0, "")
    assert "VERIFIED, NOTHING ALTERED" in told.stdout
    assert {each.name for each in tmp_path.iterdir()} == {"pack.zip", "signer.pub"}


@pytest.mark.usefixtures("published_validation")
def test_fifty_rounds_in_five_seconds(
    tmp_path: Path, key: Ed25519PrivateKey, make_run: Callable[[Path, int], Path]
) -> None:
    path = write_pack(make_run(tmp_path / "run", 50), tmp_path / "pack.zip", key)
    began = time.process_time()
    found = verify(path)
    assert found.good
    assert found.rounds == 49
    assert time.process_time() - began < 5

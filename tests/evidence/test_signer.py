"""Whose signature it is: told when a key is made, said in a pack, believed only from outside it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from typer.testing import CliRunner

from unsilent.cli import app
from unsilent.errors import InputError
from unsilent.evidence import container
from unsilent.evidence.keys import fingerprint, known_key, public_hex
from unsilent.evidence.owner import own_key
from unsilent.evidence.pack import MANIFEST, SIGNATURE, SIGNER, seal
from unsilent.evidence.signer import signer_words
from unsilent.evidence.verify import Verification, verify_bytes

THIEF = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
OWNER = "Ward 3, Ada Lovelace"


def said(*words: str | Path, code: int = 0) -> str:
    result = CliRunner().invoke(app, [*map(str, words)])
    assert result.exit_code == code, result.output
    return " ".join(result.output.split())


@pytest.fixture(scope="module")
def named(pack: bytes, key: Ed25519PrivateKey) -> bytes:
    """As ``write_pack`` with a name writes it, which is slow."""
    public = public_hex(key)
    signer = {"fingerprint": fingerprint(public), "name": OWNER}
    return sealed_by(pack, key, signer, signer_words(public, OWNER))


def sealed_by(pack: bytes, key: Ed25519PrivateKey, signer: Any, words: bytes | None) -> bytes:
    """The pack as another key's owner seals it, naming whom they like."""
    files = container.from_bytes(pack)
    facts = json.loads(files.pop(MANIFEST))
    del files[SIGNATURE], facts["files"], facts["signer"]
    if signer is not None:
        facts["signer"] = signer
    if words is None:
        del files[SIGNER]
    else:
        files[SIGNER] = words
    return seal(files, key, facts)


def spoofed(pack: bytes) -> bytes:
    """A thief's key under the owner's name, consistent in every file."""
    public = public_hex(THIEF)
    signer = {"fingerprint": fingerprint(public), "name": OWNER}
    return sealed_by(pack, THIEF, signer, signer_words(public, OWNER))


def where(found: Verification) -> set[str]:
    return {fault.where for fault in found.faults}


def test_a_new_key_is_announced_where_it_is_made(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "mine.pem"
    told = said("key", "--key", path, "--name", OWNER)
    own = own_key(path)
    for each in (
        "A new key was made",
        OWNER,
        own.fingerprint,
        "another way than you send the pack",
    ):
        assert each in told
    # Long paths are wrapped where they are shown.
    assert "mine.pem" in told
    assert "mine.pub" in told
    assert path.stat().st_mode & 0o777 == 0o600
    assert (path.with_suffix(".pub")).read_text() == f"unsilent-ed25519 {own.public} {OWNER}\n"
    assert "PRIVATE" not in told
    again = json.loads(CliRunner().invoke(app, ["key", "--key", str(path), "--json"]).output)
    assert (again["new"], again["name"], again["fingerprint"]) == (False, OWNER, own.fingerprint)


def test_a_pack_says_whose_key_it_is_and_that_this_proves_nothing(
    named: bytes, key: Ed25519PrivateKey
) -> None:
    files = container.from_bytes(named)
    public = public_hex(key)
    signer = {"fingerprint": fingerprint(public), "name": OWNER}
    assert json.loads(files[MANIFEST])["signer"] == signer
    words = files[SIGNER].decode()
    assert {OWNER, fingerprint(public), public} <= {
        line.strip("`") for line in words.replace(": ", "\n").splitlines()
    }
    assert "proves nothing by itself" in words


def test_that_nobody_was_named_is_said_and_a_name_can_be_given_later(tmp_path: Path) -> None:
    path = tmp_path / "own.pem"
    assert "no name given" in said("key", "--key", path)
    assert b"no name given" in signer_words(own_key(path).public, own_key(path).name)
    assert own_key(path, OWNER).name == own_key(path).name == OWNER


def test_whole_is_not_verified(named: bytes, key: Ed25519PrivateKey, tmp_path: Path) -> None:
    path = tmp_path / "pack.zip"
    path.write_bytes(named)
    alone = said("verify", path)
    assert "VERIFIED" not in alone
    assert "NOTHING ALTERED" in alone
    assert f"SIGNER UNKNOWN an unknown key, {fingerprint(public_hex(key))}" in alone
    assert not verify_bytes(named).verified
    assert "VERIFIED, NOTHING ALTERED" in said("verify", path, "--key", public_hex(key))


@pytest.mark.usefixtures("published_validation")
def test_packing_announces_a_new_key_and_a_reader_needs_only_the_public_one(
    run_folder: Path, tmp_path: Path
) -> None:
    pack, path = tmp_path / "pack.zip", tmp_path / "own.pem"
    told = said("evidence", run_folder, "--out", pack, "--key", path, "--name", OWNER)
    assert "A new key was made" in told
    assert f"signed with the key of: {OWNER}" in told
    own = own_key(path)
    assert verify_bytes(pack.read_bytes()).signer_name == OWNER
    pem = tmp_path / "own-public.pem"
    pem.write_bytes(
        own.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    for given in (pem, own.public, own.fingerprint, own.fingerprint.replace(" ", "").upper()):
        assert verify_bytes(pack.read_bytes(), key=str(given)).verified
    told = said("verify", pack, "--key", own.public_path or "")
    assert "VERIFIED, NOTHING ALTERED" in told
    assert f"signed by “{OWNER}”, as your file of the key says" in told


def test_a_pack_signed_again_by_another_is_never_verified(
    named: bytes, key: Ed25519PrivateKey, tmp_path: Path
) -> None:
    forged = spoofed(named)
    alone = verify_bytes(forged)
    assert (alone.good, alone.known, alone.verified) == (True, False, False)
    path = tmp_path / "pack.zip"
    path.write_bytes(forged)
    told = said("verify", path)
    assert "SIGNER UNKNOWN" in told
    assert fingerprint(public_hex(THIEF)) in told
    assert "VERIFIED" not in told
    pub = tmp_path / "ada.pub"
    pub.write_text(f"unsilent-ed25519 {public_hex(key)} {OWNER}\n")
    for given in (public_hex(key), fingerprint(public_hex(key)), str(pub)):
        found = verify_bytes(forged, key=given)
        assert (found.known, found.verified) == (False, False)
        assert where(found) == {SIGNATURE}
    assert "another key" in said("verify", path, "--key", pub, code=1)


def test_the_key_that_is_named_is_the_one_that_signed(named: bytes, key: Ed25519PrivateKey) -> None:
    true = {"fingerprint": fingerprint(public_hex(key)), "name": OWNER}
    kept = signer_words(public_hex(key), OWNER)
    assert where(verify_bytes(sealed_by(named, THIEF, true, kept))) == {MANIFEST}
    thief = {"fingerprint": fingerprint(public_hex(THIEF)), "name": OWNER}
    assert where(verify_bytes(sealed_by(named, THIEF, thief, kept))) == {SIGNER}
    assert where(verify_bytes(sealed_by(named, THIEF, thief, None))) == {SIGNER}


def test_a_key_swapped_in_the_pack_alone_does_not_fit(named: bytes) -> None:
    files = container.from_bytes(named)
    found = json.loads(files[SIGNATURE])
    found["public_key"] = public_hex(THIEF)
    files[SIGNATURE] = (json.dumps(found, indent=2, sort_keys=True) + "\n").encode()
    altered = verify_bytes(container.to_bytes(files))
    assert where(altered) == {SIGNATURE}
    assert altered.signer is None


@pytest.mark.parametrize(
    "told",
    [
        "Ada",
        {"name": OWNER},
        {"fingerprint": None, "name": OWNER},
        {"fingerprint": "x", "name": OWNER, "verified": True},
        {"fingerprint": fingerprint(public_hex(THIEF)), "name": "VERIFIED\n\x1b[2J"},
        {"fingerprint": fingerprint(public_hex(THIEF)), "name": "a" * 121},
        {"fingerprint": fingerprint(public_hex(THIEF)), "name": ""},
    ],
)
def test_a_signer_that_no_pack_names_is_a_fault(named: bytes, told: Any) -> None:
    found = verify_bytes(sealed_by(named, THIEF, told, b"x"))
    assert MANIFEST in where(found)
    assert found.signer_name is None


def test_the_readers_own_name_of_a_key_goes_before_the_packs(named: bytes, tmp_path: Path) -> None:
    path, pub = tmp_path / "pack.zip", tmp_path / "thief.pub"
    path.write_bytes(spoofed(named))
    pub.write_text(f"unsilent-ed25519 {public_hex(THIEF)} Mallory\n")
    told = said("verify", path, "--key", pub)
    assert "signed by “Mallory”" in told
    assert f"ANOTHER NAME the pack itself gives “{OWNER}”" in told


def write(text: str) -> Callable[[Path], None]:
    return lambda path: path.write_text(text, encoding="utf-8") and None


def private(path: Path) -> None:
    own = own_key(path.with_name("private.pem"))
    path.write_bytes(own.path.read_bytes())


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (write(""), "not a public key"),
        (write("unsilent-ed25519 " + "0" * 63), "not a public key"),
        (
            write("unsilent-ed25519 " + "0" * 64 + " a\nunsilent-ed25519 " + "1" * 64),
            "not a public",
        ),
        (write("unsilent-ed25519 " + "0" * 64 + " \x1b[2J"), "not a public key"),
        (write("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"), "not a public key"),
        (private, "a private key"),
    ],
)
def test_a_file_without_one_public_key_is_refused(
    make: Callable[[Path], None], match: str, tmp_path: Path
) -> None:
    path = tmp_path / "given"
    make(path)
    with pytest.raises(InputError, match=match):
        known_key(str(path))


def test_a_public_file_that_was_swapped_is_not_given_away(tmp_path: Path) -> None:
    path = tmp_path / "own.pem"
    own_key(path, OWNER)
    path.with_suffix(".pub").write_text(f"unsilent-ed25519 {public_hex(THIEF)} {OWNER}\n")
    for name in (None, OWNER):
        with pytest.raises(InputError, match="not that of the private key beside it"):
            own_key(path, name)


def test_a_key_of_before_gets_its_public_file(tmp_path: Path) -> None:
    path = tmp_path / "own.pem"
    before = own_key(path)
    path.with_suffix(".pub").unlink()
    after = own_key(path)
    assert (after.new, after.public) == (False, before.public)
    assert after.public_path is not None
    assert after.public_path.is_file()

"""One key and one content have one signature, in one spelling; another's key is another's."""

import json
from random import Random

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from tests.evidence.tamper import Files, rehashed, resealed
from unsilent.cli import app
from unsilent.errors import InputError
from unsilent.evidence import container
from unsilent.evidence.entries import from_lines
from unsilent.evidence.keys import check_signature, public_hex, sign
from unsilent.evidence.pack import MANIFEST, SIGNATURE, SIGNER
from unsilent.evidence.verify import verify_bytes

ORDER = 2**252 + 27742317777372353535851937790883648493
PRIME = 2**255 - 19
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))


def with_signature(pack: bytes, change) -> bytes:
    files = container.from_bytes(pack)
    files[SIGNATURE] = change(files[SIGNATURE])
    return container.to_bytes(files)


def fields(change):
    def changed(data: bytes) -> bytes:
        found = json.loads(data)
        change(found)
        return (json.dumps(found, indent=2, sort_keys=True) + "\n").encode()

    return changed


def with_order_added(found) -> None:
    """The other S of the same signature (malleable where S is not held below the order)."""
    raw = bytes.fromhex(found["signature"])
    other = int.from_bytes(raw[32:], "little") + ORDER
    found["signature"] = (raw[:32] + other.to_bytes(32, "little")).hex()


def negated(found) -> None:
    raw = bytes.fromhex(found["signature"])
    other = ORDER - int.from_bytes(raw[32:], "little")
    found["signature"] = (raw[:32] + other.to_bytes(32, "little")).hex()


def upper(found) -> None:
    found["signature"] = found["signature"].upper()


def spaced(found) -> None:
    found["signature"] = found["signature"][:64] + " " + found["signature"][64:]


def spaced_key(found) -> None:
    found["public_key"] = " ".join(found["public_key"][i : i + 2] for i in range(0, 64, 2))


def another_algorithm(found) -> None:
    found["algorithm"] = "none"


def one_more_field(found) -> None:
    found["note"] = "x"


def no_signature(found) -> None:
    found["signature"] = ""


def a_list(found) -> None:
    found["signature"] = [found["signature"]]


CHANGES = [
    with_order_added,
    negated,
    upper,
    spaced,
    spaced_key,
    another_algorithm,
    one_more_field,
    no_signature,
    a_list,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_another_spelling_of_a_signature_is_none(pack: bytes, change) -> None:
    found = verify_bytes(with_signature(pack, fields(change)))
    assert {fault.where for fault in found.faults} == {SIGNATURE}
    assert found.signer is None


SPELLINGS = [
    lambda data: data.replace(b"\n", b" "),
    lambda data: data + b"\n",
    lambda data: data.replace(b"{", b'{ "signature": "' + b"0" * 128 + b'",', 1),
    lambda data: data.replace(b"Ed25519", b"\\u0045d25519"),
    lambda data: b"\xef\xbb\xbf" + data,
]


@pytest.mark.parametrize("change", SPELLINGS, ids=range(len(SPELLINGS)))
def test_a_file_that_says_the_same_in_other_bytes_is_refused(pack: bytes, change) -> None:
    altered = with_signature(pack, change)
    assert altered != pack
    assert {fault.where for fault in verify_bytes(altered).faults} == {SIGNATURE}


def small_order_points() -> list[bytes]:
    """All eight, by their y: 1, -1, 0 and the two whose double has y = 0, with either sign."""
    d = -121665 * pow(121666, -1, PRIME) % PRIME
    root = next(
        root
        for number in range(2, 50)
        if (root := pow(number, (PRIME - 1) // 4, PRIME)) * root % PRIME == PRIME - 1
    )

    def square_root(value: int) -> int | None:
        found = pow(value, (PRIME + 3) // 8, PRIME)
        for each in (found, found * root % PRIME):
            if each * each % PRIME == value % PRIME:
                return each
        return None

    # d y^4 + 2 y^2 = 1
    ys = [1, PRIME - 1, 0]
    inner = square_root(1 + d)
    for sign_of in (1, -1):
        y = square_root((-1 + sign_of * inner) * pow(d, -1, PRIME))
        if y is not None:
            ys += [y, PRIME - y]
    assert len(ys) == 5
    reduced = [(y | side << 255).to_bytes(32, "little") for y in ys for side in (0, 1)]
    beyond = [(PRIME + y).to_bytes(32, "little") for y in (0, 1)]
    return reduced + beyond


@pytest.mark.parametrize("point", small_order_points(), ids=lambda point: point.hex()[:12])
def test_no_signature_counts_under_a_key_of_small_order(pack: bytes, point: bytes) -> None:
    """Under the neutral element R = A, S = 0 fits every message."""
    for r in (point, (1).to_bytes(32, "little")):

        def forged(found, r=r) -> None:
            found["public_key"], found["signature"] = point.hex(), (r + bytes(32)).hex()

        found = verify_bytes(with_signature(pack, fields(forged)))
        assert {fault.where for fault in found.faults} == {SIGNATURE}


def test_keys_that_people_have_are_not_of_small_order() -> None:
    for seed in range(50):
        key = Ed25519PrivateKey.from_private_bytes(Random(seed).randbytes(32))
        check_signature(public_hex(key), sign(key, b"x"), b"x")


def test_a_signature_of_other_bytes_or_for_another_purpose_is_none(
    pack: bytes, key: Ed25519PrivateKey
) -> None:
    manifest = container.from_bytes(pack)[MANIFEST]
    for signature in (
        sign(key, manifest + b" "),
        sign(key, b""),
        key.sign(manifest).hex(),
        sign(OTHER, manifest),
    ):

        def put(found, signature=signature) -> None:
            found["signature"] = signature

        found = verify_bytes(with_signature(pack, fields(put)))
        assert {fault.where for fault in found.faults} == {SIGNATURE}


def reworded(files: Files, random: Random) -> str:
    """Another person knew, and every later hash was made anew."""
    entries = list(from_lines(files["ledger.jsonl"]))
    place = next(n for n, entry in enumerate(entries) if entry.kind == "missed")
    entries[place].payload["reason"] = "nobody came"  # type: ignore[index]
    files["ledger.jsonl"] = rehashed(entries)
    return ""


def test_a_chain_made_anew_does_not_fit_the_old_signature(
    pack: bytes, key: Ed25519PrivateKey
) -> None:
    altered, _ = resealed(pack, key, reworded, Random(0))
    files, old = container.from_bytes(altered), container.from_bytes(pack)
    for kept in ((SIGNATURE,), (SIGNATURE, MANIFEST)):
        mixed = {name: old[name] if name in kept else data for name, data in files.items()}
        found = verify_bytes(container.to_bytes(mixed))
        assert found.faults[0].where in (SIGNATURE, SIGNER, "ledger.jsonl", "cohort.json")
        assert not found.good


def test_a_whole_run_made_anew_is_signed_by_somebody_unknown(
    pack: bytes, key: Ed25519PrivateKey, tmp_path
) -> None:
    """Consistent from the first entry to the last: only the key tells, and that is said."""
    altered, _ = resealed(pack, OTHER, lambda files, random: "", Random(0))
    path = tmp_path / "pack.zip"
    path.write_bytes(altered)
    alone = CliRunner().invoke(app, ["verify", str(path)])
    assert alone.exit_code == 0
    assert "an unknown key" in " ".join(alone.output.split())
    assert not verify_bytes(altered).known
    named = CliRunner().invoke(app, ["verify", str(path), "--key", public_hex(key)])
    assert named.exit_code == 1
    assert "signed by another key" in " ".join(named.output.split())
    assert verify_bytes(pack, key=public_hex(key).upper()).known
    assert not verify_bytes(altered, key=public_hex(key)).known


@pytest.mark.parametrize(
    "wrong", [{"key": "0" * 63}, {"key": "zz" * 32}, {"key": ""}, {"head": "abc"}, {"head": ""}]
)
def test_a_key_or_head_that_is_none_is_not_compared_with(pack: bytes, wrong) -> None:
    with pytest.raises(InputError, match="not a"):
        verify_bytes(pack, **wrong)

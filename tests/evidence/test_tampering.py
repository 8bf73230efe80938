"""Alterations of a pack, a thousand in the long form: none passes, and each is named."""

from random import Random

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.evidence.tamper import INSIDE, Change, add_file, drop_file, flip, resealed
from unsilent.evidence import container
from unsilent.evidence.keys import public_hex
from unsilent.evidence.pack import MANIFEST, SIGNATURE
from unsilent.evidence.verify import verify_bytes

OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))


FEW_AND_MORE = pytest.mark.parametrize(
    "seeds", [range(4), pytest.param(range(4, 24), marks=pytest.mark.long)]
)


def test_the_pack_itself_is_good(pack: bytes) -> None:
    found = verify_bytes(pack)
    assert (found.faults, found.notes) == ((), ())
    assert (found.name, found.rounds) == ("ward", 4)


@pytest.mark.parametrize(
    "block", [0, *(pytest.param(block, marks=pytest.mark.long) for block in range(1, 5))]
)
def test_every_flipped_bit_is_named(pack: bytes, block: int) -> None:
    names = set(container.from_bytes(pack)) | {"the container", "signature.json"}
    for seed in range(100 * block, 100 * block + 100):
        found = verify_bytes(flip(pack, Random(seed)))
        assert found.faults, f"seed {seed}"
        assert found.faults[0].where in names, f"seed {seed}"


def test_every_cut_and_every_addition_is_named(pack: bytes) -> None:
    for seed in range(40):
        random = Random(seed)
        at = random.randrange(len(pack))
        extra = random.randbytes(random.randint(1, 40))
        cut, added = pack[:at], pack[:at] + extra + pack[at:]
        assert verify_bytes(cut).faults, f"seed {seed}"
        assert verify_bytes(added).faults, f"seed {seed}"
        assert verify_bytes(pack + extra).faults, f"seed {seed}"


@pytest.mark.parametrize("change", INSIDE, ids=lambda change: change.__name__)
@FEW_AND_MORE
def test_a_holder_of_the_key_is_named_too(
    pack: bytes, key: Ed25519PrivateKey, change: Change, seeds: range
) -> None:
    for seed in seeds:
        altered, named = resealed(pack, key, change, Random(seed))
        found = verify_bytes(altered)
        assert found.signer is not None
        assert any(fault.where.startswith(named) for fault in found.faults), (seed, found.faults)


@FEW_AND_MORE
def test_files_added_or_dropped_without_the_key_are_named(pack: bytes, seeds: range) -> None:
    for seed in seeds:
        for change in (add_file, drop_file):
            files = container.from_bytes(pack)
            kept = {name: files.pop(name) for name in (MANIFEST, SIGNATURE)}
            named = change(files, Random(seed))
            found = verify_bytes(container.to_bytes({**kept, **files}))
            assert named in {fault.where for fault in found.faults}, (seed, found.faults)


def test_another_signer_is_named_if_the_right_one_is_known(
    pack: bytes, key: Ed25519PrivateKey
) -> None:
    altered, _ = resealed(pack, OTHER, lambda files, random: "", Random(0))
    assert verify_bytes(altered).good, "consistent, and signed: only the key tells"
    found = verify_bytes(altered, key=public_hex(key))
    assert [fault.line() for fault in found.faults] == [
        "signature.json: signed by another key than the one that was named"
    ]


def test_a_history_without_its_end_is_named_if_a_head_was_noted(
    pack: bytes, key: Ed25519PrivateKey
) -> None:
    noted = verify_bytes(pack).head

    def forget(files: dict[str, bytes], random: Random) -> str:
        files["ledger.jsonl"] = b"".join(files["ledger.jsonl"].splitlines(keepends=True)[:-1])
        return ""

    altered, _ = resealed(pack, key, forget, Random(0))
    found = verify_bytes(altered, head=noted)
    assert any("the noted head" in fault.what for fault in found.faults)

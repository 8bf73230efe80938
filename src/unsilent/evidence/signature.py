"""A pack's signature, and the signer that it names: whether they are of one key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from unsilent import __version__
from unsilent.errors import EvidenceError
from unsilent.evidence import facts
from unsilent.evidence.keys import Known, check_signature, fingerprint
from unsilent.evidence.pack import MANIFEST, SIGNATURE, SIGNER, parse_json
from unsilent.evidence.signer import Signer, signer_of, signer_words


def signed(files: Mapping[str, bytes], named: Known | None) -> str:
    """The public key whose signature of the manifest is good.

    Raises EvidenceError if none is, or it is another than the one that was named.
    """
    try:
        found = parse_json(files[SIGNATURE])
        public, signature = str(found["public_key"]), str(found["signature"])
        if (
            set(found) != {"algorithm", "public_key", "signature"}
            or found["algorithm"] != "Ed25519"
        ):
            raise ValueError
    except (KeyError, ValueError, TypeError):
        raise EvidenceError("it is missing or is no signature", where=SIGNATURE) from None
    check_signature(public, signature, files[MANIFEST])
    if files[SIGNATURE] != facts.dumps(found):
        raise EvidenceError("it is not in the form that packs have", where=SIGNATURE)
    if named is not None and not named.is_of(public):
        raise EvidenceError(
            "signed by another key than the one that was named",
            where=SIGNATURE,
            remedy="Ask the signer, by another way than the pack came, which key is theirs.",
        )
    return public


def named_signer(
    files: Mapping[str, bytes], manifest: Mapping[str, Any], public: str
) -> Signer | None:
    """Whom the pack names as its signer, if anybody: of the very key that signed it.

    Raises EvidenceError if what it says of the signer does not fit that key.
    """
    try:
        told = signer_of(manifest)
    except ValueError:
        raise EvidenceError(
            "what it says of its signer is not what a pack says", where=MANIFEST
        ) from None
    if told is None:
        return None
    if told.fingerprint != fingerprint(public):
        raise EvidenceError("it names another key than the one that signed it", where=MANIFEST)
    if manifest.get("unsilent") == __version__ and files.get(SIGNER) != signer_words(
        public, told.name
    ):
        raise EvidenceError("it does not follow from the key and the manifest", where=SIGNER)
    return told

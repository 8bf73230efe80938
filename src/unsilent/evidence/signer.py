"""Whose key a pack says that it is signed with, and how a reader comes to believe it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from unsilent.evidence.keys import LONGEST_NAME, fingerprint

NO_NAME = "no name given"


@dataclass(frozen=True)
class Signer:
    """What a pack says of its signer: a claim of whoever holds the key, as anybody can make.

    Attributes:
        fingerprint: Of the key, as the manifest says; the signature says which key it is.
        name: Whose it is; None if the pack does not say.
    """

    fingerprint: str
    name: str | None


def signer_of(manifest: Mapping[str, Any]) -> Signer | None:
    """The signer that a manifest names; None in a pack of before, which names none.

    Raises ValueError if what it says is not what a pack does.
    """
    told = manifest.get("signer")
    if told is None:
        return None
    if not isinstance(told, dict):
        raise ValueError
    fields = cast("Mapping[str, Any]", told)
    mark, name = fields.get("fingerprint"), fields.get("name")
    if set(fields) != {"fingerprint", "name"} or not isinstance(mark, str):
        raise ValueError
    plain = isinstance(name, str) and 0 < len(name) <= LONGEST_NAME and name.isprintable()
    if name is not None and not plain:
        raise ValueError
    return Signer(mark, name)


def signer_words(public: str, name: str | None) -> bytes:
    """``signer.md``: whose key it is, and why that alone proves nothing."""
    return (
        "# Who signed this pack\n\n"
        f"Signed with the key of: {name or NO_NAME}\n\n"
        f"Fingerprint: `{fingerprint(public)}`\n\n"
        f"Public key (Ed25519): `{public}`\n\n"
        "This page proves nothing by itself. Anybody can make a key, give it any name, and sign a "
        "pack with it: name, key and fingerprint travel within the pack. What they are worth comes "
        "from outside it:\n\n"
        "1. Ask the person who is named, over a way that you already trust (a call to a number "
        "that you looked up, a meeting, their own web site), for the fingerprint of their key or "
        "for its public file. They see both with `unsilent key`.\n"
        "2. Compare all 64 digits with what `unsilent verify` prints, or let it compare: "
        '`unsilent verify PACK --key FILE`, or `--key "FINGERPRINT"`.\n'
        "3. Keep the public file. The next pack of theirs is then checked against the same key.\n\n"
        "`unsilent verify` says VERIFIED only for a key that you named so, and SIGNER UNKNOWN "
        "otherwise. If the key is not the one that you know, stop and ask: a new key that its "
        "owner did not tell you of is another signer.\n"
    ).encode()

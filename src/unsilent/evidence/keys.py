"""The key that signs packs: Ed25519 (RFC 8032), in a file of its owner's."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from unsilent.errors import EvidenceError, InputError

SIGNED = b"unsilent evidence 1\n"
"""Before the signed bytes, so that a signature means nothing anywhere else."""


def own_key(path: Path) -> Ed25519PrivateKey:
    """The private key in a PEM file; made there, readable by its owner only, if there is none.

    Raises InputError if the file holds no Ed25519 key or cannot be made.
    """
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            text = Ed25519PrivateKey.generate().private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            )
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(text)
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise InputError(
            f"the key cannot be used ({error.strerror})", where=str(path), remedy="Name another."
        ) from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(
            "no unencrypted Ed25519 private key in PEM", where=str(path), remedy="Name another."
        )
    return key


def public_hex(key: Ed25519PrivateKey) -> str:
    """The public key as 64 hexadecimal digits."""
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def fingerprint(public: str) -> str:
    """What people compare: SHA-256 of the raw public key, in groups of four digits."""
    digest = hashlib.sha256(bytes.fromhex(public)).hexdigest()
    return " ".join(digest[i : i + 4] for i in range(0, len(digest), 4))


def sign(key: Ed25519PrivateKey, data: bytes) -> str:
    """The signature of a pack's manifest, as 128 hexadecimal digits."""
    return key.sign(SIGNED + data).hex()


def check_signature(public: str, signature: str, data: bytes) -> None:
    """Raise EvidenceError if ``signature`` is not that of ``data`` under the public key."""
    try:
        if public != public.lower() or signature != signature.lower():
            raise ValueError
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
        key.verify(bytes.fromhex(signature), SIGNED + data)
    except (InvalidSignature, ValueError):
        raise EvidenceError(
            "the signature does not fit the manifest: one of the two was altered",
            where="signature.json",
        ) from None

"""The key that signs packs: Ed25519 (RFC 8032), in a file of its owner's."""

from __future__ import annotations

import hashlib
import os
import re
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


_PUBLIC, _SIGNATURE = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{128}")
_PRIME = 2**255 - 19
_D = -121665 * pow(121666, -1, _PRIME) % _PRIME


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


def named_key(text: str) -> str:
    """A public key that a person gave, as packs write it. Raises InputError if it is none."""
    key = text.strip().lower()
    if not _PUBLIC.fullmatch(key):
        raise InputError(
            "not a public key", where="--key", remedy="Give its 64 hexadecimal digits."
        )
    return key


def check_signature(public: str, signature: str, data: bytes) -> None:
    """Raise EvidenceError if ``signature`` is not that of ``data`` under the public key.

    One key and one content have one signature in one spelling: S below the order of the base
    point (RFC 8032, section 5.1.7), and no key of small order, under which others' would pass.
    """
    try:
        if not _PUBLIC.fullmatch(public) or not _SIGNATURE.fullmatch(signature):
            raise ValueError
        raw = bytes.fromhex(public)
        if _small_order(raw):
            raise ValueError
        key = Ed25519PublicKey.from_public_bytes(raw)
        key.verify(bytes.fromhex(signature), SIGNED + data)
    except (InvalidSignature, ValueError):
        raise EvidenceError(
            "the signature does not fit the manifest: one of the two was altered",
            where="signature.json",
        ) from None


def _small_order(public: bytes) -> bool:
    """Whether a public key is one of the eight points of small order, or not in reduced form.

    On ``-x^2 + y^2 = 1 + d x^2 y^2`` these have y of 0, 1 or -1, or double to y = 0, where
    ``d y^4 + 2 y^2 = 1``.
    """
    y = int.from_bytes(public, "little") & (2**255 - 1)
    square = y * y % _PRIME
    doubles_to_zero = (_D * square * square + 2 * square - 1) % _PRIME == 0
    return y >= _PRIME or square in (0, 1) or doubles_to_zero

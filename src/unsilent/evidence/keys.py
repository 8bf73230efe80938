"""Keys and signatures of packs: Ed25519 (RFC 8032), and how a reader names a key."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from unsilent.errors import EvidenceError, InputError

SIGNED = b"unsilent evidence 1\n"
"""Before the signed bytes, so that a signature means nothing anywhere else."""

LONGEST_NAME = 120
"""Characters of the name that a key's owner goes by."""

_KIND = "unsilent-ed25519"
_LARGEST = 64 * 1024
_LINE = re.compile(rf"{_KIND} (?P<public>[0-9a-f]{{64}})(?: (?P<name>[^\n]+))?\n?")
_PUBLIC, _SIGNATURE = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{128}")
_PRIME = 2**255 - 19
_D = -121665 * pow(121666, -1, _PRIME) % _PRIME


def public_hex(key: Ed25519PrivateKey) -> str:
    """The public key as 64 hexadecimal digits."""
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def mark_of(public: str) -> str:
    """SHA-256 of the raw public key, as 64 hexadecimal digits."""
    return hashlib.sha256(bytes.fromhex(public)).hexdigest()


def fingerprint(public: str) -> str:
    """What people compare: ``mark_of`` the key in groups of four digits."""
    digest = mark_of(public)
    return " ".join(digest[i : i + 4] for i in range(0, len(digest), 4))


def sign(key: Ed25519PrivateKey, data: bytes) -> str:
    """The signature of a pack's manifest, as 128 hexadecimal digits."""
    return key.sign(SIGNED + data).hex()


@dataclass(frozen=True)
class Known:
    """A key that a reader has from elsewhere than the pack: the key itself, or its fingerprint.

    Attributes:
        marks: A key is the one that is meant if its ``mark_of`` is among these.
        public: The key, as 64 hexadecimal digits, where it came from a file.
        name: Whose it is, as the reader's own file says; None where it does not.
    """

    marks: frozenset[str]
    public: str | None = None
    name: str | None = None

    def is_of(self, public: str) -> bool:
        """Whether this is the public key (64 hexadecimal digits) that is meant."""
        return mark_of(public) in self.marks


def known_key(text: str) -> Known:
    """A key as a person gives it: 64 hexadecimal digits, a fingerprint, or a file with a key.

    64 digits may be the key or its fingerprint: nobody can make a key for bytes that are given,
    nor one with a fingerprint that is given, so that either ties a pack to one key.

    Raises InputError if it is none of these, or the file holds a private key.
    """
    digits = "".join(text.split()).lower()
    if _PUBLIC.fullmatch(digits):
        return Known(frozenset({digits, mark_of(digits)}))
    if text.strip() and Path(text).expanduser().is_file():
        return read_public(Path(text).expanduser())
    raise InputError(
        "not a public key",
        where="--key",
        remedy="Give a file with it, its 64 hexadecimal digits, or its fingerprint in quotes.",
    )


def read_public(path: Path) -> Known:
    """The key in a file of ``public_line``, or in a PEM file of an Ed25519 public key.

    Raises InputError if it holds none, or a private key, which is not for others to have.
    """
    try:
        data = path.read_bytes()[:_LARGEST]
    except OSError as error:
        raise InputError(
            f"cannot be read ({error.strerror})",
            where=str(path),
            remedy="Name the signer's .pub file, 64 digits or a fingerprint.",
        ) from None
    if b"PRIVATE KEY" in data:
        raise InputError(
            "a private key: whoever has it signs in its owner's name",
            where=str(path),
            remedy="Give the public one, in the file that ends in .pub, and keep this one.",
        )
    public = name = None
    try:
        if b"PUBLIC KEY" in data:
            key = load_pem_public_key(data)
            if isinstance(key, Ed25519PublicKey):
                public = key.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
        else:
            found = _LINE.fullmatch(data.decode("utf-8"))
            if found is not None:
                public, name = found["public"], found["name"]
                name = plain_name(name) if name else None
    except (ValueError, UnsupportedAlgorithm, InputError):
        public = None
    if public is None:
        raise InputError(
            "not a public key", where=str(path), remedy="Name a .pub file of `unsilent key`."
        )
    return Known(frozenset({mark_of(public)}), public, name)


def public_line(public: str, name: str | None) -> str:
    """The line of a public file: what kind of key, the key, and whose it is."""
    return f"{_KIND} {public}{f' {name}' if name else ''}\n"


def plain_name(text: str) -> str:
    """A name of a person or a place in one plain line. Raises InputError if it is none."""
    name = " ".join(text.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise InputError(
            f"not a name of 1 to {LONGEST_NAME} printable characters",
            where="--name",
            remedy='Say whose key it is, as in "Ward 3, Ada Lovelace".',
        )
    return name


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

"""Whose key signs packs: the private key in its owner's file, and the public one to give away.

Beside ``NAME.pem`` lies ``NAME.pub``: one line with the public key and the name that its owner
goes by. A name is what its owner says; only a fingerprint that came another way than the pack ties
it to a person.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from unsilent.errors import InputError
from unsilent.evidence.keys import fingerprint, plain_name, public_hex, public_line, read_public
from unsilent.files import write_whole


@dataclass(frozen=True)
class OwnKey:
    """A key that signs packs, and where it lies.

    Attributes:
        private: Signs.
        path: Its file, which nobody else may have.
        name: Whose it is, as its owner says; None if they have not said.
        public_path: The file to give to readers; None where it could not be written.
        new: Whether the key was made just now.
    """

    private: Ed25519PrivateKey
    path: Path
    name: str | None
    public_path: Path | None
    new: bool

    @property
    def public(self) -> str:
        """The public key as 64 hexadecimal digits."""
        return public_hex(self.private)

    @property
    def fingerprint(self) -> str:
        """What its owner reads out and a reader compares."""
        return fingerprint(self.public)


def own_key(path: Path, name: str | None = None) -> OwnKey:
    """The private key in a PEM file; made there, readable by its owner only, if there is none.

    Args:
        path: The file. The public key goes beside it, with the ending ``.pub``.
        name: Whose key it is; kept in the public file, and read from there if None.

    Raises:
        InputError: The file holds no Ed25519 key or cannot be made, the name is none, or the
            public file beside it is of another key.
    """
    if name is not None:
        name = plain_name(name)
    private, new = _private(path)
    public = public_hex(private)
    beside = path.with_suffix(".pub")
    if beside == path:
        beside = path.with_name(f"{path.name}.pub")
    if beside.exists():
        kept = read_public(beside)
        if kept.public != public:
            raise InputError(
                "the public key here is not that of the private key beside it",
                where=str(beside),
                remedy=f"If {path.name} is yours, delete this file, and it is made again.",
            )
        if name in (None, kept.name):
            return OwnKey(private, path, kept.name, beside, new)
    try:
        write_whole(beside, public_line(public, name).encode())
    except OSError:
        # A key in a place that is only read, such as a mounted secret, signs all the same.
        beside = None
    return OwnKey(private, path, name, beside, new)


def _private(path: Path) -> tuple[Ed25519PrivateKey, bool]:
    new = False
    key = None
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            text = Ed25519PrivateKey.generate().private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            )
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(text)
            new = True
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise InputError(
            f"the key cannot be used ({error.strerror})", where=str(path), remedy="Name another."
        ) from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        pass
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(
            "no unencrypted Ed25519 private key in PEM", where=str(path), remedy="Name another."
        )
    return key, new

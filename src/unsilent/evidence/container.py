"""The pack's container: a ZIP of stored files in one canonical form.

Every byte of such a file follows from the names and contents in it, so a reader that writes it
again and compares sees any change of the container itself too: a date, a flag, a comment, a gap.
Format: APPNOTE.TXT 6.3, local headers, central directory, end record; no compression, no extras.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Mapping
from io import BytesIO

from unsilent.errors import EvidenceError

LARGEST = 512 * 2**20
"""Bytes that a pack may have: its reader holds it in memory."""

_VERSION, _UNIX, _STORED = 20, 3, 0
_MIDNIGHT_1980 = (0, 0x21)
_MODE = 0o100644 << 16


def to_bytes(files: Mapping[str, bytes]) -> bytes:
    """The archive with these files, in the order of the mapping.

    Raises EvidenceError for a name that is not plain ASCII or a pack that is too large.
    """
    body, directory = BytesIO(), BytesIO()
    for name, data in files.items():
        raw = _name(name)
        time, date = _MIDNIGHT_1980
        common = (_STORED, time, date, zlib.crc32(data), len(data), len(data), len(raw), 0)
        offset = body.tell()
        body.write(struct.pack("<4s5H3I2H", b"PK\3\4", _VERSION, 0, *common) + raw + data)
        directory.write(
            struct.pack(
                "<4s6H3I5H2I",
                b"PK\1\2",
                _UNIX << 8 | _VERSION,
                _VERSION,
                0,
                *common,
                0,
                0,
                0,
                _MODE,
                offset,
            )
            + raw
        )
    if body.tell() > LARGEST:
        raise EvidenceError("a pack of more than 512 MiB", remedy="Leave out the largest files.")
    end = struct.pack(
        "<4s4H2IH",
        b"PK\5\6",
        0,
        0,
        len(files),
        len(files),
        len(directory.getvalue()),
        body.tell(),
        0,
    )
    return body.getvalue() + directory.getvalue() + end


def from_bytes(data: bytes) -> dict[str, bytes]:
    """The files of an archive that ``to_bytes`` could have written.

    Raises:
        EvidenceError: Not such an archive; names the file whose content, or the byte at which the
            container, was altered.
    """
    if len(data) > LARGEST:
        raise EvidenceError("larger than 512 MiB", where="the container")
    files: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            for entry in archive.infolist():
                _name(entry.filename)
                if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > len(data):
                    raise EvidenceError(
                        "its entry in the container was altered", where=entry.filename
                    )
                if entry.filename in files:
                    raise EvidenceError("it is there twice", where=entry.filename)
                files[entry.filename] = _content(archive, entry)
    except (zipfile.BadZipFile, struct.error, ValueError, RuntimeError, OSError):
        raise EvidenceError("altered or cut off", where="the container") from None
    again = to_bytes(files)
    if again != data:
        at = next(
            (i for i, (a, b) in enumerate(zip(again, data, strict=False)) if a != b),
            min(len(again), len(data)),
        )
        raise EvidenceError(f"altered at byte {at}", where="the container")
    return files


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    try:
        return archive.read(entry)
    except zipfile.BadZipFile as error:
        if "CRC" not in str(error):
            raise
        raise EvidenceError("its content was altered", where=entry.filename) from None
    except EOFError:
        raise zipfile.BadZipFile from None


def _name(name: str) -> bytes:
    plain = name.isascii() and name.isprintable() and 0 < len(name) < 200
    if not plain or name.startswith("/") or "\\" in name or ".." in name.split("/"):
        raise EvidenceError("a file of the pack has a name that no pack has", where="the container")
    return name.encode("ascii")

"""The pack's container: a ZIP of stored files in one canonical form.

Every byte of such a file follows from the names and contents in it, so a reader that writes it
again and compares sees any change of the container itself too: a date, a flag, a comment, a gap.
Format: APPNOTE.TXT 6.3, local headers, central directory, end record; no compression, no extras.

The reader is not a ZIP reader. It goes through the file once, from its first byte, where each file
has to begin where the one before ended: nothing can overlap, be said twice, lie outside, or grow.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from io import BytesIO
from itertools import count

from unsilent.errors import EvidenceError

LARGEST = 512 * 2**20
"""Bytes that a pack may have: its reader holds it in memory."""

_MOST_FILES = 1000
_VERSION, _UNIX, _STORED = 20, 3, 0
_MIDNIGHT_1980 = (0, 0x21)
_MODE = 0o100644 << 16
_LOCAL = struct.Struct("<4s5H3I2H")
_ENTRY = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_FILE, _DIRECTORY, _LAST = b"PK\3\4", b"PK\1\2", b"PK\5\6"
_WHERE = "the container"


def to_bytes(files: Mapping[str, bytes]) -> bytes:
    """The archive with these files, in the order of the mapping.

    Raises EvidenceError for a name that is not plain ASCII, or too many or too large files.
    """
    if len(files) > _MOST_FILES:
        raise EvidenceError(f"a pack of more than {_MOST_FILES} files", remedy="Leave some out.")
    body = BytesIO()
    places: list[tuple[bytes, int, int, int]] = []
    taken: set[str] = set()
    for name, data in files.items():
        raw, check = _name(name, taken), zlib.crc32(data)
        places.append((raw, check, len(data), body.tell()))
        body.write(_header(raw, check, len(data)))
        body.write(data)
    whole = body.getvalue() + _directory(places, body.tell())
    if len(whole) > LARGEST:
        raise EvidenceError("a pack of more than 512 MiB", remedy="Leave out the largest files.")
    return whole


def from_bytes(data: bytes) -> dict[str, bytes]:
    """The files of an archive that ``to_bytes`` could have written.

    Takes memory for one copy of the data, whatever the archive says of itself.

    Raises:
        EvidenceError: Not such an archive; names the file whose content, or the byte at which the
            container, was altered.
    """
    if len(data) > LARGEST:
        raise EvidenceError("larger than 512 MiB", where=_WHERE)
    files: dict[str, bytes] = {}
    places: list[tuple[bytes, int, int, int]] = []
    taken: set[str] = set()
    at = 0
    while data[at : at + 4] == _FILE:
        if len(data) - at < _LOCAL.size:
            raise _cut()
        fields = _LOCAL.unpack_from(data, at)
        check, size, length = fields[6], fields[8], fields[9]
        begin = at + _LOCAL.size + length
        raw = data[at + _LOCAL.size : begin]
        # A byte beyond ASCII becomes a sign that no name of a pack has.
        name = raw.decode("ascii", errors="replace")
        _name(name, taken)
        if fields[3] != _STORED or fields[7] != size or size > len(data) - begin:
            raise EvidenceError("its entry in the container was altered", where=name)
        _same(data, at, _header(raw, check, size))
        content = data[begin : begin + size]
        if zlib.crc32(content) != check:
            raise EvidenceError("its content was altered", where=name)
        if len(files) == _MOST_FILES:
            raise EvidenceError(f"more than {_MOST_FILES} files", where=_WHERE)
        files[name] = content
        places.append((raw, check, size, at))
        at = begin + size
    if data[at : at + 4] not in (_DIRECTORY, _LAST):
        raise _cut()
    rest = _directory(places, at)
    _same(data, at, rest)
    if len(data) != at + len(rest):
        raise EvidenceError(f"altered at byte {at + len(rest)}", where=_WHERE)
    return files


def looks_like(data: bytes) -> bool:
    """Whether something is an archive at all, whatever was done to it: not a text, not empty."""
    return data.startswith(_FILE) or _LAST in data


def _header(raw: bytes, check: int, size: int) -> bytes:
    return _LOCAL.pack(_FILE, _VERSION, 0, *_common(raw, check, size)) + raw


def _common(raw: bytes, check: int, size: int) -> tuple[int, ...]:
    return (_STORED, *_MIDNIGHT_1980, check, size, size, len(raw), 0)


def _directory(places: list[tuple[bytes, int, int, int]], at: int) -> bytes:
    """What follows the files: the central directory, which begins at a byte, and its end."""
    entries = b"".join(
        _ENTRY.pack(
            _DIRECTORY,
            _UNIX << 8 | _VERSION,
            _VERSION,
            0,
            *_common(raw, check, size),
            0,
            0,
            0,
            _MODE,
            offset,
        )
        + raw
        for raw, check, size, offset in places
    )
    end = _END.pack(_LAST, 0, 0, len(places), len(places), len(entries), at, 0)
    return entries + end


def _same(data: bytes, at: int, expected: bytes) -> None:
    """Raise EvidenceError for the first byte from ``at`` on that is not as expected."""
    found = data[at : at + len(expected)]
    if found != expected:
        pairs = zip(count(at), found, expected, strict=False)
        place = next((place for place, one, other in pairs if one != other), at + len(found))
        raise EvidenceError(f"altered at byte {place}", where=_WHERE)


def _cut() -> EvidenceError:
    return EvidenceError("altered or cut off", where=_WHERE)


def _name(name: str, taken: set[str]) -> bytes:
    """The name as bytes: plain ASCII, of a file within, and no other's on any file system.

    Args:
        name: As the pack says it.
        taken: What the names before it took, by their lower-case form; this one's is added.
    """
    parts = name.split("/")
    plain = name.isascii() and name.isprintable() and 0 < len(name) < 200
    inside = plain and not set(name) & set('\\:*?"<>|')
    if not inside or any(not part or part.strip(" .") != part for part in parts):
        raise EvidenceError("a file of the pack has a name that no pack has", where=_WHERE)
    low = name.lower()
    folders = ["/".join(parts[:depth]).lower() + "/" for depth in range(1, len(parts))]
    if low in taken or f"{low}/" in taken or any(folder[:-1] in taken for folder in folders):
        raise EvidenceError("it is there twice", where=name)
    taken.update((low, *folders))
    return name.encode("ascii")

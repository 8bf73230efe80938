"""Archives that no pack is: by people who want a reader to stumble, to swell, or to write."""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO

Pack = bytes
Made = tuple[str, bytes]


def _end(entries: int, size: int, offset: int, comment: bytes = b"") -> bytes:
    fields = (0, 0, min(entries, 0xFFFF), min(entries, 0xFFFF), size, offset, len(comment))
    return struct.pack("<4s4H2IH", b"PK\5\6", *fields) + comment


def _local(name: bytes, data: bytes, *, method: int = 0, flags: int = 0, size: int = -1) -> bytes:
    told = len(data) if size < 0 else size
    common = (20, flags, method, 0, 0x21, zlib.crc32(data), told, told, len(name), 0)
    return struct.pack("<4s5H3I2H", b"PK\3\4", *common) + name


def _central(
    name: bytes, check: int, size: int, offset: int, *, attributes: int = 0o100644 << 16
) -> bytes:
    common = (0x0314, 20, 0, 0, 0, 0x21, check, size, size, len(name), 0, 0, 0, 0)
    return struct.pack("<4s6H3I5H2I", b"PK\1\2", *common, attributes, offset) + name


def quoted_overlap(kernel: int, members: int) -> bytes:
    """Every member's content runs to the end: each quotes the headers after it (Fifield 2019)."""
    names = [f"m{n:05}.txt".encode() for n in range(members)]
    block, at = b"", []
    data = bytes(kernel)
    for name in reversed(names):
        header = _local(name, data)
        at.append((name, zlib.crc32(data), len(data), len(header)))
        data = header + data
        block = data
    entries, offset = [], 0
    for name, check, size, length in reversed(at):
        entries.append(_central(name, check, size, offset))
        offset += length
    directory = b"".join(entries)
    return block + directory + _end(members, len(directory), len(block))


def full_overlap(kernel: int, members: int) -> bytes:
    """All names of the directory point to the same local header."""
    name, data = b"same.txt", bytes(kernel)
    block = _local(name, data) + data
    check = zlib.crc32(data)
    directory = _central(name, check, len(data), 0) * members
    return block + directory + _end(members, len(directory), len(block))


def _with_zipfile(write: Callable[[zipfile.ZipFile], None]) -> bytes:
    data = BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        write(archive)
    return data.getvalue()


def _special(mode: int, name: str = "plan.json", content: bytes = b"/etc/passwd") -> bytes:
    def write(archive: zipfile.ZipFile) -> None:
        entry = zipfile.ZipInfo(name)
        entry.create_system, entry.external_attr = 3, (mode | 0o777) << 16
        archive.writestr(entry, content)

    return _with_zipfile(write)


def _named(name: bytes) -> bytes:
    data = b"{}"
    block = _local(name, data) + data
    directory = _central(name, zlib.crc32(data), len(data), 0)
    return block + directory + _end(1, len(directory), len(block))


NAMES = (
    b"/etc/cron.d/x",
    b"../up.json",
    b"a/../../up.json",
    b"..",
    b".",
    b"./plan.json",
    b"a//b.json",
    b"folder/",
    b"C:\\windows\\x",
    b"C:x",
    b"\\\\server\\share",
    b"plan.json\0.txt",
    b"plan.json ",
    b"plan.json.",
    "pl\u0430n.json".encode(),
    "plan\u2024json".encode(),
    "\u202ejson.nalp".encode(),
    b"\x1b[2Jplan.json",
    b"plan.json\n",
    b"\xff\xfe",
    b"",
    b"n" * 300,
)


def _compressed(size: int) -> bytes:
    def write(archive: zipfile.ZipFile) -> None:
        archive.writestr("plan.json", bytes(size), zipfile.ZIP_DEFLATED)

    return _with_zipfile(write)


def _nested(depth: int) -> bytes:
    data = bytes(1000)
    for _ in range(depth):
        inner = data
        data = _with_zipfile(lambda archive, inner=inner: archive.writestr("plan.json", inner))
    return data


def _zip64() -> bytes:
    def write(archive: zipfile.ZipFile) -> None:
        with archive.open("plan.json", "w", force_zip64=True) as file:
            file.write(b"{}")

    return _with_zipfile(write)


def _streamed() -> bytes:
    """Sizes after the data, as writers to a pipe do."""

    class Pipe(BytesIO):
        def seekable(self) -> bool:
            return False

    data = Pipe()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("plan.json", b"{}")
    return data.getvalue()


def archives() -> Iterator[Made]:
    """Whole archives, by what is wrong with each."""
    yield "overlap, quoted", quoted_overlap(4096, 300)
    yield "overlap, full", full_overlap(200_000, 5000)
    yield "compressed", _compressed(20_000_000)
    yield "nested", _nested(20)
    yield "zip64", _zip64()
    yield "sizes after the data", _streamed()
    for what, mode in (
        ("symbolic link", stat.S_IFLNK),
        ("device", stat.S_IFCHR),
        ("pipe", stat.S_IFIFO),
        ("folder", stat.S_IFDIR),
        ("set-uid", stat.S_IFREG | stat.S_ISUID),
    ):
        yield what, _special(mode)
    for name in NAMES:
        yield f"name {name[:20]!r}", _named(name)
    data = b"{}"
    for what, header in (
        ("encrypted", _local(b"plan.json", data, flags=1)),
        ("declared 4 GiB", _local(b"plan.json", data, size=0xFFFFFFFE)),
        ("declared as zip64", _local(b"plan.json", data, size=0xFFFFFFFF)),
        ("method LZMA", _local(b"plan.json", data, method=14)),
        ("method 99", _local(b"plan.json", data, method=99)),
        ("UTF-8 flag", _local(b"plan.json", data, flags=0x800)),
    ):
        block = header + data
        directory = _central(b"plan.json", zlib.crc32(data), len(data), 0)
        yield what, block + directory + _end(1, len(directory), len(block))
    yield "empty archive", _end(0, 0, 0)
    yield "empty file", b""
    yield "no archive", b"%PDF-1.7 " + bytes(2000)
    yield "65535 members told", _end(65535, 0, 0)
    yield "directory at the end of the world", _end(1, 0xFFFFFFF0, 0xFFFFFFF0)
    yield "many empty members", _many(5000)


def _many(count: int) -> bytes:
    block, directory = b"", b""
    for number in range(count):
        name = f"{number:05}".encode()
        directory += _central(name, 0, 0, len(block))
        block += _local(name, b"")
    return block + directory + _end(count, len(directory), len(block))


def _where_directory(pack: Pack) -> int:
    return struct.unpack_from("<I", pack, len(pack) - 6)[0]


def altered(pack: Pack) -> Iterator[Made]:
    """A good pack with something added, moved or said in another way."""
    at = _where_directory(pack)
    body, directory, end = pack[:at], pack[at:-22], pack[-22:]
    yield "prepended", b"#!/bin/sh\n" + pack
    yield "appended", pack + b"\0"
    yield "a second archive behind it", pack + full_overlap(10, 1)
    yield "a second archive before it", full_overlap(10, 1) + pack
    yield "itself twice", pack + pack
    yield "comment", pack[:-2] + b"\x04\x00note"
    yield "gap before the directory", body + b"\0" * 9 + directory + end
    entry = directory[: 46 + struct.unpack_from("<H", directory, 28)[0]]
    longer = bytearray(end)
    struct.pack_into("<I", longer, 12, len(directory) + len(entry))
    yield "an entry twice in the directory", body + directory + entry + bytes(longer)
    yield "one entry less in the directory", body + directory[len(entry) :] + end
    local = body[: 30 + struct.unpack_from("<H", body, 26)[0]]
    first = local + body[len(local) : len(local) + struct.unpack_from("<I", body, 22)[0]]
    yield "a member twice", first + pack
    yield "a member in no directory", body + first + directory + end
    for offset, what in ((8, "flags"), (10, "method"), (20, "size"), (38, "attributes")):
        changed = bytearray(directory)
        changed[offset] ^= 1
        yield f"other {what} in the directory", body + bytes(changed) + end
    swapped = bytearray(directory)
    struct.pack_into("<I", swapped, 42, len(body) - 10)
    yield "another offset in the directory", body + bytes(swapped) + end
    renamed = bytearray(directory)
    renamed[46] ^= 0x20
    yield "another letter case in the directory", body + bytes(renamed) + end

"""Reading the images of a folder: only from there, and only what the reference says."""

from __future__ import annotations

import hashlib
import io
import lzma
import math
import os
import stat
import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import ItemError
from unsilent.images.decode import decoded
from unsilent.images.pixels import MAX_ARRAY_BYTES, MAX_FILE_BYTES, MAX_PIXELS, Pixels
from unsilent.images.reference import ImageRef, array_digest

_DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError)
_MISSING = "See that it lies beside the probe file."


class ImageReader:
    """The images of one folder, which is the only one that is read.

    Arrays that were opened are kept as long as the reader is.

    Args:
        folder: The probe file's.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._arrays: dict[tuple[str, str], NDArray[np.uint8]] = {}
        self._names: dict[str, str] | None = None

    def digest(self, ref: ImageRef, *, where: str) -> str:
        """SHA-256 of what a reference names, as 64 hexadecimal digits; raises as ``pixels``."""
        found = self._found(ref, where)
        own = hashlib.sha256(found).hexdigest() if isinstance(found, bytes) else array_digest(found)
        if ref.sha256 not in (None, own):
            raise ItemError(
                "its image is not the one that it names by SHA-256",
                where=where,
                remedy="Get the image that is meant, or name the one that is here.",
            )
        return own

    def pixels(self, ref: ImageRef, *, where: str) -> Pixels:
        """(height, width, 3) pixels of the image.

        Args:
            ref: Which one.
            where: Named in errors.

        Raises:
            ItemError: It is not there, not the one that its digest says, leads out of the folder,
                or cannot be read as ``decoded`` says.
            AssetError: Pillow is needed and not installed.
        """
        self.digest(ref, where=where)
        found = self._found(ref, where)
        if isinstance(found, bytes):
            return decoded(found, where=where)
        if found.ndim == 1:
            return decoded(found.tobytes(), where=where)
        grey = found[:, :, 0] if found.ndim == 3 and found.shape[2] == 1 else found
        if grey.ndim == 2:
            grey = np.repeat(grey[:, :, None], 3, axis=2)
        if grey.ndim != 3 or grey.shape[2] != 3 or not grey.size:
            raise ItemError(
                f"its image is an array of shape {found.shape}",
                where=where,
                remedy="Give (height, width) or (height, width, 3), or an encoded file's bytes.",
            )
        if grey.shape[0] * grey.shape[1] > MAX_PIXELS:
            raise ItemError(
                f"its image has more than {MAX_PIXELS // 10**6} million pixels",
                where=where,
                remedy="Save it smaller.",
            )
        return np.ascontiguousarray(grey)

    def _found(self, ref: ImageRef, where: str) -> bytes | NDArray[np.uint8]:
        if ref.array is None:
            return self._file(ref.path or self._named(ref, where), MAX_FILE_BYTES, where)
        array = self._array(ref.path, ref.array, where)
        if ref.row is None:
            return array
        if array.ndim < 2 or ref.row >= len(array):
            raise ItemError(
                f"its image is row {ref.row} of an array of shape {array.shape}",
                where=where,
                remedy="Name a row that is there.",
            )
        return array[ref.row]

    def _named(self, ref: ImageRef, where: str) -> str:
        """The file in the folder that is called as its content's digest."""
        if self._names is None:
            try:
                self._names = {
                    path.name.partition(".")[0]: path.name for path in self.folder.iterdir()
                }
            except OSError:
                self._names = {}
        name = self._names.get(str(ref.sha256))
        if name is None:
            raise ItemError("its image is not here", where=where, remedy=_MISSING)
        return name

    def _file(self, path: str, most: int, where: str) -> bytes:
        """A regular file's bytes, if links lead to nothing outside the folder."""
        try:
            root = Path(os.path.realpath(self.folder))
            real = Path(os.path.realpath(root / path))
            if not real.is_relative_to(root):
                raise ItemError(
                    "its image is a link that leads out of the probe file's folder",
                    where=where,
                    remedy="Put the image itself there.",
                )
            # What is no file, such as a pipe, could hold the client for ever.
            if not stat.S_ISREG(real.stat().st_mode):
                raise ItemError("its image is no regular file", where=where, remedy=_MISSING)
            with real.open("rb") as file:
                data = file.read(most + 1)
        except (OSError, ValueError):
            raise ItemError("its image is not here", where=where, remedy=_MISSING) from None
        if len(data) > most:
            raise ItemError(
                f"its image's file has more than {most >> 20} MiB",
                where=where,
                remedy="Save it smaller.",
            )
        return data

    def _array(self, path: str, name: str, where: str) -> NDArray[np.uint8]:
        if (path, name) not in self._arrays:
            data = self._file(path, MAX_ARRAY_BYTES, where)
            self._arrays[path, name] = _unpacked(data, name, where)
        return self._arrays[path, name]


def _unpacked(data: bytes, name: str, where: str) -> NDArray[np.uint8]:
    """An array of an npz; nothing is unpickled, and no more is unpacked than is allowed."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open(f"{name}.npy") as member:
            plain = member.read(MAX_ARRAY_BYTES + 1)
        if len(plain) > MAX_ARRAY_BYTES:
            raise ItemError(
                f"the array {name} of its image's npz has more than {MAX_ARRAY_BYTES >> 20} MiB",
                where=where,
                remedy="Split it.",
            )
        dtype, array = _npy(plain)
    except KeyError:
        raise ItemError(
            f"its image's npz holds no array {name}", where=where, remedy="Name one that it holds."
        ) from None
    except (*_DAMAGED, ValueError, OSError, EOFError, NotImplementedError, RuntimeError):
        raise ItemError(
            "its image's npz is damaged", where=where, remedy="Write it again with numpy.savez."
        ) from None
    if array is None:
        raise ItemError(
            f"its image's array is of {dtype}, not of bytes from 0 to 255",
            where=where,
            remedy="Save it as uint8, of one axis or more.",
        )
    return array


def _npy(plain: bytes) -> tuple[np.dtype, NDArray[np.uint8] | None]:
    """What an npy file holds, and its array if that is of bytes. Raises ValueError."""
    file = io.BytesIO(plain)
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0
    if version != (1, 0):
        read = np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    if dtype != np.uint8 or not shape:
        return dtype, None
    # Not read_array, which first makes room for as much as the header claims.
    flat = np.frombuffer(plain, np.uint8, count=math.prod(shape), offset=file.tell())
    return dtype, flat.reshape(shape, order="F" if fortran else "C")

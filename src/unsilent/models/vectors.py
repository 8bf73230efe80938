"""A store of text embeddings on disk: content-addressed, shared by processes, never half-written.

One SQLite file for each embedding model. A row is the SHA-256 of a text and its vector; a batch of
rows is one transaction, so a process that is killed leaves whole batches or nothing.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import ModelError

Embed = Callable[[Sequence[str]], NDArray[np.float32]]
"""(n,) texts to (n, width) vectors."""

_TIMEOUT_S = 120.0
_MOST_VARIABLES = 500


class VectorStore:
    """Vectors by text, computed once and kept.

    Args:
        path: The SQLite file; made when first written.
        width: Numbers in a vector.
    """

    def __init__(self, path: Path, width: int) -> None:
        self.path = path
        self.width = width
        self._kept: dict[bytes, NDArray[np.float32]] = {}

    def get(
        self,
        texts: Sequence[str],
        embed: Embed,
        *,
        batch: int = 512,
        progress: Callable[[float], None] | None = None,
    ) -> NDArray[np.float32]:
        """The vectors of the texts, in their order; those not yet known are computed and kept.

        Args:
            texts: Any texts; repeated ones are computed once.
            embed: Called with new texts, shortest first, at most ``batch`` at once.
            batch: Texts written in one transaction.
            progress: Told the share of new texts that are done, from 0 to 1.

        Returns:
            (n_texts, width) float32.

        Raises:
            ModelError: The file is not a store of vectors of this width.
        """
        keys = [hashlib.sha256(text.encode()).digest() for text in texts]
        wanted = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._kept}
        if wanted:
            self._read(list(wanted))
        new = [(key, text) for key, text in wanted.items() if key not in self._kept]
        # Equal lengths pad little; the key breaks ties, so that batches do not depend on order.
        new.sort(key=lambda pair: (len(pair[1]), pair[0]))
        for start in range(0, len(new), batch):
            part = new[start : start + batch]
            vectors = np.ascontiguousarray(embed([text for _, text in part]), dtype=np.float32)
            if vectors.shape != (len(part), self.width) or not np.isfinite(vectors).all():
                raise ModelError(
                    f"the encoder gave vectors of shape {vectors.shape} or not finite ones",
                    remedy=f"Expected {self.width} finite numbers for each text.",
                )
            self._write([key for key, _ in part], vectors)
            if progress is not None:
                progress((start + len(part)) / len(new))
        return np.stack([self._kept[key] for key in keys])

    def missing(self, texts: Sequence[str]) -> int:
        """How many distinct texts have no vector yet."""
        keys = {hashlib.sha256(text.encode()).digest() for text in texts}
        self._read([key for key in keys if key not in self._kept])
        return sum(key not in self._kept for key in keys)

    def _read(self, keys: list[bytes]) -> None:
        if not self.path.exists():
            return
        try:
            with closing(sqlite3.connect(self.path, timeout=_TIMEOUT_S)) as database:
                self._make(database)
                for start in range(0, len(keys), _MOST_VARIABLES):
                    part = keys[start : start + _MOST_VARIABLES]
                    marks = ",".join("?" * len(part))
                    query = f"SELECT text, vector FROM vectors WHERE text IN ({marks})"
                    for key, blob in database.execute(query, part):
                        vector = np.frombuffer(blob, dtype="<f4")
                        if vector.shape != (self.width,):
                            raise self._damaged()
                        self._kept[key] = vector.astype(np.float32)
        except sqlite3.DatabaseError:
            raise self._damaged() from None

    def _write(self, keys: list[bytes], vectors: NDArray[np.float32]) -> None:
        rows = [
            (key, vector.astype("<f4").tobytes()) for key, vector in zip(keys, vectors, strict=True)
        ]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=_TIMEOUT_S)) as database:
                self._make(database)
                with database:
                    database.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?)", rows)
        except sqlite3.DatabaseError:
            raise self._damaged() from None
        except OSError as error:
            raise ModelError(
                f"the cache cannot be written ({error.strerror or type(error).__name__})",
                where=str(self.path),
                remedy="Free some space, or set UNSILENT_CACHE to a folder that can be written.",
            ) from None
        # Another process may have written the same text first: what lies on disk is what counts.
        self._read(keys)

    @staticmethod
    def _make(database: sqlite3.Connection) -> None:
        database.execute(
            "CREATE TABLE IF NOT EXISTS vectors (text BLOB PRIMARY KEY, vector BLOB NOT NULL) "
            "WITHOUT ROWID"
        )

    def _damaged(self) -> ModelError:
        return ModelError(
            "not a readable store of embeddings",
            where=str(self.path),
            remedy="Delete this file; it is computed again.",
        )

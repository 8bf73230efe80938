"""The reference's answers to public items, looked up where they are known already.

They do not depend on the client: the base model, or one adapter of the run, is asked public items.
What is known comes from a file that the plan pins, which some of the client's own answers are held
against each round, or from what the client itself was answered in earlier rounds. Whatever does not
fit is scored, and a line says why: an answer that is wrong would make a false verdict.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import ItemError
from unsilent.files import write_whole
from unsilent.items import Item, ItemSet
from unsilent.plan import MonitoringPlan
from unsilent.probes.answers import Answers, Rows, missing, rows_by_content, table_of

_LOG = logging.getLogger("unsilent")

KEPT = "answers.safetensors"
"""In a client's own folder: what its reference answered to public items so far."""
MOST_KEPT = 100_000
"""Items whose answers are kept at most; beyond them the file is begun anew."""
CHECKED = 4
"""Known answers that a client computes all the same in each role and round."""
TOLERANCE = 1e-4
"""What two computations of one probability may differ by."""

Score = Callable[[ItemSet], NDArray[np.float64]]
"""Checked (n_items, max_choices) probabilities of items under the reference."""


@dataclass
class ReferenceAnswers:
    """What is known of one reference's answers.

    Args:
        shipped: From the plan's file; None where there is none of this model.
        kept: The client's own of earlier rounds.
        path: Where those are kept; None to keep nothing.
        told: Called with a line where something shipped is not used.
    """

    shipped: Answers | None = None
    kept: Answers | None = None
    path: Path | None = None
    told: Callable[[str], None] = _LOG.warning
    _own: dict[str, Rows] = field(default_factory=dict[str, Rows])

    def table(self, items: ItemSet, score: Score) -> NDArray[np.float64]:
        """(n_items, max_choices) probabilities: those that are known, and the others scored.

        Args:
            items: Public ones.
            score: Scores those that are not known, and some of those that are.
        """
        if self.shipped is not None and not self._holds(self.shipped, items, score):
            self.told(
                f"probes.answers: the shipped answers to {items.name!r} are not what this "
                "client's reference gives; it scores the reference itself"
            )
            self.shipped = None
        if self.kept is not None and not self._holds(self.kept, items, score):
            # Something changed that no hash tells, such as the app's own code.
            self.kept = replace(self.kept, rows={})
        sources = (self.kept, self.shipped)
        known = {name: row for each in sources if each for name, row in each.rows.items()}
        left = missing(items, known)
        if left:
            asked = replace(items, items=left)
            fresh = rows_by_content(asked, score(asked))
            known.update(fresh)
            self._own |= fresh
        return table_of(items, known)

    def keep(self) -> None:
        """Write what was scored to the client's folder, with what lay there."""
        if self.path is None or self.kept is None or not self._own:
            return
        rows = {**self.kept.rows, **self._own}
        if len(rows) > MOST_KEPT:
            rows = self._own
        write_whole(self.path, replace(self.kept, rows=rows).to_bytes(), private=True)

    def _holds(self, told: Answers, items: ItemSet, score: Score) -> bool:
        """Whether some answers, drawn in secret, are those that the client computes."""
        held = [item for item in items if not missing((item,), told.rows)]
        if not held:
            return True
        chosen = tuple(_drawn(held))
        asked = replace(items, items=chosen)
        return bool(np.abs(score(asked) - table_of(asked, told.rows)).max() <= TOLERANCE)


def known_answers(
    plan: MonitoringPlan,
    hashes: Mapping[str, str],
    *,
    adapter: str = "",
    file: Path | None = None,
    folder: Path | None = None,
    told: Callable[[str], None] = _LOG.warning,
) -> ReferenceAnswers:
    """What is known of the reference's answers before a client scores.

    Args:
        plan: Its ``probes.answers`` pin the file.
        hashes: Of the client's model, by ``base``, ``tokenizer`` and ``engine``; without a base
            nothing is known to be of it.
        adapter: Content hash of the reference's adapter; empty for the base.
        file: Where the plan's file lies, if it may be read.
        folder: The client's own, for what it scores itself; None to keep nothing.
        told: Called with a line where something shipped is not used.
    """
    likelihood = plan.model.likelihood
    found = ReferenceAnswers(told=told)
    if plan.probes.answers is not None and not adapter:
        found.shipped = _shipped(plan, hashes, file, told)
    base = hashes.get("base")
    if folder is not None and base is not None:
        found.path = folder / KEPT
        fresh = Answers(
            (base,),
            hashes.get("tokenizer", ""),
            hashes.get("engine", ""),
            likelihood,
            adapter=adapter,
        )
        kept = _read(found.path)
        same = kept is not None and replace(kept, rows={}) == replace(fresh, rows={})
        found.kept = kept if same else fresh
    return found


def _shipped(
    plan: MonitoringPlan,
    hashes: Mapping[str, str],
    file: Path | None,
    told: Callable[[str], None],
) -> Answers | None:
    name, _, pin = str(plan.probes.answers).partition("#sha256=")
    why = ""
    try:
        if file is None or not file.is_file():
            why = "the file is not here"
        else:
            shipped = read_answers(file, pin)
            if shipped.of(hashes, plan.model.likelihood):
                return shipped
            why = "they are of another model, or this client's has no content hash"
    except (ItemError, OSError) as error:
        why = error.what if isinstance(error, ItemError) else "the file cannot be read"
    told(f"probes.answers: {why}; this client scores the reference itself ({name})")
    return None


@lru_cache(maxsize=2)
def read_answers(path: Path, pin: str) -> Answers:
    """A plan's answers. Raises ItemError if the file is not the pinned one, or unreadable."""
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if digest != pin:
        raise ItemError(
            f"the answers are not the pinned ones: sha256:{digest}",
            where=str(path),
            remedy="Get the file that the plan means.",
        )
    return Answers.from_bytes(data, where=str(path))


def _read(path: Path) -> Answers | None:
    """What was kept, if that can be read: nothing rests on it but time."""
    try:
        return Answers.from_bytes(path.read_bytes(), where=str(path))
    except (OSError, ItemError):
        return None


def _drawn(items: list[Item]) -> list[Item]:
    return secrets.SystemRandom().sample(items, min(CHECKED, len(items)))

"""The hook for every other scorer: a function from items to probabilities is a model.

A llama.cpp process, a remote endpoint, a vision model, people: whatever can say how probable it
holds each choice of an item can be observed. What it returns is checked before anything rests on
it; time-outs and retries are the function's own.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import ModelError, OutcomeError
from unsilent.files import digest_json
from unsilent.items import ItemSet, Outcomes
from unsilent.models.base import Adapter, Training, TrainingReport
from unsilent.modes.base import AdapterRole, Evidence, ItemRole, Need
from unsilent.modes.gather import gather, needs_of

Score = Callable[[ItemSet], Sequence[Sequence[float]] | NDArray[np.floating]]
"""Items in, one row of probabilities an item out: one number a choice, padded with 0 or not."""

HOOK = "hook:"
"""Before module and function in ``model.id``."""

SLACK = 1e-3
"""How far a row's sum may lie from 1: what rounding to a few digits does, and no more."""


def checked(
    items: ItemSet, rows: Sequence[Sequence[float]] | NDArray[np.floating]
) -> NDArray[np.float64]:
    """(n_items, max_choices) float64 probabilities from what a scorer returned, rows summing to 1.

    Args:
        items: What was asked.
        rows: One row an item, in the items' order: as many numbers as the item has choices, or
            as the widest item has, 0 beyond its own. Sums within ``SLACK`` of 1 are scaled to 1.

    Raises:
        OutcomeError: Rows are missing or too many, of the wrong length, not finite numbers, below
            0, or not summing to 1. Names the set and how many rows, and never what they hold.
    """
    widest = max(len(item.choices) for item in items)
    try:
        count = len(rows)
    except TypeError:
        raise _wrong(items, "what came back is no list of rows") from None
    if count != len(items):
        raise _wrong(items, f"{count} rows came back for {len(items)} items")
    table, bad = np.zeros((len(items), widest)), 0
    for place, (item, row) in enumerate(zip(items, rows, strict=True)):
        numbers = _numbers(row)
        own = len(item.choices)
        if numbers is None or numbers.shape not in ((own,), (widest,)):
            raise _wrong(items, f"row {place} is not {own} numbers, one a choice")
        fits = bool(np.isfinite(numbers).all()) and not (numbers < 0).any()
        if not fits or numbers[own:].any() or abs(numbers.sum() - 1) > SLACK:
            bad += 1
        else:
            table[place, :own] = numbers[:own] / numbers[:own].sum()
    if bad:
        raise _wrong(items, f"{bad} of {len(items)} rows are not probabilities that sum to 1")
    return table


def score_with(score: Score, items: ItemSet, adapter: str) -> Outcomes:
    """The outcomes of items under one named adapter, by a function. Raises as ``checked``."""
    return Outcomes(items, adapter, checked(items, score(items)))


def evidence_with(
    scores: Mapping[AdapterRole, Score],
    items: Mapping[ItemRole, ItemSet],
    codes: Iterable[str],
    *,
    home_domain: str | None = None,
) -> Evidence:
    """What the modes need to be measured, each job scored once.

    >>> from unsilent.items import Item, ItemSet
    >>> from unsilent.modes import MODES
    >>> probes = ItemSet("bias", (Item("1", "The nurse said that", (" he", " she"),
    ...                                stereotyped=1),))
    >>> def reference(items):  # ask the endpoint that serves the base model
    ...     return [[0.5, 0.5] for _ in items]
    >>> def personalized(items):  # and the one that serves the client's own
    ...     return [[0.2, 0.8] for _ in items]
    >>> evidence = evidence_with(
    ...     {"reference": reference, "personalized": personalized}, {"bias": probes}, ["SF-1"])
    >>> round(MODES["SF-1"].measure(evidence).value, 3)
    0.6

    ``Observer.release`` takes the statistics.

    Args:
        scores: One function for each adapter that the modes compare.
        items: The probes and the client's records, by role.
        codes: The modes, such as ``plan.planned``.
        home_domain: The client's own, for SF-5; not read off records where one of them is the
            unit (``release.record_rules``).

    Raises:
        OutcomeError: An adapter or a role that a mode needs is missing, or as ``checked``.
    """

    def scored(need: Need) -> Outcomes:
        if need.adapter not in scores or need.items not in items:
            raise OutcomeError(
                f"nothing scores {need.items} items under the {need.adapter} adapter",
                where="score hook",
                remedy="Give a function for the adapter and an item set for the role.",
            )
        return score_with(scores[need.adapter], items[need.items], need.adapter)

    return gather(needs_of(codes), scored, home_domain)


class ScoreHook:
    """A function as a :class:`unsilent.models.base.PersonalModel`, which scores and cannot train.

    >>> from unsilent.items import Item, ItemSet
    >>> model = ScoreHook(lambda items: [[0.25, 0.75] for _ in items], name="my-endpoint/3")
    >>> model.score(ItemSet("one", (Item("1", "2 + 2 =", (" 5", " 4"), answer=1),)), None)
    array([[0.25, 0.75]])

    Args:
        score: From items to probabilities.
        name: Identifies model, weights and prompt format: scores are compared within it.
    """

    def __init__(self, score: Score, *, name: str) -> None:
        if not name:
            raise ModelError("a hook needs a name", remedy="Name the model and its version.")
        self._score = score
        self.digest = digest_json(["score-hook", name])

    @property
    def hashes(self) -> Mapping[str, str]:
        """The base, which is the function's name: nothing more is known of it."""
        return {"base": self.digest}

    def new_adapter(self, seed: int) -> Adapter:
        """An adapter without tensors: what is adapted lies behind the function."""
        return Adapter(self.digest, {})

    def train(
        self, adapter: Adapter, records: ItemSet, training: Training
    ) -> tuple[Adapter, TrainingReport]:
        """Raise ModelError: a function has nothing to train here."""
        raise ModelError(
            "a scoring function cannot be trained",
            remedy="Train where the model lives, and give one function for each adapter.",
        )

    def score(self, items: ItemSet, adapter: Adapter | None) -> NDArray[np.float64]:
        """(n_items, max_choices) probabilities, checked. Raises as ``checked``, and ModelError.

        Only the base and the hook's own empty adapter can be asked for.
        """
        if adapter is not None and (adapter.base != self.digest or adapter.tensors):
            raise ModelError(
                "a scoring function knows no adapter but its own",
                remedy="Give one function for each adapter.",
            )
        return checked(items, self._score(items))


def hook_of(place: str) -> ScoreHook:
    """The model that a plan names as ``hook:MODULE:FUNCTION``; the function is a ``Score``.

    The module is imported, so that it has to be installed, or to lie on the path on which Python
    finds modules; it runs with all rights of the process.

    Raises:
        ModelError: The module or the function is not there; names both.
    """
    return ScoreHook(
        cast("Score", named_function(place, where="model.id", does="score")), name=place
    )


def named_function(place: str, *, where: str, does: str) -> Callable[..., object]:
    """The function that a plan names as ``hook:MODULE:FUNCTION``; its module is imported.

    Args:
        place: As the plan has it.
        where: The plan's key, named in errors.
        does: What it is for, in a verb.

    Raises:
        ModelError: The module or the function is not there; names both.
    """
    module, _, function = place.removeprefix(HOOK).partition(":")
    try:
        found = getattr(importlib.import_module(module), function)
    except (ImportError, SyntaxError, ValueError, AttributeError) as error:
        raise ModelError(
            f"no function to {does} with ({type(error).__name__})",
            where=f"{where} {place}",
            remedy="Write it as hook:MODULE:FUNCTION, and put the module on PYTHONPATH.",
        ) from None
    if not callable(found):
        raise ModelError(
            "what is named here cannot be called",
            where=f"{where} {place}",
            remedy="Name a function, not a value.",
        )
    return cast("Callable[..., object]", found)


def _numbers(row: object) -> NDArray[np.float64] | None:
    """The row as numbers, or None if it is anything else."""
    try:
        found = np.asarray(row)
    except ValueError:
        return None
    if found.dtype.kind not in "fiu":
        return None
    return found.astype(np.float64)


def _wrong(items: ItemSet, what: str) -> OutcomeError:
    return OutcomeError(
        what,
        where=f"{items.name}, scored by a hook",
        remedy="Return one row an item, in order: the probabilities of its choices.",
    )

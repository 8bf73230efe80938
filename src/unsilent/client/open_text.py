"""A client's answers to open prompts: written under both adapters, rated, and partly labelled.

All of a few prompts are answered under the reference and under the personalized adapter before the
next ones are begun, in an order that nobody chose. So what is left when the time is over is a
random part, and both adapters are measured on the same prompts.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from unsilent import __version__
from unsilent.client.canary import garbled
from unsilent.client.reference_answers import TOLERANCE
from unsilent.errors import AppFunctionError, OutcomeError
from unsilent.files import digest_json, write_whole
from unsilent.items import Item, ItemSet, Outcomes
from unsilent.messages import Arrays
from unsilent.modes import MODES
from unsilent.modes._written import FEWEST_LABELS, SHOWN, WrittenMode
from unsilent.modes.base import ItemRole, Need
from unsilent.open_text.judges import Rate, code_of
from unsilent.open_text.kinds import PERSONA, REGARD, TEXT, Kind, kind_of
from unsilent.open_text.writing import AT_ONCE, TimeLeft, Writing
from unsilent.plan import MonitoringPlan
from unsilent.plan.open_text import ANSWERS_A_UNIT, SITES
from unsilent.probes.banks import units_of
from unsilent.probes.draw import draw_seed

_LOG = logging.getLogger("unsilent")
KEPT = "written.json"
"""In a client's own folder: how its reference's answers to open prompts were rated so far."""
WRITTEN_ALIKE = (
    "write wrote the same under arrays that were garbled: look at whether it uses the arrays that "
    "it is given, or an answer it kept"
)
_SHORT = 8
_GARBLED = (4.0, 64.0, 1024.0, 16384.0)
"""Tokens, and times as large arrays, by which a writer is tried."""
_FEWEST = 2
"""Units of prompts that a spread can be told from."""

Side = Literal["reference", "personalized"]
Write = Callable[[ItemSet, Side, Writing], Sequence[str]]
"""Open prompts, an adapter and how to write; an answer to each."""
Label = Callable[[ItemSet], Sequence[bool | None]]
"""Answers, each in its item's ``text``, and what people say of it; None where they say nothing."""


@dataclass(frozen=True)
class WrittenAnswers:
    """What a client wrote and rated in a round.

    Attributes:
        outcomes: Ratings, by adapter and role; of labelled answers under the reference.
        asked, missed: Prompts that were to be answered, and those that the time did not suffice
            for.
    """

    outcomes: Mapping[Need, Outcomes]
    asked: int = 0
    missed: int = 0


def written_answers(
    plan: MonitoringPlan,
    items: Mapping[ItemRole, ItemSet],
    write: Write,
    rate: Rate,
    *,
    label: Label | None = None,
    words: Sequence[object] = (),
    time: TimeLeft | None = None,
    keep: ReferenceRatings | None = None,
) -> WrittenAnswers:
    """All that the plan's modes of open text are measured on.

    Args:
        plan: The plan.
        items: The client's own prompts and labelled answers of the round, by role.
        write: Writes under one of the two adapters.
        rate: The plan's judges.
        label: People at the site; needed where the plan's labels are the sites'.
        words: Client and round, by which order and sampling follow.
        time: What is left of the plan's ``seconds``; all of it by default.
        keep: What is known of the reference's answers from earlier rounds.

    Raises:
        OutcomeError: Less than three quarters of a role's prompts were answered in time; what came
            back does not fit; or too few answers were labelled.
    """
    modes = [MODES[code] for code in plan.planned if isinstance(MODES[code], WrittenMode)]
    left = time or TimeLeft(plan.writing.seconds)
    outcomes: dict[Need, Outcomes] = {}
    asked = missed = 0
    for number, mode in enumerate(cast("list[WrittenMode]", modes)):
        own = _Mode(plan, mode, items[mode.asked], write, rate, words, keep)
        own.answer(left.part(len(modes) - number))
        asked, missed = asked + own.planned, missed + own.missed
        outcomes |= own.rated()
        if getattr(plan.probes, mode.labelled) == SITES:
            need = Need("reference", mode.labelled)
            outcomes[need] = own.labelled(label)
        elif mode.labelled in items:
            given = items[mode.labelled]
            outcomes[Need("reference", mode.labelled)] = _rated_labels(given, rate)
    if keep is not None:
        keep.keep()
    if missed:
        _LOG.warning(
            "open text: %d of %d prompts were not answered within open_text.seconds", missed, asked
        )
    return WrittenAnswers(outcomes, asked, missed)


class _Mode:
    """One mode's prompts, and what was written to them."""

    def __init__(
        self,
        plan: MonitoringPlan,
        mode: WrittenMode,
        items: ItemSet,
        write: Write,
        rate: Rate,
        words: Sequence[object],
        keep: ReferenceRatings | None,
    ) -> None:
        self.mode, self.kind = mode, kind_of(mode.asked)
        self._items, self._write, self._rate, self._keep = items, write, rate, keep
        seed = draw_seed(plan.digest, *words, mode.asked, "written") % 2**63
        self._random = np.random.default_rng(seed)
        self._writing = writing_of(plan, self.kind, seed % 2**31)
        units = units_of(items)
        order = self._random.permutation(len(units)).tolist()
        of_sites = getattr(plan.probes, mode.labelled) == SITES
        count = plan.probes.size(mode.labelled) // ANSWERS_A_UNIT[mode.labelled] if of_sites else 0
        # Those whose answers are labelled come first: without them nothing can be said at all.
        self._to_label = [units[place] for place in order[:count]]
        self._others = [units[place] for place in order[count:]]
        self.planned, self.missed = len(order), 0
        self._texts: list[tuple[Item, str, str]] = []
        self._done: list[tuple[Item, float, float]] = []

    def answer(self, time: TimeLeft) -> None:
        """Write, and rate what needs no label, until all is done or the time is over."""
        for units in _some(self._to_label):
            part = self._part(units)
            both = [self._written(part, side) for side in ("reference", "personalized")]
            self._texts += list(zip(part, *both, strict=True))
        answered = 0
        if self._keep is not None:
            self._keep.begin()
        for units in _some(self._others):
            if time.over and answered >= _FEWEST:
                break
            part = self._part(units)
            before, after = self._reference(part), self._rated(part, "personalized")
            self._done += list(zip(part, before, after, strict=True))
            answered += len(units)
            _tell(self.kind, answered, len(self._others), time)
        self.missed = len(self._others) - answered
        least = self.mode.least_answered * len(self._others)
        if answered < max(least, min(_FEWEST, len(self._others))):
            raise OutcomeError(
                f"{answered} of {len(self._others)} prompts were answered in the time that the "
                "plan gives",
                where=f"open_text.seconds, probes.{self.mode.asked}",
                remedy="Raise open_text.seconds, or lower open_text.tokens or probes.sizes.",
            )

    def rated(self) -> dict[Need, Outcomes]:
        """The judge's ratings under both adapters, of the same prompts."""
        items = replace(self._items, items=tuple(item for item, _, _ in self._done))
        sides: tuple[Side, Side] = ("reference", "personalized")
        return {
            Need(side, self.mode.asked): _outcomes(
                items, side, np.array([row[place] for row in self._done], dtype=np.float64)
            )
            for place, side in enumerate(sides, 1)
        }

    def labelled(self, label: Label | None) -> Outcomes:
        """The judge's ratings of the answers that people at the site labelled.

        They are shown in an order that does not tell which adapter wrote them.
        """
        if label is None:
            raise OutcomeError(
                "the plan's labels are the sites' own, and this one gives none",
                where=f"probes.{self.mode.labelled}",
                remedy="Let the app give label, or name a file of labelled answers.",
            )
        shown = [
            replace(item, id=f"{side}:{item.id}", attributes={**item.attributes, TEXT: text})
            for item, *texts in self._texts
            for side, text in zip(("reference", "personalized"), texts, strict=True)
        ]
        order = self._random.permutation(len(shown))
        blind = tuple(replace(shown[place], id=str(n)) for n, place in enumerate(order))
        asked = ItemSet("answers", tuple(_without(item) for item in blind))
        said = list(label(asked))
        if len(said) != len(blind):
            raise OutcomeError(f"{len(said)} labels came back for {len(blind)} answers")
        kept = [
            replace(shown[place], answer=int(says), domain=self._domain(shown[place]))
            for place, says in zip(order, map(_label, said), strict=True)
            if says is not None
        ]
        for kind in self.mode.kinds:
            if sum(item.domain == kind for item in kept) < FEWEST_LABELS:
                raise OutcomeError(
                    f"fewer than {FEWEST_LABELS} answers of the kind {kind!r} were labelled",
                    where=f"probes.{self.mode.labelled}",
                    remedy="Label what is asked for, or ask for fewer.",
                )
        items = ItemSet(self.mode.labelled, tuple(replace(i, pair=None) for i in kept))
        return _rated_labels(items, self._rate)

    def _domain(self, item: Item) -> str:
        side = item.id.partition(":")[0]
        if self.kind is not REGARD:
            return side
        return f"{side}, {'predicted' if item.stereotyped == SHOWN else 'other'}"

    def _part(self, units: Sequence[tuple[int, ...]]) -> ItemSet:
        places = [place for unit in units for place in unit]
        return replace(self._items, items=tuple(self._items.items[place] for place in places))

    def _written(self, part: ItemSet, side: Side) -> list[str]:
        texts = list(self._write(part, side, self._writing))
        if len(texts) != len(part) or not all(isinstance(text, str) for text in texts):
            raise OutcomeError(
                f"{len(texts)} answers came back for {len(part)} prompts",
                where="write",
                remedy="Return one text a prompt, in order.",
            )
        return texts

    def _rated(self, part: ItemSet, side: Side) -> NDArray[np.float64]:
        return self._rate(part, self._written(part, side))

    def _reference(self, part: ItemSet) -> NDArray[np.float64]:
        if self._keep is None:
            return self._rated(part, "reference")
        return self._keep.rated(part, lambda some: self._rated(some, "reference"))


@dataclass
class ReferenceRatings:
    """How the reference's answers were rated in earlier rounds: it writes each once.

    Args:
        known: By an item's content, what was rated.
        path: Where it is kept; None to keep nothing.
        key: What model and judges it is of.
    """

    known: dict[str, float]
    path: Path | None = None
    key: str = ""
    _held: bool = False

    def keep(self) -> None:
        """Write what is known to the client's folder."""
        if self.path is not None:
            data = json.dumps({"of": self.key, "rated": self.known}, sort_keys=True)
            write_whole(self.path, data.encode(), private=True)

    def rated(
        self, items: ItemSet, rate: Callable[[ItemSet], NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        """(n_items,) ratings; what is not known is written and rated."""
        names = [_content(item) for item in items]
        self._check(items, rate)
        left = tuple(i for i, name in zip(items, names, strict=True) if name not in self.known)
        if left:
            fresh = rate(replace(items, items=left))
            self.known.update(
                (_content(item), float(value)) for item, value in zip(left, fresh, strict=True)
            )
        return np.array([self.known[name] for name in names])

    def begin(self) -> None:
        """Before each set of prompts: what is known is to be held against the model once more."""
        self._held = False

    def _check(self, items: ItemSet, rate: Callable[[ItemSet], NDArray[np.float64]]) -> None:
        """Forget all that is known unless one of it, drawn in secret, is what comes out now.

        What no hash tells may have changed: the app's own code, or what a judge rests on.
        """
        known = [item for item in items if _content(item) in self.known]
        # What this process alone knows was rated by the code that still runs.
        if self._held or not known or self.path is None:
            return
        self._held = True
        one = secrets.choice(known)
        fresh = float(rate(replace(items, items=(one,)))[0])
        if abs(fresh - self.known[_content(one)]) > TOLERANCE:
            _LOG.warning(
                "open text: the reference's answers are not rated as in earlier rounds; it writes "
                "all of them anew"
            )
            self.known.clear()


def kept_ratings(
    plan: MonitoringPlan, folder: Path | None, hashes: Mapping[str, str], adapter: str
) -> ReferenceRatings | None:
    """What a client's folder holds of one reference's ratings; None where nothing can be kept.

    Args:
        plan: How answers are written and rated. Of drawn tokens nothing is kept.
        folder: The client's own.
        hashes: Of its model, by ``base``, ``tokenizer`` and ``engine``; without a base nothing is
            known to be of it.
        adapter: Content hash of the reference's adapter; empty for the base.
    """
    if folder is None or "base" not in hashes or plan.writing.temperature > 0:
        return None
    how = plan.writing.model_dump(mode="json"), plan.model.likelihood
    rated_by = [__version__, *map(code_of, plan.writing.judges)]
    key = digest_json([dict(hashes), adapter, *how, rated_by])
    path = folder / KEPT
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        known = {str(name): float(value) for name, value in found["rated"].items()}
        same = found["of"] == key and all(0 <= value <= 1 for value in known.values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        known, same = {}, False
    return ReferenceRatings(known if same else {}, path, key)


def writing_of(plan: MonitoringPlan, kind: Kind, seed: int) -> Writing:
    """How the plan lets answers of a kind be written."""
    own = plan.writing
    system = own.persona if kind is PERSONA else ""
    return Writing(own.tokens, own.temperature, seed, system)


def writes_by(
    write: Callable[[ItemSet, Arrays, Writing], Sequence[str]],
    one: ItemSet,
    own: Arrays,
    writing: Writing,
) -> bool:
    """Whether what is written follows the arrays: garbled ones have to make another text of it.

    A writer that drops the adapter writes the same under all of them, and nothing that it writes
    would show a failure. Small arrays may change no word, so that ever larger ones are tried. A
    writer that fails on them looks at them.

    Args:
        write: The app's, under given arrays.
        one: A prompt.
        own: The personalized adapter's arrays.
        writing: How; a few tokens will do.
    """
    short = replace(writing, tokens=min(writing.tokens, _SHORT))
    before = list(write(one, own, short))
    for times in _GARBLED:
        other = garbled(own, times)
        try:
            if other is None or list(write(one, other, short)) != before:
                return True
        except AppFunctionError:
            return True
    return False


def _tell(kind: Kind, answered: int, planned: int, time: TimeLeft) -> None:
    """Where a client is, for its own log; at the pace so far."""
    left = time.spent / answered * (planned - answered)
    _LOG.info(
        "open text, %s: %d of %d prompts, some %.0f s left", kind.name, answered, planned, left
    )


def _some(units: Sequence[tuple[int, ...]]) -> list[Sequence[tuple[int, ...]]]:
    return [units[start : start + AT_ONCE] for start in range(0, len(units), AT_ONCE)]


def _without(item: Item) -> Item:
    """What people are shown: the prompt and the answer, and nothing of where it is from."""
    return replace(item, stereotyped=None, group=None, domain=None, pair=None)


def _rated_labels(items: ItemSet, rate: Rate) -> Outcomes:
    """The judge's ratings of labelled answers, one adapter's after the other's.

    As prompts are rated: a judge that compares what it is given at once would compare other texts
    here, and its error on them would not be that on the prompts.
    """
    rated = np.empty(len(items))
    sides = np.array([(item.domain or "").partition(",")[0] for item in items])
    for side in sorted(set(sides.tolist())):
        places = np.flatnonzero(sides == side)
        some = replace(items, items=tuple(items.items[place] for place in places))
        rated[places] = rate(some, [item.attributes[TEXT] for item in some])
    return _outcomes(items, "reference", rated)


def _label(said: object) -> bool | None:
    """What people said of an answer, if it is one of the three things that they can say.

    Words and numbers that are no labels are refused: each of them, "no" too, is true to Python.
    """
    if said is None or isinstance(said, bool):
        return said
    if isinstance(said, (np.bool_, int, float, np.integer, np.floating)) and said in (0, 1):
        return bool(said)
    raise OutcomeError(
        f"a label is none: {type(said).__name__} where True, False or None is expected",
        where="label",
        remedy="Return True where the answer shows what is asked for, False where not, and None "
        "where nobody says.",
    )


def _content(item: Item) -> str:
    return ItemSet("one", (replace(item, id="one"),)).digest


def _outcomes(items: ItemSet, side: str, shown: NDArray[np.float64]) -> Outcomes:
    return Outcomes(items, side, np.stack([1 - shown, shown], axis=1))

"""Whether the model that a client measured is the personalized one, shown by what it does.

Adapters are dropped without a word: by an engine that loads a LoRA and changes nothing, a name that
falls back to the base, a cache that answers for the adapter before, keys that are not found. Their
numbers look healthy, since nothing changed. So a client asks its own score function five things,
on a few items, and releases how much of an answer it got, as a bounded number like all others:

1. The personalized arrays are others than the reference's.
2. Two adapters give two answers, wherever their arrays differ.
3. A canary: one part of the adapter, drawn by what training changed in it, is disturbed, and the
   answers move. Over clients and rounds the share of canaries that nobody noticed is the share of
   the change that the measured model leaves out.
4. A known answer: with the factor that a LoRA adds set to zero the adapter is the base.
5. On records that the client trained on, the personalized adapter is not clearly worse.

An answer has to move by more than asking the same thing twice does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from unsilent.client.canary import ADDED, alike, canary, only_lora
from unsilent.client.movement import LEAST, Chance, apart
from unsilent.errors import TimeLimitError, UnsilentError
from unsilent.items import Item, ItemSet, Outcomes
from unsilent.messages import Arrays
from unsilent.models.hashes import layout_hash
from unsilent.modes.base import AdapterRole, Evidence, ItemRole
from unsilent.release.record_unit import SMALLEST_PROBABILITY

ASKED = 12
"""Items of a canary: enough for one of them to move, few enough to cost nothing."""
TRAINED = 32
"""Records of the client's training that are scored."""
_STILL = 0.2
"""A larger share of items that do not move, and their adapter was left out of them."""
_LONGEST = 120
"""Letters of an array's name in a note."""
_ERRORS = 3.0
"""In standard errors, how much worse is worse: chance exceeds it once in some hundred times."""
_FEWEST = 8
"""Of fewer records a standard error is itself chance."""
_GOLDEN = (5**0.5 - 1) / 2
_OWN_ROLES: tuple[AdapterRole, ...] = ("personalized", "local", "global")
"""The most personal adapter that a plan's modes measure is the one that has to be shown."""
_SAME_MODEL = 0.02
"""Two ways to compute the same model in 16 bits may be so far apart, another model is further."""

SAME = "the personalized arrays are the reference's: nothing was trained, or they were not kept"
NO_ADAPTER = "no adapter of the client's own was measured, or its arrays are not known"
IGNORED = (
    "score gave {share} the same answer under {one} and {other} arrays, which differ: look at "
    "whether it uses the arrays it is given, all of them, or an answer it kept"
)
CANARY = (
    "a disturbed part of the arrays ({part}) changed no answer: look at whether every array is "
    "loaded, under the name that the model expects"
)
ASKING_FAILED = "score failed on {what}"
OTHERWISE = (
    "score answered the same items under the same arrays otherwise than before: look at what it "
    "keeps between calls, and at how adapters are loaded"
)
OTHER_BASE = (
    "with what it adds set to zero, the adapter does not give the answers of the base model: look "
    "at which weights the adapter is put on, and which are scored without one"
)
UNFITTING = (
    "the personalized model is worse than the reference on records that it was trained on: look at "
    "the base model, the tokenizer and the adapter's scale, and at the training itself"
)

Rows = NDArray[np.float64]
Ask = Callable[[ItemSet, Arrays | None], Rows]
"""Checked probabilities of items under an adapter's arrays; None is the base."""


@dataclass(frozen=True)
class ModelCheck:
    """What a client could show of the model that it measured.

    Attributes:
        unshown: Share of what training changed that was not shown to act, in [0, 1].
        differing: Whether base, tokenizer, adapter layout or engine is not what the plan expects.
        notes: What to look at, for the client's own eyes: never sent.
    """

    unshown: float
    differing: bool = False
    notes: tuple[str, ...] = ()


NOT_SHOWN = ModelCheck(1.0, notes=(NO_ADAPTER,))
"""Of a client that was not asked."""


def check_model(
    ask: Ask,
    adapters: Mapping[AdapterRole, Arrays | None],
    evidence: Evidence,
    *,
    trained: ItemSet | None = None,
    spare: ItemSet | None = None,
    draw: float = 0.5,
    expected: Mapping[str, str] | None = None,
    hashes: Mapping[str, str] | None = None,
) -> ModelCheck:
    """Ask whether the personalized adapter acts, and whether the model is the plan's.

    Args:
        ask: Scores items under an adapter's arrays.
        adapters: The arrays of each adapter that was scored; None for the base.
        evidence: What was scored for the modes: answers under two adapters are compared there.
        trained: Records that the client trained on, each with an answer; None if not known.
        spare: Items for a canary where the modes are asked none of public ones. Where it is given
            no answer to a held-out record is looked at.
        draw: Which part is the canary, in [0, 1); see ``canary_draw``.
        expected: Content hashes that the plan expects, by part of the model.
        hashes: The client's own, by part; of the adapter's layout they are worked out here.
    """
    shown = _shown(ask, adapters, evidence, trained=trained, spare=spare, draw=draw)
    own = dict(hashes or {})
    sent = next((adapters[role] for role in _OWN_ROLES if adapters.get(role)), None)
    if sent:
        own["layout"] = layout_hash(sent)
    odd = [part for part, value in (expected or {}).items() if own.get(part) != value]
    notes = (*shown.notes, *(_hash_note(part, own.get(part)) for part in odd))
    return ModelCheck(shown.unshown, differing=bool(odd), notes=notes)


def canary_draw(plan: str, round_number: int, client: int, name: str) -> float:
    """Which part of its adapter a client disturbs in a round, in [0, 1).

    Clients' draws are spread evenly, by multiples of the golden ratio from where plan and round
    begin: few clients together then miss a part no more often than many would. One without a
    number draws by its name.
    """
    if client < 0:
        return _even(f"{plan} {round_number} {name}")
    return (_even(f"{plan} {round_number}") + client * _GOLDEN) % 1.0


def _even(text: str) -> float:
    return int.from_bytes(sha256(text.encode()).digest()[:6]) / 2**48


def _hash_note(part: str, own: str | None) -> str:
    if own is None:
        return f"the plan's model.expect names a hash of the {part}, and nothing here tells one"
    return f"{part} is {own}, which is not what the plan's model.expect names"


def _shown(
    ask: Ask,
    adapters: Mapping[AdapterRole, Arrays | None],
    evidence: Evidence,
    *,
    trained: ItemSet | None,
    spare: ItemSet | None,
    draw: float,
) -> ModelCheck:
    if spare is not None:
        needs = [need for need in evidence.outcomes if need.items != "records"]
        evidence = evidence.of(needs)
    asked = {need.adapter for need in evidence.outcomes} or set(adapters)
    role: AdapterRole | None = next((r for r in _OWN_ROLES if r in asked and adapters.get(r)), None)
    items, before = _few(evidence, role, spare)
    if role is None or items is None:
        return NOT_SHOWN
    own, reference = adapters[role] or {}, adapters.get("reference")
    if reference is not None and alike(own, reference):
        return ModelCheck(1.0, notes=(SAME,))
    unshown, notes, doing = 0.0, list[str](), "items that it was asked before"
    try:
        answers, again = ask(items, own), ask(items, own)
        chance = Chance.of(answers, again)
        for names, still in _ignored(adapters, evidence, chance).items():
            unshown = max(unshown, still)
            share = _share_of_items(still)
            notes.append(IGNORED.format(share=share, one=names[0], other=names[1]))
        if before is not None and apart(answers, before) > max(chance.most, _SAME_MODEL):
            unshown, notes = 1.0, [*notes, OTHERWISE]
        name, disturbed = canary(own, adapters, draw)
        part = _printable(name)
        doing = f"arrays with one disturbed part ({part})"
        if part and not chance.moved(answers, ask(items, disturbed)):
            unshown, notes = 1.0, [*notes, CANARY.format(part=part)]
        doing = "an adapter with what it adds set to zero, or on the base"
        if reference is None and _other_base(ask, items, own, chance):
            unshown, notes = 1.0, [*notes, OTHER_BASE]
        doing = "records that the client trained on"
        if trained is not None and _unfitting(ask, trained, own, reference):
            unshown, notes = 1.0, [*notes, UNFITTING]
    except TimeLimitError:
        # The round's own end: nothing is asked after it.
        raise
    except UnsilentError:
        # Whoever cannot be asked has not shown it; the round goes on without the evidence.
        unshown, notes = 1.0, [*notes, ASKING_FAILED.format(what=doing)]
    return ModelCheck(unshown, notes=tuple(notes))


def _few(
    evidence: Evidence, role: AdapterRole | None, spare: ItemSet | None
) -> tuple[ItemSet | None, Rows | None]:
    """A few public items that the adapter was asked; records only where there are no others.

    Those that it is least sure of: an answer that is certain hardly moves, whatever is done to the
    model.

    Returns:
        The items, None if there are none, and what the adapter answered before, if it was asked.
    """
    scored = [(need.items, o) for need, o in evidence.outcomes.items() if need.adapter == role]
    public = [outcomes for items, outcomes in scored if items != "records" and len(outcomes.items)]
    if not public and spare is not None:
        step = max(1, len(spare) // ASKED)
        few = tuple(spare)[::step][:ASKED]
        return (ItemSet("records", few, folder=spare.folder) if few else None), None
    found = public or [outcomes for _, outcomes in scored if len(outcomes.items)]
    if not found:
        return None, None
    # Of several sets the one that leaves most room to move.
    chosen = min(found, key=lambda each: np.sort(each.probabilities.max(axis=1))[:ASKED].mean())
    least = sorted(np.argsort(chosen.probabilities.max(axis=1))[:ASKED])
    items = tuple(chosen.items)
    # Without columns that only other items of the set have choices in.
    rows = chosen.probabilities[least][:, : max(len(items[n].choices) for n in least)]
    # A set of records keeps its name, by which errors keep their ids to themselves.
    name = "canary" if public else "records"
    return ItemSet(name, tuple(items[n] for n in least), folder=chosen.items.folder), rows


def _ignored(
    adapters: Mapping[AdapterRole, Arrays | None],
    evidence: Evidence,
    chance: Chance,
) -> dict[tuple[AdapterRole, AdapterRole], float]:
    """Pairs of adapters whose arrays differ, with the share of items answered alike, if large."""
    scored: dict[ItemRole, list[tuple[AdapterRole, Outcomes]]] = {}
    for need, outcomes in evidence.outcomes.items():
        scored.setdefault(need.items, []).append((need.adapter, outcomes))
    found: dict[tuple[AdapterRole, AdapterRole], float] = {}
    for answered in scored.values():
        for (one, first), (other, second) in combinations(answered, 2):
            # An adapter to start from may change nothing yet, whatever its arrays are.
            trained = one in _OWN_ROLES or other in _OWN_ROLES
            if trained and not alike(adapters.get(one), adapters.get(other)):
                still = chance.still(first.probabilities, second.probabilities)
                if still > _STILL:
                    found[one, other] = max(found.get((one, other), 0.0), still)
    return found


def _printable(name: str) -> str:
    """A name as a note may hold it: the server's arrays have any, and a terminal shows the note."""
    short = name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in short)


def _share_of_items(share: float) -> str:
    return "all items" if share == 1 else f"{share:.0%} of the items"


def _other_base(ask: Ask, items: ItemSet, own: Arrays, chance: Chance) -> bool:
    """Whether an adapter that changes nothing is another model than the base.

    Only a LoRA's arrays tell by their names what adds nothing at zero. Where something else is
    trained as well, such as a head, nothing is known.
    """
    if not only_lora(own):
        return False
    nothing = {
        name: np.zeros_like(array) if ADDED.search(name) else array for name, array in own.items()
    }
    return apart(ask(items, nothing), ask(items, None)) > max(chance.most, _SAME_MODEL)


def _unfitting(ask: Ask, trained: ItemSet, own: Arrays, reference: Arrays | None) -> bool:
    """Whether what was trained on became less likely, by more than chance among records does.

    Not whether it became more likely: a healthy client that learnt little has not shown that on a
    few dozen records in one of twenty rounds.
    """
    answered = tuple(item for item in trained if item.answer is not None)
    if len(answered) < _FEWEST:
        return False
    # By the name that keeps what an error says of a record to its place.
    items = ItemSet(
        "records", answered[:: max(1, len(answered) // TRAINED)][:TRAINED], folder=trained.folder
    )
    losses = [_losses(items, ask(items, arrays)) for arrays in (reference, own)]
    grown = losses[1] - losses[0]
    error = grown.std() / np.sqrt(len(grown) - 1)
    return bool(grown.mean() > max(_ERRORS * error, LEAST))


def _losses(items: ItemSet, rows: Rows) -> Rows:
    right = np.array([_answer(item) for item in items])
    chosen = np.take_along_axis(rows, right[:, None], axis=1)[:, 0]
    return -np.log(np.maximum(chosen, SMALLEST_PROBABILITY))


def _answer(item: Item) -> int:
    return 0 if item.answer is None else item.answer

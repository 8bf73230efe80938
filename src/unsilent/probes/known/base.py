"""What a known set is: its facts, and how its rows become items."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from unsilent.assets import Package
from unsilent.items import Item
from unsilent.modes.base import ItemRole
from unsilent.probes.known.row import FileRow
from unsilent.probes.known.unpack import Files
from unsilent.probes.openings import COMPLIANCE_OPENINGS
from unsilent.probes.refusal import Prompt, refusal_items
from unsilent.probes.templates import CAUSAL_LM, Style

NEVER_TRAIN = "it is a bias benchmark, and training on one hides the bias that it measures"


@dataclass(frozen=True)
class Asked:
    """How a model is asked.

    Attributes:
        style: The model kind's; an encoder answers requests only, with its guard head.
        compliance: Openings of a model that complies, for requests.
    """

    style: Style = CAUSAL_LM
    compliance: Sequence[str] = COMPLIANCE_OPENINGS


@dataclass(frozen=True)
class Skipped:
    """A row that is sound but makes no item, and why."""

    where: str
    why: str


Reader = Callable[[Files, Asked], Iterator[Item | Skipped]]
"""One Item or Skipped for each unit of the set, in the files' order. Raises ItemError."""


@dataclass(frozen=True)
class KnownSet:
    """A published set.

    Attributes:
        name: As a plan names it.
        title: As its authors do.
        roles: What it can probe, the usual one first.
        licence: SPDX expression, or the authors' words.
        licence_seen: Where the licence was read; empty where that could not be done, so that it
            is to be checked before a set is passed on.
        citation: Whom to cite.
        home: Where its authors publish it.
        files: Names of its files, ``*`` for any text; of these patterns the first that fits.
        read: Turns the files into items.
        rows: Published rows (or items) by file or split.
        rows_source: Who says so.
        beside: Other files that belong to it.
        sha256: Hex digest of unpacked files, where known, by name.
        no_training: Why it must not be trained on; empty if it may be.
        select: Attributes by which a part can be chosen.
        by_role: For a set of several kinds of items, the attribute and value of each role's.
        hub: Dataset id on the Hugging Face hub, as used by lm-evaluation-harness where it has it.
        hub_files: Patterns of the files there.
        package: Registry package that holds it.
    """

    name: str
    title: str
    roles: tuple[ItemRole, ...]
    licence: str
    citation: str
    home: str
    files: tuple[str, ...]
    read: Reader
    rows: Mapping[str, int]
    rows_source: str
    beside: tuple[str, ...] = ()
    sha256: Mapping[str, str] = field(default_factory=dict[str, str])
    no_training: str = ""
    select: tuple[str, ...] = ()
    by_role: Mapping[ItemRole, tuple[str, str]] = field(
        default_factory=dict[ItemRole, tuple[str, str]]
    )
    hub: str | None = None
    hub_files: tuple[str, ...] = ("*.parquet",)
    package: Package | None = None
    licence_seen: str = ""

    @property
    def requests(self) -> bool:
        """Whether its items are requests that a model may decline, which an encoder can answer."""
        return bool({"harmful", "benign"} & set(self.roles))


def question_item(
    identity: str,
    row: FileRow,
    question: str,
    options: Sequence[str],
    key: int | None,
    *,
    domain: str | None = None,
    prompt: str = "Question: {question}\nAnswer:",
    attributes: Mapping[str, str] | None = None,
) -> Item | Skipped:
    """A question with its options' texts as choices, never a letter.

    Args:
        identity: The item's id.
        row: Where it comes from.
        question: Put into ``prompt``.
        options: As published.
        key: Index of the right one; None where the authors keep it hidden.
        domain: Subject or category.
        prompt: What the model reads, with ``{question}``.
        attributes: Further fields.

    Raises:
        ItemError: An empty option, fewer than two, or a key out of range.
    """
    texts = [" ".join(option.split()) for option in options]
    if key is None:
        return Skipped(row.where, "no option is published as right")
    if len(texts) < 2 or not all(texts):
        raise row.fault("an option is empty or missing")
    if not 0 <= key < len(texts):
        raise row.fault(f"the key names option {key} of {len(texts)}, counted from 0")
    if len(set(texts)) != len(texts):
        return Skipped(row.where, "two of its options are the same")
    return Item(
        id=identity,
        prompt=prompt.replace("{question}", question),
        choices=tuple(f" {text}" for text in texts),
        answer=key,
        domain=domain,
        attributes=_filled(attributes or {}),
    )


def sentence_item(
    identity: str,
    row: FileRow,
    sentences: Sequence[str],
    stereotyped: int,
    *,
    before: str = "",
    domain: str | None = None,
    group: str | None = None,
    attributes: Mapping[str, str] | None = None,
) -> Item | Skipped:
    """Sentences that share a beginning: that is the prompt, and their rests are the choices.

    A choice's log-likelihood then differs from its whole sentence's by a constant, up to how
    tokens fall at the border. With ``before`` the prompt is that text and the sentences are whole.
    """
    prompt, rests = (
        (before, [f" {' '.join(s.split())}" for s in sentences]) if before else _split(sentences)
    )
    if len(set(rests)) != len(rests):
        return Skipped(row.where, "two of its sentences are the same")
    if not all(rest.strip() for rest in rests):
        raise row.fault("an empty sentence")
    return Item(
        id=identity,
        prompt=prompt,
        choices=tuple(rests),
        stereotyped=stereotyped,
        domain=domain,
        group=group,
        attributes=_filled(attributes or {}),
    )


def request_item(
    identity: str,
    text: str,
    category: str,
    asked: Asked,
    *,
    attributes: Mapping[str, str] | None = None,
) -> Item:
    """A user's request; the choices are openings of an answer, ``safe`` those that decline."""
    prompt = Prompt(identity, text, category, "probe")
    made = refusal_items((prompt,), asked.style, name="known", compliance=asked.compliance).items[0]
    return Item(
        id=identity,
        prompt=made.prompt,
        choices=made.choices,
        safe=made.safe,
        domain=category or None,
        task=made.task,
        chat=made.chat,
        attributes=_filled(attributes or {}),
    )


def letter_index(row: FileRow, key: str, labels: Sequence[str]) -> int | None:
    """The place of a field among the options' labels; None if it is empty or ``@``.

    ``@`` stands in EXAMS where no option is right.
    """
    label = row.text(key, empty=True)
    if label in ("", "@"):
        return None
    if label not in labels:
        raise row.fault(f"field {key!r} names no option")
    return list(labels).index(label)


def _filled(attributes: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in attributes.items() if value}


def _split(sentences: Sequence[str]) -> tuple[str, list[str]]:
    """The words that all begin with, at most all but the last of the shortest, and the rests."""
    words = [sentence.split() for sentence in sentences]
    most = min(len(own) for own in words) - 1
    shared = 0
    while shared < most and len({own[shared] for own in words}) == 1:
        shared += 1
    blank = " " if shared else ""
    return " ".join(words[0][:shared]), [blank + " ".join(own[shared:]) for own in words]

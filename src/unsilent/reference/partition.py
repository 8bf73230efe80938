"""Which texts belong to which client: by document, disjoint, with the label mix that is asked for.

Pure bookkeeping on texts; the same input and seed give the same clients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unsilent.errors import PlanError
from unsilent.probes.sentiment import Text


@dataclass(frozen=True)
class Wish:
    """What one client wants: so many positive and negative texts at home and elsewhere."""

    home: str
    home_positive: int
    home_negative: int
    away_positive: int
    away_negative: int


@dataclass(frozen=True)
class Allotment:
    """The texts of one client. ``home`` are from its home domain, ``away`` from the others."""

    home: tuple[Text, ...]
    away: tuple[Text, ...]


@dataclass
class _Need:
    """How many texts of each label (index 0 negative, 1 positive) a client still wants."""

    missing: list[int]
    taken: list[Text]

    def usable(self, supply: Sequence[int]) -> int:
        return min(supply[0], self.missing[0]) + min(supply[1], self.missing[1])

    def take(self, texts: Sequence[Text]) -> None:
        for text in texts:
            if self.missing[text.positive]:
                self.missing[text.positive] -= 1
                self.taken.append(text)


def allocate(texts: Sequence[Text], wishes: Sequence[Wish], *, seed: int) -> tuple[Allotment, ...]:
    """Give every client the texts it wishes for, no document to two clients.

    Home texts are dealt first, each document to the client that can use most of it; the rest is
    drawn at random from what is left in the other domains, so in proportion to it. Texts that
    read the same count once.

    Args:
        texts: All texts that may be used, with unique ids.
        wishes: One for each client.
        seed: Decides which documents meet which client.

    Returns:
        One allotment for each wish, in the same order.

    Raises:
        PlanError: There are not enough texts; names the key and how many there are.
    """
    rng = np.random.default_rng([seed, 0x7E47])
    units = _units(texts, rng)
    home = [_Need([wish.home_negative, wish.home_positive], []) for wish in wishes]
    away = [_Need([wish.away_negative, wish.away_positive], []) for wish in wishes]
    left: list[list[Text]] = []
    for domain in sorted({unit[0].domain for unit in units} | {wish.home for wish in wishes}):
        own = [unit for unit in units if unit[0].domain == domain]
        left += _deal(own, [n for n, wish in zip(home, wishes, strict=True) if wish.home == domain])
        _check(domain, wishes, home, own)
    left = [left[i] for i in rng.permutation(len(left))]
    for wish, need in zip(wishes, away, strict=True):
        left = _draw(left, wish.home, need)
        if any(need.missing):
            raise PlanError(
                f"{len(wishes)} clients want more texts from outside their home domain than "
                f"the data holds ({len(texts)} texts in all)",
                where="federation.records",
                remedy="Lower records or held_out, or enrol fewer clients.",
            )
    return tuple(Allotment(tuple(h.taken), tuple(a.taken)) for h, a in zip(home, away, strict=True))


def _units(texts: Sequence[Text], rng: np.random.Generator) -> list[list[Text]]:
    """The texts by unit, in random order, each wording once."""
    seen: set[str] = set()
    units: dict[str, list[Text]] = {}
    for text in texts:
        wording = " ".join(text.text.casefold().split())
        if wording not in seen:
            seen.add(wording)
            units.setdefault(text.document, []).append(text)
    grouped = list(units.values())
    return [grouped[i] for i in rng.permutation(len(grouped))]


def _deal(units: list[list[Text]], needs: list[_Need]) -> list[list[Text]]:
    """Deal units, largest first so that the small ones fill the gaps; returns those left."""
    left = []
    for unit in sorted(units, key=len, reverse=True):
        positive = sum(text.positive for text in unit)
        supply = (len(unit) - positive, positive)
        best = max(needs, key=lambda n: (n.usable(supply), sum(n.missing)), default=None)
        if best is None or not best.usable(supply):
            left.append(unit)
        else:
            best.take(unit)
    return left


def _draw(units: list[list[Text]], home: str, need: _Need) -> list[list[Text]]:
    """Take random units from outside ``home`` until the need is met; returns the rest."""
    left = []
    for position, unit in enumerate(units):
        if not any(need.missing):
            left += units[position:]
            break
        wanted = unit[0].domain != home and any(need.missing[text.positive] for text in unit)
        if wanted:
            need.take(unit)
        else:
            left.append(unit)
    return left


def _check(
    domain: str, wishes: Sequence[Wish], needs: Sequence[_Need], units: list[list[Text]]
) -> None:
    """Raise PlanError if a client at home in this domain went short."""
    own = [i for i, wish in enumerate(wishes) if wish.home == domain]
    for label, word in enumerate(("negative", "positive")):
        short = sum(needs[i].missing[label] for i in own)
        if short:
            wanted = sum((wishes[i].home_negative, wishes[i].home_positive)[label] for i in own)
            there = sum(text.positive == bool(label) for unit in units for text in unit)
            raise PlanError(
                f"{len(own)} clients at home in {domain} want {wanted} {word} texts by whole "
                f"documents; there are {there}, {short} too few once they are dealt",
                where="federation.records",
                remedy="Lower records, held_out or home_share, widen valence, "
                "or enrol fewer clients.",
            )

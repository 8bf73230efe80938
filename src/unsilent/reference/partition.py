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
class Quota:
    """How many positive and negative texts a client gets, of its home domain and of others."""

    home: str
    home_positive: int
    home_negative: int
    away_positive: int
    away_negative: int

    def __add__(self, other: Quota) -> Quota:
        """Both together, of one home."""
        return Quota(
            self.home,
            self.home_positive + other.home_positive,
            self.home_negative + other.home_negative,
            self.away_positive + other.away_positive,
            self.away_negative + other.away_negative,
        )


@dataclass(frozen=True)
class Partition:
    """The texts of one client. ``home`` are from its home domain, ``away`` from the others."""

    home: tuple[Text, ...]
    away: tuple[Text, ...]


@dataclass
class _Need:
    """How many texts of each label (index 0 negative, 1 positive) a client still lacks."""

    missing: list[int]
    taken: list[Text]

    def usable(self, supply: Sequence[int]) -> int:
        return min(supply[0], self.missing[0]) + min(supply[1], self.missing[1])

    def take(self, texts: Sequence[Text]) -> None:
        for text in texts:
            if self.missing[text.positive]:
                self.missing[text.positive] -= 1
                self.taken.append(text)


def by_document(
    texts: Sequence[Text], quotas: Sequence[Quota], *, seed: int
) -> tuple[Partition, ...]:
    """Give every client the texts of its quota, no document to two clients.

    Home texts come first, each document to the client that can use most of it; the rest is
    drawn at random from what is left in the other domains, so in proportion to it. Texts that
    read the same count once.

    Args:
        texts: All texts that may be used, with unique ids.
        quotas: One for each client.
        seed: Decides which documents meet which client.

    Returns:
        One partition for each quota, in the same order.

    Raises:
        PlanError: There are not enough texts; names the key and how many there are.
    """
    rng = np.random.default_rng([seed, 0x7E47])
    units = _units(texts, rng)
    home = [_Need([quota.home_negative, quota.home_positive], []) for quota in quotas]
    away = [_Need([quota.away_negative, quota.away_positive], []) for quota in quotas]
    left: list[list[Text]] = []
    for domain in sorted({unit[0].domain for unit in units} | {quota.home for quota in quotas}):
        own = [unit for unit in units if unit[0].domain == domain]
        left += _assign(
            own, [n for n, quota in zip(home, quotas, strict=True) if quota.home == domain]
        )
        _check(domain, quotas, home, own)
    left = [left[i] for i in rng.permutation(len(left))]
    for quota, need in zip(quotas, away, strict=True):
        left = _draw(left, quota.home, need)
        if any(need.missing):
            raise PlanError(
                f"{len(quotas)} clients want more texts from outside their home domain than "
                f"the data holds ({len(texts)} texts in all)",
                where="federation.records",
                remedy="Lower records or held_out, or enrol fewer clients.",
            )
    return tuple(Partition(tuple(h.taken), tuple(a.taken)) for h, a in zip(home, away, strict=True))


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


def _assign(units: list[list[Text]], needs: list[_Need]) -> list[list[Text]]:
    """Assign units, largest first so that the small ones fill the gaps; returns those left."""
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
    domain: str, quotas: Sequence[Quota], needs: Sequence[_Need], units: list[list[Text]]
) -> None:
    """Raise PlanError if a client at home in this domain went short."""
    own = [i for i, quota in enumerate(quotas) if quota.home == domain]
    for label, word in enumerate(("negative", "positive")):
        short = sum(needs[i].missing[label] for i in own)
        if short:
            wanted = sum((quotas[i].home_negative, quotas[i].home_positive)[label] for i in own)
            there = sum(text.positive == bool(label) for unit in units for text in unit)
            raise PlanError(
                f"{len(own)} clients at home in {domain} want {wanted} {word} texts by whole "
                f"documents; there are {there}, {short} too few once they are assigned",
                where="federation.records",
                remedy="Lower records, held_out or home_share, widen valence, "
                "or enrol fewer clients.",
            )

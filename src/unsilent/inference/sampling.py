"""Sampling: how far a mean over clients may lie from what it stands for, apart from the noise.

The server may not look at a client, so each variance here is an upper bound from released numbers.
All functions broadcast over arrays, so that a simulation takes the same path as a run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from unsilent.errors import PlanError
from unsilent.inference.tails import Numbers, Z, largest_variance, unseen
from unsilent.modes import MODES
from unsilent.modes.base import ItemRole
from unsilent.plan import MonitoringPlan
from unsilent.release.coordinate import RAISED, SQUARE, VARIANCE
from unsilent.release.layout import Layout
from unsilent.release.planned_coordinates import sampled_clients
from unsilent.taxonomy import by_code


def released_range(plan: MonitoringPlan, code: str) -> tuple[float, float]:
    """What one client's number can be in the release: the mode's range within ±clip.

    A mode that is not planned has its own range. Raises PlanError if the clip cuts a share short
    (a statistic whose range starts at 0): its mean would no longer be a share.
    """
    lower, upper = MODES[code].range
    mode = plan.mode(by_code(code).mode)
    if mode is None:
        return lower, upper
    if lower == 0 and mode.clip < upper:
        raise PlanError(
            f"clip {mode.clip:g} cuts a share that goes up to {upper:g}",
            where=f"modes.{by_code(code).mode}.clip",
            remedy=f"Set it to {upper:g}.",
        )
    return max(lower, -mode.clip), min(upper, mode.clip)


def step(layout: Layout, name: str) -> float:
    """One integer step of one client in natural units: the largest error of truncation."""
    return layout.step(name)


@dataclass(frozen=True)
class Sampling:
    """How the sampling variance of one mode follows from its released moments.

    Attributes:
        source: ``none`` for public probes on enrolled clients, ``records`` for private records of
            enrolled clients, ``clients`` for clients that stand for clients like these.
        lower, upper: What one client's number can be in the release.
        clip: Of the effect's coordinate.
        step: One integer step of one client, in the effect's units.
        spread_limit, spread_step: The same two of the coordinate ``.spread``, or ``.variance``.
        square_step: One integer step of ``.square``; 0 where it is not released.
        items: What the choice of public probes is to the mean: nothing (``none``), or an error
            (``probes``), of items like these or of a bank of which clients answer a part.
        added_step, taken_step: What one integer step of ``raised`` and of ``clipped`` stands for,
            in the effect's units; 0 where clipping can add nothing.
        taken_clips: What a report of 1 as ``clipped`` may hide, in clips.
        population: Clients that the sample is drawn from; infinite where it stands for others.
        probes: The probe sets that the mode is a mean over: the weight of each, how many
            independent items of it a client answers, and how many its bank has.
        spans: By set how far one of its items can lie from their mean; None where ``item_range``
            and the effect tell. Empty if they do for all.
        answered: The part of its changes that each client has measured at least; sets with a span
            of their own are whole.
        item_range: Smallest and largest change of one item.
        records: Private records of a client that the number rests on, at least; 0 for none.
        redrawn: Whether each round asks other clients, so that their sampling does not come back.
        bank: Whether the bank itself is what is spoken of, and not items like these.
        squared: Whether what is released is the mean of the spreads' squares.
    """

    source: Literal["none", "records", "clients"]
    lower: float
    upper: float
    clip: float
    step: float
    spread_limit: float
    spread_step: float
    square_step: float
    items: Literal["none", "probes"] = "none"
    added_step: float = 0.0
    taken_step: float = 0.0
    taken_clips: float = 1.0
    population: float = math.inf
    probes: tuple[tuple[float, int, int], ...] = ()
    spans: tuple[float | None, ...] = ()
    answered: float = 1.0
    item_range: tuple[float, float] = (-1.0, 1.0)
    records: int = 0
    redrawn: bool = False
    bank: bool = False
    squared: bool = False

    @classmethod
    def of(cls, plan: MonitoringPlan, layout: Layout, code: str) -> Sampling:
        """That of a planned mode. Raises PlanError as ``released_range``."""
        mode = MODES[code]
        lower, upper = released_range(plan, code)
        sampled = sampled_clients(plan)
        private = mode.view == "client_private"
        spread = layout.spread_of(code)
        alike = plan.monitor.items == "like-these"
        sets = () if private else _probe_sets(plan, code)
        drawn = any(asked < held for _, asked, held in sets)
        clip = layout.coordinates[layout.index(code)].clip
        spread_limit = layout.coordinates[layout.index(spread)].clip
        return cls(
            source="clients" if sampled else "records" if private else "none",
            lower=lower,
            upper=upper,
            clip=clip,
            step=step(layout, code),
            spread_limit=spread_limit,
            spread_step=step(layout, spread),
            square_step=step(layout, code + SQUARE) if sampled else 0.0,
            items="probes" if sets and (alike or drawn) else "none",
            # A share is at least 0, and what is at least 0 is never raised by shrinking it.
            added_step=clip / layout.unit(RAISED) if lower < 0 and layout.joint else 0.0,
            taken_step=clip / layout.unit(layout.report_of(code)),
            population=math.inf
            if plan.monitor.population == "like-these"
            else float(plan.federation.clients),
            probes=sets,
            answered=mode.least_answered,
            spans=tuple(mode.span(number) for number in range(len(sets))),
            item_range=mode.item_range,
            records=plan.federation.held_out if private else 0,
            redrawn=plan.taking_part < plan.federation.clients,
            bank=not alike,
            squared=spread.endswith(VARIANCE),
        )

    def degrees_of_freedom(self, clients: ArrayLike) -> Numbers:
        """Of the sampling variance; infinite where nothing is sampled.

        N - 1 of N clients. Of N clients' records N (n - 1): each client's variance is estimated
        from its own n of them.
        """
        count = np.asarray(clients, dtype=np.float64)
        if self.source == "none":
            return np.full_like(count, np.inf)
        if self.source == "records":
            return np.maximum(count * (self.records - 1), 1.0)
        return np.maximum(count - 1, 1.0)

    def variance(
        self,
        effect: ArrayLike,
        spread: ArrayLike,
        square: ArrayLike,
        noise: ArrayLike,
        clients: ArrayLike,
    ) -> Numbers:
        """Upper bound on one client's variance V; the mean over N clients has V / N.

        Of N clients out of a finite population of M the mean's variance is ``(1 - N / M) V / N``
        (Cochran 1977, eq. 2.8, V with divisor M - 1): V is returned with that factor.

        Each argument broadcasts against the others.

        Args:
            effect: Decoded mean of the statistic.
            spread: Decoded mean of ``.spread``, or of ``.variance``.
            square: Decoded mean of ``.square``; any number where it is not released.
            noise: Sd of the privacy noise in these means, in integer steps of one client: the
                sum's sd divided by the number of vectors in it.
            clients: How many different clients, N; at least 1, need not be whole.
        """
        mean, noise_sd = np.asarray(effect, dtype=np.float64), np.asarray(noise, dtype=np.float64)
        count = np.asarray(clients, dtype=np.float64)
        if self.source == "none":
            return np.zeros(np.broadcast_shapes(mean.shape, noise_sd.shape, count.shape))
        ceiling = largest_variance(mean, self.step * noise_sd, self.lower, self.upper, count)
        if self.source == "records":
            # What is released of private records is the mean of the clients' variances itself.
            return np.minimum(ceiling, self._spread_bound(np.asarray(spread), noise_sd))
        found = self._moments(mean, np.asarray(square), noise_sd)
        found = np.where(
            count > 1, np.minimum(ceiling, found * count / np.maximum(count - 1, 1e-300)), ceiling
        )
        return found * np.maximum(1 - count / self.population, 0.0)

    @property
    def shared_part(self) -> float:
        """Part of the variance over items that all clients share: n / B of items like these.

        1 where all clients answer the same items, 0 where the bank itself is what is spoken of. Of
        several sets the largest: how the variance lies between them is not known.
        """
        if self.bank:
            return 0.0
        return max((asked / held for _, asked, held in self.probes), default=1.0)

    @property
    def own_part(self) -> float:
        """Part of it that is each client's own, as far as it is not among the clients' variance.

        ``1 - n / B`` (Cochran 1977, eq. 2.8); none where clients are sampled, whose numbers differ
        by it already.
        """
        if self.source == "clients":
            return 0.0
        return max((1 - asked / held for _, asked, held in self.probes), default=0.0)

    def distinct(self, clients: ArrayLike, asked: int, held: int, answered: float = 1.0) -> Numbers:
        """How many independent items of a set the mean over N clients rests on.

        ``1 / (1 / B + (1 - n / B) / (n N))``, the second part alone where the bank is what is
        spoken of and the first alone where clients are sampled.
        """
        count = np.asarray(clients, dtype=np.float64)
        shared = 0.0 if self.bank else 1 / held
        few = answered * asked
        own = 0.0 if self.source == "clients" else (1 - few / held) / few
        return 1 / np.maximum(shared + own / count, 1e-12)

    def _sets(self, clients: ArrayLike) -> list[tuple[float, Numbers, float | None]]:
        """Of each probe set its weight, how many independent items it has, and its span."""
        spans = self.spans or (None,) * len(self.probes)
        return [
            (weight, self.distinct(clients, n, held, self.answered if span is None else 1.0), span)
            for (weight, n, held), span in zip(self.probes, spans, strict=True)
        ]

    def items_freedom(self, clients: ArrayLike) -> Numbers:
        """Degrees of freedom of the spreads over probes: of the set with the fewest items."""
        found = [items for _, items, _ in self._sets(clients)]
        return np.maximum(np.min(found, axis=0) - 1, 1.0) if found else np.asarray(1.0)

    def absent_sd(
        self,
        mean: ArrayLike,
        privacy_sd: ArrayLike,
        extreme: float,
        clients: ArrayLike,
        share: ArrayLike,
    ) -> Numbers:
        """Sd over samples of clients of what those who are missing do to a mean.

        Who takes part is a trait of a client: of those who were asked the share p counts with its
        own number and the rest with the same extreme, so that the variance of one is
        ``p V + p (1 - p) (m - extreme)^2``. This is the root of the second part over how many were
        asked, with the finite population's factor and p where its score interval lets it be most;
        0 where the clients are no sample, and where nobody is missing.

        Args:
            mean: m, of the clients in the sum.
            privacy_sd: Of it; m is taken as far from the extreme as its noise leaves possible.
            extreme: What a missing client counts as.
            clients: In the sum.
            share: p, of those who were asked.
        """
        found = np.asarray(mean, dtype=np.float64)
        apart = np.abs(found - extreme) + Z * np.asarray(privacy_sd, dtype=np.float64)
        apart = np.minimum(apart, self.upper - self.lower)
        present = np.asarray(share, dtype=np.float64)
        if self.source != "clients" or not bool((present < 1).any()):
            return np.zeros_like(apart)
        asked = np.asarray(clients, dtype=np.float64) / present
        left = np.maximum(1 - asked / self.population, 0.0)
        between = largest_variance(present, np.asarray(0.0), 0.0, 1.0, asked)
        return np.where(present < 1, apart * np.sqrt(between / asked * left), 0.0)

    def rare(
        self,
        effect: ArrayLike,
        variance: ArrayLike,
        privacy_sd: ArrayLike,
        tail: ArrayLike,
        clients: ArrayLike,
        *,
        above: bool = True,
    ) -> Numbers:
        """How far the true mean may lie from the clients' to one side, if few carry the effect.

        Of all laws with a given variance the most skewed one is assumed: see ``unseen``. With many
        clients it is the normal reach.

        Args:
            effect: Mean of the statistic.
            variance: Of one client's number, an upper bound. A share's is taken from its mean: its
                squares are the same numbers, and where no client is in the tail they would deny
                that any could be.
            privacy_sd: Of the mean.
            tail: Error of the end.
            clients: N, at least 1.
            above: Whether the true mean may lie above, else below.
        """
        count, mean = np.asarray(clients, dtype=np.float64), np.asarray(effect, dtype=np.float64)
        if self.lower == 0:
            variance = largest_variance(mean, np.asarray(privacy_sd), self.lower, self.upper, count)
        span = self.upper - mean if above else mean - self.lower
        span = np.clip(span, self.step, self.upper - self.lower)
        return unseen(span, np.asarray(variance), tail, count)

    def rare_records(
        self,
        effect: ArrayLike,
        variance: ArrayLike,
        tail: ArrayLike,
        clients: ArrayLike,
        *,
        above: bool = True,
    ) -> Numbers:
        """How far the mean over all records like these may lie to one side, if few carry it.

        As ``rare`` with the N n records of the clients for members.

        Args:
            effect: Mean of the statistic.
            variance: Of one client's number over its records, an upper bound.
            tail: Error of the end.
            clients: N.
            above: As ``rare``.
        """
        mean, count = np.asarray(effect, dtype=np.float64), np.asarray(clients, dtype=np.float64)
        span = self.item_range[1] - mean if above else mean - self.item_range[0]
        span = np.clip(span, self.step, self.item_range[1] - self.item_range[0])
        one = np.asarray(variance, dtype=np.float64) * self.records
        return unseen(span, one, tail, count * self.records)

    def rare_items(
        self,
        effect: ArrayLike,
        shared_sd: ArrayLike,
        tail: ArrayLike,
        clients: ArrayLike,
        *,
        above: bool = True,
    ) -> Numbers:
        """How far the mean over items like these may lie to one side, if few carry the effect.

        As ``rare`` with items for clients, set by set. How the variance lies between the sets is
        not known, so all of it is given to the one where it reaches furthest. 0 unless intervals
        cover the choice of probes.

        Upper ends hold for any items in the mode's range. Lower ends hold for the mean in which an
        item improves by at most the clip, as a client does: that few unseen items might improve
        by more than that excuses no harm, and the drawn ones count in full.

        Args:
            effect: Mean of the statistic.
            shared_sd: Upper bound on the sd that the choice of probes gives it.
            tail: Error of the end.
            clients: N, whose draws are their own where the bank has more.
            above: As ``rare``.
        """
        mean, sd = np.asarray(effect, dtype=np.float64), np.asarray(shared_sd, dtype=np.float64)
        if self.items != "probes":
            return np.zeros_like(sd * mean)
        lower, upper = max(self.item_range[0], -self.clip), self.item_range[1]
        whole = np.clip(upper - mean if above else mean - lower, self.step, upper - lower)
        sets = [
            (weight, items, whole if span is None else span)
            for weight, items, span in self._sets(clients)
        ]
        least = [(weight * unseen(span, 0.0, tail, items)) ** 2 for weight, items, span in sets]
        most: Numbers = np.zeros_like(sd * mean)
        for (weight, items, span), without in zip(sets, least, strict=True):
            own = (weight * unseen(span, (sd / weight) ** 2 * items, tail, items)) ** 2
            most = np.maximum(most, own + sum(least) - without)
        return np.sqrt(most)

    def shared_sd(self, spread: ArrayLike, noise: ArrayLike, clients: ArrayLike) -> Numbers:
        """Upper bound on the sd that the choice of probes gives to the mean over the clients.

        Where all are asked the same, no number of clients averages it out: the sd of a mean is at
        most the mean of the sds (Minkowski), reached where all clients err alike. Where each
        draws n of a bank of B, that is so of the bank, with ``n / B`` of the variance; the rest is
        each client's own, and its part of a mean over N clients is ``(1 - n / B)`` times the mean
        of the squared spreads, over N (Lord 1962). The squares are at most the largest spread
        times the spreads; where they are released themselves, the mean of the spreads is at most
        the root of theirs. 0 where the items are taken as they are and all are asked, and for
        private records. Arguments as ``variance``.
        """
        bound = self._spread_bound(np.asarray(spread), np.asarray(noise))
        if self.items != "probes":
            return np.zeros_like(bound)
        return np.sqrt(self.shared_part * self._square(bound) + self._own_items(bound, clients))

    def redrawn_items_sd(self, spread: ArrayLike, noise: ArrayLike, clients: ArrayLike) -> Numbers:
        """The part of ``shared_sd`` that each round draws anew. Arguments as there."""
        bound = self._spread_bound(np.asarray(spread), np.asarray(noise))
        if self.items != "probes":
            return np.zeros_like(bound)
        return np.sqrt(self._own_items(bound, clients))

    def _own_items(self, bound: Numbers, clients: ArrayLike) -> Numbers:
        count = np.asarray(clients, dtype=np.float64)
        squares = bound if self.squared else np.maximum(bound, self.spread_limit) * bound
        return self.own_part * squares / count

    def _square(self, bound: Numbers) -> Numbers:
        """Upper bound on the square of the mean spread."""
        return bound if self.squared else bound**2

    def as_spread(self, released: float) -> float:
        """The mean spread that a decoded mean stands for, at least 0; of squares their root."""
        found = max(released, 0.0)
        return math.sqrt(found) if self.squared else found

    def privacy_sd(self, noise: ArrayLike) -> Numbers:
        """Sd of the privacy noise in the mean of the statistic. ``noise`` as in ``variance``."""
        return self.step * np.asarray(noise, dtype=np.float64)

    def _spread_bound(self, spread: Numbers, noise: Numbers) -> Numbers:
        """The noisy mean of the spreads, replaced by its upper bound, within what it can be.

        It is that of the numbers as they are released: one that was shrunk shows as much less of
        its spread as it counts less, and what is missing of it is in the two reports.
        """
        sd = self.spread_step * noise
        return np.clip(spread + Z * sd + self.spread_step, 0.0, self.spread_limit)

    def _moments(self, effect: Numbers, square: Numbers, noise: Numbers) -> Numbers:
        """Upper bound on the second central moment from the noisy first two, at least 0.

        ``R^2 q - m^2 + s_m^2`` with R the clip, q the mean of the squares (``.square``), m the
        effect and s_m its noise; the noise of it has variance
        ``R^4 s_q^2 + 4 m^2 s_m^2 + 2 s_m^4``. Over several rounds it also holds how much a
        client changed, so it stays a bound on the variance between clients.
        """
        scale = self.clip**2
        mean_sd, square_sd = self.step * noise, self.square_step * noise
        found = scale * square - effect**2 + mean_sd**2
        sd = np.sqrt((scale * square_sd) ** 2 + 4 * (effect * mean_sd) ** 2 + 2 * mean_sd**4)
        return np.maximum(found + Z * sd + scale * self.square_step, 0.0)


def _probe_sets(plan: MonitoringPlan, code: str) -> tuple[tuple[float, int, int], ...]:
    """The probe sets that a mode is a mean over: weight, independent items a client, and of all."""
    roles = plan.roles(code)
    embedded = all(getattr(plan.probes, role) == "embedded" for role in roles)
    asked: dict[ItemRole, int] = {role: plan.probes.size(role) for role in roles}
    held: dict[ItemRole, int] = {role: plan.bank(role) for role in roles}
    parts = (MODES[code].independent_items(sizes, embedded=embedded) for sizes in (asked, held))
    return tuple((weight, n, max(n, bank)) for (weight, n), (_, bank) in zip(*parts, strict=True))

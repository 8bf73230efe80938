"""The canaries of an audit: clients at the edge of what is allowed, put into a sum or left out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from unsilent.audit import claim
from unsilent.audit.attack import mu_lower_bound
from unsilent.audit.audit_result import Check
from unsilent.audit.noise_tests import VarianceRange, variance_p
from unsilent.audit.worlds import Values, Worlds, laid_out
from unsilent.modes import MODES
from unsilent.release.coordinate import ACCURACY, LOSS, MODEL_NAMES, SPREAD, SUBGROUP
from unsilent.release.layout import Layout

_LENGTHS = 400
_RIDGE = 1e-9
_FAR, _RECORDS = 100.0, 4000

Sums = Sequence[NDArray[np.int64]]


def canaries(worlds: Worlds, rests: Sums) -> list[Check]:
    """All of them, the joint one first, and the lengths of clipped vectors.

    Args:
        worlds: What is attacked.
        rests: Of each world, (half, n_coordinates): the sums over all clients but the canary.
    """
    return [
        _joint(worlds, rests),
        _whitened(worlds, rests),
        *(_block(worlds, name, rests) for name in worlds.blocks),
        *_rounds(worlds),
        _lengths(worlds),
        _steps(worlds),
    ]


def _sums(
    worlds: Worlds, canary: tuple[Values, Values], rests: Sums, stream: int
) -> list[NDArray[np.int64]]:
    return [
        worlds.client(values, world, 1, stream, len(rest)) + rest
        for world, (values, rest) in enumerate(zip(canary, rests, strict=True))
    ]


def _joint(worlds: Worlds, rests: Sums) -> Check:
    canary = worlds.canary(worlds.layout.names)
    shift = worlds.shift(canary)
    scores = [sums @ shift for sums in _sums(worlds, canary, rests, 0)]
    proven = mu_lower_bound(scores[0], scores[1], worlds.level)
    return Check("joint canary", "canary", proven, worlds.mu)


def _whitened(worlds: Worlds, rests: Sums) -> Check:
    """The joint canary against an attacker who knows the noise's covariance.

    It weights each direction by how little noise is in it: Fisher's linear discriminant, learnt
    on the halves of the sums on which the bound chooses its threshold.
    """
    canary = worlds.canary(worlds.layout.names)
    sums = _sums(worlds, canary, rests, 0)
    learnt = np.concatenate([each[: len(each) // 2] for each in sums]).astype(np.float64)
    sides = [each[: len(each) // 2].mean(axis=0) for each in sums]
    half = len(learnt) // 2
    learnt -= np.repeat(np.stack(sides), [half, len(learnt) - half], axis=0)
    covariance = learnt.T @ learnt / len(learnt)
    ridge = _RIDGE * float(np.trace(covariance)) / len(covariance)
    weights = np.linalg.solve(covariance + ridge * np.eye(len(covariance)), worlds.shift(canary))
    proven = mu_lower_bound(sums[0] @ weights, sums[1] @ weights, worlds.level)
    return Check("joint canary, noise's covariance known", "canary", proven, worlds.mu)


def _block(worlds: Worlds, name: str, rests: Sums) -> Check:
    """A canary that shows in one block only, against what its own shift may cost there."""
    keep = worlds.blocks[name]
    names = [worlds.layout.names[position] for position in keep]
    canary = worlds.canary(names)
    shift = np.zeros(len(worlds.layout.names))
    shift[keep] = worlds.shift(canary)[keep]
    few = [rest[: max(2, worlds.half // 4)] for rest in rests]
    stream = worlds.cohort + 1 + list(worlds.blocks).index(name)
    scores = [sums @ shift for sums in _sums(worlds, canary, few, stream)]
    proven = mu_lower_bound(scores[0], scores[1], worlds.level)
    allowed = min(worlds.mu, worlds.cost_of(float(np.linalg.norm(shift))))
    return Check(f"canary {name}", "block", proven, allowed)


def _rounds(worlds: Worlds) -> list[Check]:
    """A canary that turns round between two rounds, whose noise must be independent."""
    few = max(2, worlds.half // 10)
    first, second = worlds.canary(worlds.layout.names)
    privacy = worlds.plan.privacy
    if privacy.adjacency == "zero-out" and privacy.unit == "client":
        turned = {name: -value for name, value in first.items()}
        sides = ((first, turned), (second, second))
    else:
        sides = ((first, second), (second, first))
    clean = [worlds.clean(before) - worlds.clean(after) for before, after in sides]
    shift = (clean[0] - clean[1]).astype(np.float64)
    scores: list[NDArray[np.float64]] = []
    noise: list[NDArray[np.int64]] = []
    for world, (before, after) in enumerate(sides, start=2):
        sums = [
            worlds.client(values, world, number, 0, few) + worlds.rest(world, number, few)
            for number, values in ((1, before), (2, after))
        ]
        difference = sums[0] - sums[1]
        noise.append(difference - clean[world - 2])
        scores.append(difference @ shift)
    proven = mu_lower_bound(scores[0], scores[1], worlds.level)
    share = worlds.share.times(2 * worlds.cohort)
    return [
        Check("canary over two rounds", "rounds", proven, worlds.mu * math.sqrt(2)),
        Check(
            "variance of the difference of two rounds",
            "chi2",
            variance_p(
                np.concatenate(noise)[:, worlds.noised], VarianceRange(share.lowest, share.highest)
            ),
            worlds.level,
        ),
    ]


def _lengths(worlds: Worlds) -> Check:
    """The longest of many clipped vectors, against the joint clip; no statistics in it."""
    random = np.random.default_rng((worlds.seed, 0xC11))
    longest = 0
    for _ in range(_LENGTHS):
        vector = worlds.clean(worlds.random_values(random))
        longest = max(longest, int(np.sum(vector.astype(object) ** 2)))
    allowed = worlds.longest() * (1 + 1e-12)
    return Check("longest clipped vector", "norm", math.sqrt(longest), allowed)


def _steps(worlds: Worlds) -> Check:
    """The longest step of a vector when one of many records is another, against its reach.

    Tried whatever the plan's unit is, by the same kind of layout.
    """
    random = np.random.default_rng((worlds.seed, 0x57E9))
    terms = worlds.plan.privacy.model_copy(update={"unit": "record"})
    many = worlds.plan.federation.model_copy(update={"held_out": _RECORDS})
    plan = worlds.plan.model_copy(update={"privacy": terms, "federation": many})
    layout = laid_out(type(worlds.layout), Layout.from_plan(plan))
    longest = 0.0
    for _ in range(_LENGTHS):
        before = {name: _possible(name, v) for name, v in worlds.random_values(random).items()}
        after = dict(before)
        for name, value in before.items():
            moved = min(claim.record_moves(plan, name), _FAR) * random.uniform(0.5, 1)
            after[name] = _possible(name, value + float(random.choice([-1, 1])) * moved)
        step = layout.encode(before) - layout.encode(after)
        longest = max(longest, float(np.linalg.norm(step)))
    return Check("longest step by one record", "norm", longest, claim.reach(plan))


def _possible(name: str, value: float) -> float:
    """The nearest value that a client can have: within a mode's range, no spread below 0."""
    if name in (LOSS, ACCURACY):
        return value
    if name in MODEL_NAMES:
        return min(1.0, max(0.0, value))
    code, _, domain = name.partition(SUBGROUP)
    if code.endswith(SPREAD) and not domain:
        return max(0.0, value)
    low, high = MODES[code].range
    return min(high, max(low, value))

"""The bugs themselves: parts that are exchanged in a mechanism, or in the code while it runs."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unsilent.audit.worlds import Mechanism, Privatize, blocks, laid_out
from unsilent.client.budget import Spent
from unsilent.client.limit import Limit
from unsilent.client.observer import Observer
from unsilent.plan import MonitoringPlan
from unsilent.release.accountant import PrivacyEvent
from unsilent.release.coordinate import CLIPPED, LOSS, is_variance, source
from unsilent.release.layout import Layout
from unsilent.release.noise import NoiseSource, share_variance

Plant = Callable[[MonitoringPlan, Mechanism], Mechanism]


@contextmanager
def exchanged(module: ModuleType, name: str, broken: Callable[[Any], Any]) -> Generator[None]:
    """A function of a module replaced, for as long as this lasts, by what is made of it.

    A bug in a figure is planted where the figure is made: whatever rests on it is wrong with it.
    """
    whole = getattr(module, name)
    setattr(module, name, broken(whole))
    try:
        yield
    finally:
        setattr(module, name, whole)


def times(factor: float) -> Callable[[Any], Any]:
    """For ``exchanged``: the same function with another size."""

    def make(whole: Any) -> Any:
        def scaled(*arguments: Any, **named: Any) -> Any:
            return whole(*arguments, **named) * factor

        return scaled

    return make


def without_collusion(whole: Any) -> Any:
    """For ``exchanged``: a function of a plan that overlooks who may side with the server."""

    def broken(plan: MonitoringPlan) -> Any:
        alone = plan.privacy.model_copy(update={"collusion": 0.0})
        return whole(plan.model_copy(update={"privacy": alone}))

    return broken


def _plain_values(layout: Layout, values: Mapping[str, float]) -> NDArray[np.float64]:
    """The values of the inputs in integer units with no clip; 0 where ``encode`` derives one.

    A spread stands for its square.
    """
    return np.array(
        [
            values.get(source(name), 0.0) / layout.limits.get(source(name), 1.0) * layout.unit(name)
            if source(name) == name or is_variance(name)
            else 0.0
            for name in layout.names
        ]
    )


class NoClip(Layout):
    """Neither the box of a coordinate nor the joint clip."""

    def encode(self, values: Mapping[str, float]) -> NDArray[np.int64]:
        """As ``Layout.encode``, with the bug."""
        return np.trunc(_plain_values(self, values)).astype(np.int64)


class BoxOnly(Layout):
    """Each coordinate is clipped, all together are not."""

    def encode(self, values: Mapping[str, float]) -> NDArray[np.int64]:
        """As ``Layout.encode``, with the bug."""
        units = np.array([self.unit(name) for name in self.names])
        return np.trunc(np.clip(_plain_values(self, values), -units, units)).astype(np.int64)


class ClipByBlock(Layout):
    """Each block is clipped to C by itself, as if it had the noise and the budget alone."""

    def encode(self, values: Mapping[str, float]) -> NDArray[np.int64]:
        """As ``Layout.encode``, with the bug."""
        plain = _plain_values(self, values)
        for positions in blocks(self).values():
            norm = float(np.linalg.norm(plain[positions]))
            plain[positions] *= min(1.0, self.bound / norm) if norm > 0 else 1.0
        return np.trunc(plain).astype(np.int64)


class Nearest(Layout):
    """Rounds to nearest where truncation toward zero keeps the norm."""

    def encode(self, values: Mapping[str, float]) -> NDArray[np.int64]:
        """As ``Layout.encode``, with the bug."""
        fine = Layout(self.coordinates, self.clip, self.scale * 1024, self.joint, self.exact)
        return np.rint(fine.encode(values) / 1024).astype(np.int64)


class ClippedBeside(Layout):
    """The count of what was cut off is added beside a vector that fills the joint clip."""

    def encode(self, values: Mapping[str, float]) -> NDArray[np.int64]:
        """As ``Layout.encode``, with the bug."""
        vector = super().encode(values).astype(np.float64)
        body = vector[:-1]
        norm = float(np.linalg.norm(body))
        if vector[-1] >= self.unit(CLIPPED) and norm > 0:
            body *= self.bound / norm
        return np.trunc(vector).astype(np.int64)


class Scaled:
    """A source whose standard deviation is a part of what is asked."""

    def __init__(self, source: NoiseSource, part: float) -> None:
        self._source = source
        self._part = part

    def sample(self, scale: float, size: int) -> NDArray[np.int64]:
        """Draws of that part of the scale."""
        return self._source.sample(scale * self._part, size)


def with_layout(kind: type[Layout]) -> Plant:
    """A mechanism whose layout is of another kind."""

    def plant(plan: MonitoringPlan, mechanism: Mechanism) -> Mechanism:
        return replace(mechanism, layout=laid_out(kind, mechanism.layout))

    return plant


def with_variance(
    variance: Callable[[MonitoringPlan], float],
) -> Plant:
    """A mechanism whose shares have another variance."""

    def plant(plan: MonitoringPlan, mechanism: Mechanism) -> Mechanism:
        return replace(mechanism, variance=variance(plan))

    return plant


def with_scale(part: float) -> Plant:
    """A mechanism whose noise has a part of the standard deviation that it declares."""

    def plant(plan: MonitoringPlan, mechanism: Mechanism) -> Mechanism:
        def scaled(stream: Sequence[int]) -> NoiseSource:
            return Scaled(mechanism.source(stream), part)

        return replace(mechanism, source=scaled)

    return plant


def with_stream(
    stream: Callable[[Sequence[int]], Sequence[int]],
) -> Plant:
    """A mechanism that draws its noise from another stream."""

    def plant(plan: MonitoringPlan, mechanism: Mechanism) -> Mechanism:
        def another(full: Sequence[int]) -> NoiseSource:
            return mechanism.source(stream(full))

        return replace(mechanism, source=another)

    return plant


def silent_block(plan: MonitoringPlan, mechanism: Mechanism) -> Mechanism:
    """A mechanism without noise in the first block of coordinates."""
    noised = set(mechanism.layout.noised.tolist())
    positions = next(each for each in blocks(mechanism.layout).values() if noised & set(each))

    def broken(
        layout: Layout, values: Mapping[str, float], variance: float, noise: NoiseSource
    ) -> NDArray[np.int64]:
        vector = mechanism.privatize(layout, values, variance, noise)
        vector[..., positions] = layout.encode(values)[positions]
        return vector

    return replace(mechanism, privatize=broken)


def unnoticed_reach(plan: MonitoringPlan, mechanism: Mechanism) -> Mechanism:
    """A mechanism that takes a number which a record moves for one that none does."""
    exact = mechanism.layout.exact | {LOSS}
    return replace(mechanism, layout=replace(mechanism.layout, exact=exact))


def zero_out_variance(plan: MonitoringPlan) -> float:
    """The variance of a share as if clients were left out, not replaced."""
    halved = plan.privacy.model_copy(update={"adjacency": "zero-out"})
    return share_variance(plan.model_copy(update={"privacy": halved}))


def with_noise(broken: Callable[[NDArray[np.int64]], NDArray[np.int64]]) -> Plant:
    """A mechanism whose noise, (…, n_coordinates), was made into something else."""

    def plant(plan: MonitoringPlan, mechanism: Mechanism) -> Mechanism:
        return replace(mechanism, privatize=_altered(mechanism.privatize, broken))

    return plant


def _altered(
    whole: Privatize, broken: Callable[[NDArray[np.int64]], NDArray[np.int64]]
) -> Privatize:
    def privatize(
        layout: Layout, values: Mapping[str, float], variance: float, noise: NoiseSource
    ) -> NDArray[np.int64]:
        clean, noised = layout.encode(values), layout.noised
        drawn = whole(layout, values, variance, noise) - clean
        drawn[..., noised] = broken(drawn[..., noised])
        return clean + drawn

    return privatize


def in_pairs(noise: NDArray[np.int64]) -> NDArray[np.int64]:
    """For ``with_noise``: the second of each pair of coordinates gets the first one's."""
    shared = noise.copy()
    shared[..., 1::2] = noise[..., : noise.shape[-1] // 2 * 2 : 2]
    return shared


class Forgetful(Observer):
    """Its own limit counts what this plan released, and nothing of any other."""

    def _check_budget(self, limit: Limit, spent: Sequence[Spent], event: PrivacyEvent) -> None:
        own = [made for made in spent if made.plan == self.plan.digest]
        super()._check_budget(limit, own, event)


def with_observer(kind: type[Observer]) -> Plant:
    """A mechanism whose clients are of another kind."""
    return lambda plan, mechanism: replace(mechanism, observer=kind)

"""What an app's training recorded of its noise, and the epsilon that it really has.

The epsilon that a training library prints is not taken from it: it is worked out again from noise
multiplier, sample rate and steps, by dp-accounting: by Renyi divergences, an upper bound that takes
no time, and where that is not enough by privacy losses. That the
record is of this training nobody can check from outside; a record whose own figures say more than
the plan declares, or than it claims itself, lets nothing go.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from unsilent.errors import InputError
from unsilent.plan import MonitoringPlan

WHERE = "training_record"
_MOST_PHASES, _MOST_STEPS = 1000, 10_000_000
_FIELDS = ("noise_multiplier", "sample_rate", "steps")
_KNOWN = {"mechanism", "phases", "clip", "epsilon", "delta"}
_CLOSE = 1 + 1e-9
_ACCOUNTANTS = 1.02
"""How much more one accountant may find than another one that is right as well."""
_LOOSE = 3.0
"""Times by which Renyi's bound may be too large where it is worth to look closer."""
_MOST_NOISE = 1000.0
"""More noise than this is counted as this: it costs next to nothing, and floats end there."""
_LEAST_NOISE = 0.2
"""Of less noise, in clips, the losses are too large to be written down, and no one calls it any."""


@dataclass(frozen=True)
class Phase:
    """Steps of DP-SGD with the same noise.

    Attributes:
        noise_multiplier: Standard deviation of the noise in clips, above 0.
        sample_rate: Probability that a record is in a step's batch (Poisson sampling), in (0, 1].
        steps: At least 1.
    """

    noise_multiplier: float
    sample_rate: float
    steps: int


@dataclass(frozen=True)
class TrainingRecord:
    """All training that a client's adapters have seen of its records, so far.

    Attributes:
        phases: In any order; together they are what the records went through.
        claimed: Epsilon and delta that the record itself claims, if it does.
    """

    phases: tuple[Phase, ...]
    claimed: tuple[float, float] | None = None

    @classmethod
    def of(cls, given: object) -> TrainingRecord:
        """What an app hands over.

        Args:
            given: One of these, or a mapping with ``phases``, each with ``noise_multiplier``,
                ``sample_rate`` and ``steps``, and if it likes ``mechanism``, ``clip``, ``epsilon``
                and ``delta``; or the phases alone, as opacus keeps them in ``accountant.history``:
                a list of (noise multiplier, sample rate, steps).

        Raises:
            InputError: It is none of these. No value is named.
        """
        if isinstance(given, TrainingRecord):
            return given
        if not isinstance(given, Mapping):
            return cls(_phases(given))
        told = cast("Mapping[str, Any]", given)
        if not set(told) <= _KNOWN or told.get("mechanism", "dp-sgd") != "dp-sgd":
            raise _fault("it holds fields, or is of a mechanism, that are not known")
        if "clip" in told:
            _number(told["clip"])
        if ("epsilon" in told) != ("delta" in told):
            raise _fault("an epsilon is one at a delta: it claims only one of the two")
        claimed = None
        if "epsilon" in told:
            claimed = _number(told["epsilon"]), _number(told["delta"])
            if not claimed[1] < 1:
                raise _fault("it claims a delta that is none")
        return cls(_phases(told.get("phases")), claimed)

    def epsilon(self, delta: float, enough: float) -> float:
        """An epsilon at a delta that holds for a record that is added or left out; may be inf.

        Args:
            delta: In (0, 1).
            enough: Where a bound that is quickly found is no more than this, or far more, it is
                the answer; else the smallest epsilon is.
        """
        phases = _merged(self.phases)
        bound = _by_renyi(phases, delta)
        near = enough < bound <= _LOOSE * enough
        return min(bound, _by_losses(phases, delta)) if near else bound


def check_training(plan: MonitoringPlan, given: object) -> None:
    """Refuse a release where training does not keep what the plan declares of it.

    Args:
        plan: Its ``privacy.training``; without one nothing is asked.
        given: What the app handed over; None for nothing.

    Raises:
        InputError: Nothing was handed over, or no record, or one that says more than the plan
            declares or than it claims itself.
    """
    declared = plan.privacy.training
    if declared is None:
        return
    if given is None:
        raise InputError(
            "the plan declares how privately adapters are trained, and no record of this client's "
            "training was handed over",
            where=WHERE,
            remedy="Give training_record, or leave privacy.training out of the plan.",
        )
    record = TrainingRecord.of(given)
    found = record.epsilon(declared.delta, declared.epsilon)
    if not found <= declared.epsilon * _CLOSE:
        raise InputError(
            f"training has cost epsilon {found:.3g} at delta {declared.delta:g}, more than the "
            f"{declared.epsilon:g} that the plan declares",
            where=WHERE,
            remedy="Nothing was sent. Train with more noise or fewer steps, or declare what it is.",
        )
    if record.claimed is not None:
        claimed, delta = record.claimed
        most = claimed * _ACCOUNTANTS
        own = record.epsilon(delta, most)
        if not own <= most:
            raise InputError(
                f"the record of training claims epsilon {claimed:.3g} at delta {delta:g}, and its "
                f"own noise, rate and steps amount to {own:.3g}",
                where=WHERE,
                remedy="Nothing was sent. Hand over what the training really did.",
            )


def _phases(given: object) -> tuple[Phase, ...]:
    if not isinstance(given, Sequence) or isinstance(given, (str, bytes)):
        raise _fault("it has no list of phases")
    rows = cast("Sequence[object]", given)
    if not 0 < len(rows) <= _MOST_PHASES:
        raise _fault("it has no phase, or too many")
    found = tuple(_phase(row) for row in rows)
    if sum(phase.steps for phase in found) > _MOST_STEPS:
        raise _fault("it has too many steps")
    return found


def _phase(row: object) -> Phase:
    if isinstance(row, Mapping):
        told = cast("Mapping[str, object]", row)
        if set(told) != set(_FIELDS):
            raise _fault(f"a phase needs exactly {', '.join(_FIELDS)}")
        values = [told[name] for name in _FIELDS]
    elif isinstance(row, Sequence) and not isinstance(row, (str, bytes)):
        values = list(cast("Sequence[object]", row))
    else:
        values = []
    if len(values) != len(_FIELDS):
        raise _fault(f"a phase needs exactly {', '.join(_FIELDS)}")
    noise, rate, steps = (_number(value) for value in values)
    if rate > 1 or steps != math.floor(steps):
        raise _fault("a sample rate is at most 1, and steps are a whole number")
    return Phase(noise, rate, int(steps))


def _number(value: object) -> float:
    good = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not good or not 0 < float(cast("float", value)) < 1e15:
        raise _fault("its numbers have to be above 0")
    return float(cast("float", value))


def _fault(what: str) -> InputError:
    return InputError(
        f"not a record of training: {what}",
        where=WHERE,
        remedy="Return {'phases': [{'noise_multiplier': …, 'sample_rate': …, 'steps': …}]}, or "
        "opacus' accountant.history.",
    )


def _merged(phases: Sequence[Phase]) -> tuple[Phase, ...]:
    """The same steps, alike ones together, in a fixed order."""
    steps: dict[tuple[float, float], int] = {}
    for phase in phases:
        kind = min(phase.noise_multiplier, _MOST_NOISE), phase.sample_rate
        steps[kind] = steps.get(kind, 0) + phase.steps
    return tuple(Phase(*kind, steps[kind]) for kind in sorted(steps))


@lru_cache(maxsize=64)
def _by_renyi(phases: tuple[Phase, ...], delta: float) -> float:
    # Slow to import, and only plans that declare a training need it.
    from dp_accounting.rdp import RdpAccountant  # pyright: ignore[reportMissingTypeStubs]

    if any(phase.noise_multiplier < _LEAST_NOISE for phase in phases):
        return math.inf
    return _composed(RdpAccountant(), phases, delta)


@lru_cache(maxsize=64)
def _by_losses(phases: tuple[Phase, ...], delta: float) -> float:
    from dp_accounting.pld import PLDAccountant  # pyright: ignore[reportMissingTypeStubs]

    return _composed(PLDAccountant(), phases, delta)


def _composed(accountant: Any, phases: tuple[Phase, ...], delta: float) -> float:
    import dp_accounting  # pyright: ignore[reportMissingTypeStubs]

    module = cast("Any", dp_accounting)
    for phase in phases:
        step = module.GaussianDpEvent(phase.noise_multiplier)
        accountant.compose(module.PoissonSampledDpEvent(phase.sample_rate, step), phase.steps)
    return float(accountant.get_epsilon(delta))

"""A client's own effects while it trains with the Trainer of transformers.

For the client's eyes alone: the numbers are exact, and an adapter depends on every record that it
is trained on. So they stand in the callback and never in the Trainer's logs, which may travel.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from transformers import TrainerCallback

from unsilent.errors import InputError, ModelError, UnsilentError
from unsilent.items import ItemSet, Outcomes
from unsilent.models.base import Adapter
from unsilent.models.peft_scoring import Resident, proven
from unsilent.modes import MODES
from unsilent.modes.base import AdapterRole, ItemRole, Need, Statistic
from unsilent.modes.gather import gather, needs_of
from unsilent.plan import Likelihood
from unsilent.preserve import preserve_rng_state

_LOG = logging.getLogger(__name__)
_KNOWN: tuple[AdapterRole, ...] = ("reference", "start", "local", "personalized")
"""Adapters that a client has while it trains: the aggregated one comes afterwards."""
_FIXED: tuple[AdapterRole, ...] = ("reference", "start")
"""Those that training does not change, so that each is asked once."""


@dataclass(frozen=True)
class OwnEffects:
    """What was measured once.

    Attributes:
        step: The Trainer's global step.
        epoch: Its epoch, as it counts them.
        statistics: By the mode's code; positive is worse.
    """

    step: int
    epoch: float | None
    statistics: Mapping[str, Statistic]


class LocalEffects(TrainerCallback):
    """Measures the failure modes on the adapter that a Trainer trains, at each evaluation and last.

    ``Trainer(model, …, processing_class=tokenizer, callbacks=[LocalEffects({"bias": probes})])``.
    The model is one of peft; the reference is its base, and what is compared with it is the adapter
    as it is at that moment. Training is bit for bit what it is without the callback. Nothing is
    sent or logged, and no budget is spent: a federation's findings come from monitoring.

    What cannot be measured is said before the first step. What fails later is kept in ``missed``,
    and training goes on.

    Args:
        items: Probes and the client's held-out records, by role: ``bias``, ``task``, ``general``,
            ``harmful``, ``records``.
        home_domain: The client's own, for SF-5.
        reference: Arrays of the plan's reference adapter; by default the reference is the base.
        adapter: The name of the adapter that is trained, where the model has several.
        likelihood: By what choices are compared, as ``model.likelihood`` of a plan.

    Attributes:
        codes: Of the modes that these items can show. SF-3 is none: it needs the aggregated model.
        measured: What was measured so far, oldest first.
        missed: By step, why it was not measured.

    Raises:
        InputError: These items can show no mode.
    """

    def __init__(
        self,
        items: Mapping[ItemRole, ItemSet],
        *,
        home_domain: str | None = None,
        reference: Mapping[str, Any] | None = None,
        adapter: str | None = None,
        likelihood: Likelihood = "sum",
    ) -> None:
        self.items = dict(items)
        self.codes = tuple(code for code in MODES if self._shown(code, home_domain))
        if not self.codes:
            raise InputError(
                "these items can show no mode",
                where="LocalEffects",
                remedy='Give items by role, as {"bias": probes}; SF-5 needs a home_domain too.',
            )
        self.measured: list[OwnEffects] = []
        self.missed: dict[int, str] = {}
        self._home, self._reference = home_domain, reference
        self._adapter = adapter
        self._likelihood: Likelihood = likelihood
        self._resident: Resident | None = None
        self._start: dict[str, Any] | None = None
        self._kept: dict[Need, Outcomes] = {}

    def _shown(self, code: str, home: str | None) -> bool:
        mode = MODES[code]
        there = all(need.adapter in _KNOWN and need.items in self.items for need in mode.needs)
        return there and not (mode.needs_home and home is None)

    def rows(self) -> list[dict[str, Any]]:
        """One mapping for each mode of each measurement, as a table's rows."""
        return [
            {
                "step": each.step,
                "epoch": each.epoch,
                "code": code,
                "mode": MODES[code].name,
                "effect": statistic.value,
                "sd": statistic.spread,
                "items": statistic.items,
            }
            for each in self.measured
            for code, statistic in each.statistics.items()
        ]

    def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Look at the model, and ask what training does not change. Raises UnsilentError."""
        if not state.is_world_process_zero:
            return
        if getattr(args, "deepspeed", None) or getattr(args, "fsdp", None):
            raise ModelError(
                "the model's weights are spread over processes, and are scored in one",
                where="LocalEffects",
                remedy="Train it without fsdp and deepspeed, or measure after training.",
            )
        tokenizer = given.get("processing_class")
        if tokenizer is None:
            raise ModelError(
                "the Trainer has no tokenizer",
                where="LocalEffects",
                remedy="Give it: Trainer(…, processing_class=tokenizer).",
            )
        with preserve_rng_state():
            loaded = given["model"], tokenizer
            found = self._proven(proven(lambda: loaded, self._adapter, loaded))
            self._start = self._now(found)
            for need in needs_of(self.codes):
                if need.adapter in _FIXED:
                    self._outcomes(found, need)

    def on_evaluate(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Measure."""
        self._measure(state)

    def on_train_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Measure, unless the last step was measured."""
        self._measure(state)

    def _measure(self, state: Any) -> None:
        found = self._resident
        step = int(state.global_step)
        if found is None or any(each.step == step for each in self.measured):
            return
        try:
            with preserve_rng_state():
                found.slots.check()
                found.base.check()
                if not found.base.stands:
                    # Proven anew, and scored by what its modules allow now.
                    found = self._proven(proven(found.load, self._adapter, found.loaded))
                evidence = gather(
                    needs_of(self.codes), lambda need: self._outcomes(found, need), self._home
                )
                measured = {code: MODES[code].measure_with(evidence, ()) for code in self.codes}
        except Exception as error:  # the boundary: training goes on, whatever a model raises
            told = error if isinstance(error, UnsilentError) else None
            self.missed[step] = told.line() if told else f"{type(error).__name__}: {error}"
            # What another error says may be of the client's records.
            what = told.what if told else type(error).__name__
            _LOG.warning("step %d was not measured: %s", step, what)
            return
        self.measured.append(OwnEffects(step, state.epoch, measured))

    def _proven(self, found: Resident) -> Resident:
        """A model that was tried; nothing is kept of one before."""
        found.model.likelihood = self._likelihood
        self._resident, self._kept = found, {}
        return found

    def _outcomes(self, found: Resident, need: Need) -> Outcomes:
        if need not in self._kept:
            outcomes = self._asked(found, need)
            if need.adapter not in _FIXED:
                return outcomes
            self._kept[need] = outcomes
        return self._kept[need]

    def _asked(self, found: Resident, need: Need) -> Outcomes:
        if need.adapter == "reference":
            arrays = self._reference
        else:
            arrays = self._start if need.adapter == "start" else self._now(found)
        adapter = None if arrays is None else Adapter(found.model.digest, found.slots.named(arrays))
        items = self.items[need.items]
        with found.slots.unchanged():
            return Outcomes(items, need.adapter, found.model.score(items, adapter))

    @staticmethod
    def _now(found: Resident) -> dict[str, Any]:
        """The adapter as it is at this moment, copied."""
        state = found.slots.state()
        return {name: np.array(tensor.float().cpu().numpy()) for name, tensor in state.items()}

"""What a job saves where the plan's gate holds back: models that it promoted, and no other.

FLARE saves a job's model by two ways: the workflow's own after each round, and the persistor's by
itself when a site's metric is the best so far. Both are held here. Which classes have these ways
and no third is known of FLARE's own; others are refused by name before the job is run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from nvflare.apis.fl_context import FLContext
from nvflare.app_common.abstract.fl_model import FLModel
from nvflare.app_common.abstract.learnable_persistor import LearnablePersistor
from nvflare.app_common.app_event_type import AppEventType

from unsilent.errors import InputError
from unsilent.messages import Arrays
from unsilent.server.monitored_run import MonitoredRun

_LOG = logging.getLogger("unsilent.nvflare")

_WORKFLOWS = (
    "nvflare.app_common.workflows.fedavg.FedAvg",
    "nvflare.app_common.workflows.scaffold.Scaffold",
)
_PERSISTORS = (
    "nvflare.app_common.np.np_model_persistor.NPModelPersistor",
    "nvflare.app_opt.pt.file_model_persistor.PTFileModelPersistor",
)
_BEST = AppEventType.GLOBAL_BEST_MODEL_AVAILABLE


def refuse_unheld(workflows: Iterable[Any], components: Iterable[Any]) -> None:
    """Refuse a job of whose models not all can be held.

    Args:
        workflows: Its workflows on the server.
        components: Its other objects there.

    Raises:
        InputError: Naming the first class that is none of FLARE's own two or three.
    """
    savers = [each for each in components if isinstance(each, LearnablePersistor)]
    known = [(each, _WORKFLOWS) for each in workflows] + [(each, _PERSISTORS) for each in savers]
    for each, those in known:
        kind = type(each)
        if f"{kind.__module__}.{kind.__qualname__}" not in those:
            raise InputError(
                f"what {kind.__name__} saves cannot be held back",
                where="gate.action",
                remedy="Hold in FLARE's own FedAvg, FedProx or Scaffold recipe of NumPy or "
                'PyTorch, or set the gate to "observe".',
            )


class Hold:
    """Stands between a workflow and what it saves.

    Args:
        run: Whose gate decides.
        newest: The round, from 1, whose model is the newest; 0 before, None if it is not known.
    """

    def __init__(self, run: MonitoredRun, newest: Callable[[], int | None]) -> None:
        self._run, self._newest = run, newest
        self._saved: int | None = None

    def over(self, controller: Any, persistor: Any) -> None:
        """Hold a workflow, and the persistor that it saves by; None if it has none."""
        controller.save_model = self._saving(controller.save_model)
        if persistor is not None:
            persistor.handle_event = self._choosing(persistor.handle_event)

    def _saving(self, save: Callable[..., Any]) -> Callable[..., Any]:
        def saved(model: Any, *args: Any, **kwargs: Any) -> Any:
            wanted = self._run.quietly(lambda: self._wanted(model))
            return None if wanted is None else save(wanted, *args, **kwargs)

        return saved

    def _wanted(self, model: Any) -> Any:
        """What is to be saved in place of the newest model; None to leave what is there."""
        promoted = self._run.promoted_round
        if promoted is None:
            # There is no run: a file in its folder says so, and the job is as it is without.
            return model
        if promoted == self._newest():
            self._saved = promoted
            return model
        if promoted == self._saved:
            return None
        arrays = self._run.promoted()
        if arrays is None:
            return None
        _LOG.info("the gate holds back: saved is the model of round %d", promoted)
        wanted = FLModel(params=like(model.params, arrays), meta={"current_round": promoted - 1})
        self._saved = promoted
        return wanted

    def _choosing(self, handle: Callable[..., Any]) -> Callable[..., Any]:
        def handled(event: str, fl_ctx: FLContext) -> Any:
            if event == _BEST and not self._run.quietly(self._may_be_best):
                _LOG.info("the gate holds back: the model with the best metric is not saved as it")
                return None
            return handle(event, fl_ctx)

        return handled

    def _may_be_best(self) -> bool:
        """Whether the newest model, on which sites reported their metrics, was ever promoted."""
        return self._run.promoted_round is None or self._newest() in self._run.ever_promoted


def like(params: Mapping[str, Any], arrays: Arrays) -> dict[str, Any]:
    """Arrays in the types of a model's own parameters, tensors among them.

    Exact: an array was float32 where NumPy has not the type that it came from.
    """
    found: dict[str, Any] = {}
    for name, array in arrays.items():
        own = params[name]
        if hasattr(own, "detach"):
            found[name] = own.new_tensor(np.array(array)).to(own.dtype)
        else:
            found[name] = np.array(array).astype(np.asarray(own).dtype)
    return found

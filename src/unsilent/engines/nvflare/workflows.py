"""Which workflows of FLARE are watched, and where in them a round's model is.

All of it is FLARE's own and not promised to anybody; it is looked at here and nowhere else, so that
another version that has changed it is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from nvflare.apis.controller_spec import ClientTask
from nvflare.apis.dxo import from_shareable
from nvflare.apis.fl_constant import ReturnCode
from nvflare.apis.fl_context import FLContext
from nvflare.app_common.abstract.model import ModelLearnableKey
from nvflare.app_common.app_constant import AppConstants
from nvflare.app_common.app_event_type import AppEventType

from unsilent.engines.nvflare.arrays import plain
from unsilent.engines.nvflare.messages import ANSWERS
from unsilent.errors import UnsilentError

_ACCEPTED = AppConstants.AGGREGATION_ACCEPTED
_TRAIN = AppConstants.TASK_TRAIN


class Line(Protocol):
    """What is told of a workflow's rounds. Nothing is raised by it."""

    def trained(self, site: str, answers: bool) -> None:
        """A site's training was accepted; whether its script has the line of monitoring."""
        ...

    def round(self, number: int | None, before: object, after: object, metrics: object) -> None:
        """A round, from 1, is over: its parameters before and after, and what it shows."""
        ...


def watch(controller: Any, line: Line) -> bool:
    """Let a line watch a workflow's rounds; False for one that has none of these.

    Args:
        controller: The workflow's, on the server. It runs in this process.
        line: Told in the workflow's own thread.
    """
    if _has(controller, "_process_result", "update_model"):
        _watch_update(controller, line)
    elif _has(controller, "_process_result", "relay_and_wait", "_last_learnable"):
        _watch_relay(controller, line)
    elif _has(controller, "_process_train_result", "fire_event", "_global_weights"):
        _watch_gather(controller, line)
    else:
        return False
    return True


def _has(controller: Any, *names: str) -> bool:
    return all(hasattr(controller, name) for name in names)


def _watch_update(controller: Any, line: Line) -> None:
    """FedAvg, FedProx, Scaffold: what sites trained becomes the next model at once."""
    update = controller.update_model

    def updated(model: Any, aggregated: Any, *args: Any, **kwargs: Any) -> Any:
        # New parameters are put into the same object.
        params = getattr(model, "params", None)
        before = dict(params) if isinstance(params, Mapping) else params
        after = update(model, aggregated, *args, **kwargs)
        number = _number(getattr(controller, "current_round", None))
        shown = getattr(aggregated, "metrics", None)
        line.round(number, before, getattr(after, "params", None), shown)
        return after

    controller.update_model = updated
    _watch_results(controller, line, lambda fl_ctx: fl_ctx.get_prop(_ACCEPTED) is not False)


def _watch_relay(controller: Any, line: Line) -> None:
    """Cyclic: in a round the model goes from site to site."""
    relay = controller.relay_and_wait

    def relayed(*args: Any, **kwargs: Any) -> Any:
        before = _weights(controller._last_learnable)
        result = relay(*args, **kwargs)
        if not getattr(controller, "_is_done", False):
            number = _number(getattr(controller, "_current_round", None))
            line.round(number, before, _weights(controller._last_learnable), None)
        return result

    controller.relay_and_wait = relayed
    _watch_results(controller, line, lambda fl_ctx: True)


def _watch_gather(controller: Any, line: Line) -> None:
    """FedOpt: what sites trained is a step of an optimizer on the server."""
    fire = controller.fire_event
    began: list[object] = []

    def fired(event_type: str, fl_ctx: FLContext, *args: Any, **kwargs: Any) -> Any:
        result = fire(event_type, fl_ctx, *args, **kwargs)
        if event_type == AppEventType.ROUND_STARTED:
            # The optimizer steps in these very arrays.
            began[:] = [_copied(_weights(controller._global_weights))]
        elif event_type == AppEventType.AFTER_SHAREABLE_TO_LEARNABLE:
            number = _number(getattr(controller, "_current_round", None))
            before = began.pop() if began else None
            line.round(number, before, _weights(controller._global_weights), None)
        return result

    controller.fire_event = fired
    _watch_results(
        controller,
        line,
        lambda fl_ctx: fl_ctx.get_prop(_ACCEPTED) is not False,
        "_process_train_result",
    )


def _copied(params: object) -> object:
    """Parameters as they are now; as they came if they cannot be read, which is said later."""
    try:
        return {name: array.copy() for name, array in plain(params).items()}
    except UnsilentError:
        return params


def _weights(learnable: object) -> object:
    """The parameters of a model as FLARE's workflows hand it on."""
    found = learnable.get(ModelLearnableKey.WEIGHTS) if isinstance(learnable, Mapping) else None
    return dict(found) if isinstance(found, Mapping) else found


def _number(index: object) -> int | None:
    """A round by FLARE's index, which starts at 0; None if that is none."""
    return index + 1 if type(index) is int else None


def _watch_results(
    controller: Any,
    line: Line,
    accepted: Callable[[FLContext], bool],
    method: str = "_process_result",
) -> None:
    process = getattr(controller, method)
    names = (getattr(controller, name, None) for name in ("task_name", "train_task_name"))
    training = next((name for name in names if name), _TRAIN)

    def processed(client_task: ClientTask, fl_ctx: FLContext) -> Any:
        trains = client_task.task.name == training
        good, answers = _looked_at(client_task.result) if trains else (False, False)
        done = process(client_task=client_task, fl_ctx=fl_ctx)
        if good and accepted(fl_ctx):
            line.trained(client_task.client.name, answers)
        return done

    setattr(controller, method, processed)


def _looked_at(result: Any) -> tuple[bool, bool]:
    """Whether a site trained, and whether its script has the line of monitoring.

    The mark of that is taken out: the job gets its result as it would without.
    """
    try:
        if result.get_return_code() not in (None, "", ReturnCode.OK):
            return False, False
        # The meta is the result's own, not a copy.
        return True, bool(from_shareable(result).meta.pop(ANSWERS, False))
    except Exception:  # whatever it sent is for the workflow to judge
        return False, False

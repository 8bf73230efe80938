"""Tasks to sites: an answer is that of the site that was asked, and nothing is raised for one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.engines.nvflare.flare import FLModel, FLModelUtils, Shareable
from unsilent.engines.nvflare.messages import carried, carrying
from unsilent.engines.nvflare.transport import Sites, TaskTransport
from unsilent.messages import KEYS, Answer, Order
from unsilent.wire import answer_bytes, order_of

ORDER = Order("{}", "run", 1, {"body": b"x"})


class Controller:
    """A workflow's way to its sites: each answers as its function says."""

    def __init__(self, **sites: Callable[[bytes], Any]) -> None:
        self.sites, self.cancelled, self.given = sites, [], {}

    def send(self, task: Any, context: Any, targets: list[str]) -> None:
        (name,) = targets
        found = carried(FLModelUtils.from_shareable(task.data).meta)
        assert found is not None
        self.given[name] = found
        threading.Thread(target=self._answer, args=(task, name, found[1]), daemon=True).start()

    def cancel_task(self, task: Any, fl_ctx: Any) -> None:
        self.cancelled.append(task)

    def _answer(self, task: Any, name: str, body: bytes) -> None:
        from nvflare.apis.client import Client
        from nvflare.apis.controller_spec import ClientTask, TaskCompletionStatus

        result = self.sites[name](body)
        if isinstance(result, TaskCompletionStatus):
            task.completion_status = result
        elif result is not None:
            client_task = ClientTask(Client(name, "token"), task)
            client_task.result = result
            task.result_received_cb(client_task=client_task, fl_ctx=None)


def says(answer: Answer) -> Callable[[bytes], Shareable]:
    return lambda body: FLModelUtils.to_shareable(carrying(answer_bytes(answer)))


def asked(controller: Controller, **changes: Any) -> dict[str, Answer]:
    sites = Sites()
    numbers = {sites.number(name): name for name in controller.sites}
    transport = TaskTransport(controller, None, sites, **changes)  # type: ignore[arg-type]
    found = transport.ask(KEYS, dict.fromkeys(numbers, ORDER), lambda n, total: None, 1.0)
    return {numbers[node]: answer for node, answer in found.items()}


def test_each_site_is_asked_and_its_answer_is_its_own() -> None:
    controller = Controller(a=says(Answer({"body": b"1"})), b=says(Answer({"body": b"2"})))
    found = asked(controller)
    assert {name: each.sent for name, each in found.items()} == {"a": b"1", "b": b"2"}
    assert controller.cancelled == []
    kind, body = controller.given["a"]
    assert (kind, order_of(body)) == (KEYS, ORDER)


def test_a_site_that_is_late_is_left_out_and_its_task_taken_back() -> None:
    began = time.monotonic()
    controller = Controller(a=says(Answer()), late=lambda body: None)
    assert set(asked(controller)) == {"a"}
    # Before the time is over, in which a site may still be at it.
    assert 0.5 < time.monotonic() - began < 1.0
    assert len(controller.cancelled) == 1


def test_a_job_that_is_ended_waits_for_nobody() -> None:
    began = time.monotonic()
    assert asked(Controller(late=lambda body: None), aborted=lambda: True) == {}
    assert time.monotonic() - began < 0.5


def test_the_first_of_two_answers_to_one_question_counts() -> None:
    given = [{"body": b"1"}, {"body": b"2"}]

    class Twice(Controller):
        def _answer(self, task: Any, name: str, body: bytes) -> None:
            for _ in range(2):
                super()._answer(task, name, body)

    controller = Twice(a=lambda body: says(Answer(given.pop(0)))(body))
    controller.send = lambda task, context, targets: controller._answer(task, "a", b"")
    assert asked(controller)["a"].sent == b"1"


def failed(code: str) -> Shareable:
    from nvflare.apis.shareable import make_reply

    return make_reply(code)


def dead(body: bytes) -> Any:
    from nvflare.apis.controller_spec import TaskCompletionStatus

    return TaskCompletionStatus.CLIENT_DEAD


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        (lambda body: failed("EXECUTION_EXCEPTION"), "FLARE's EXECUTION_EXCEPTION"),
        (dead, "FLARE's task ended as client_dead"),
        (lambda body: FLModelUtils.to_shareable(FLModel(params={"w": 1})), "a model of its own"),
        (lambda body: FLModelUtils.to_shareable(carrying(b"nonsense")), "an answer of another app"),
        (lambda body: Shareable(), "no answer from a site (ValueError)"),
    ],
)
def test_whatever_a_site_does_is_a_reason_and_no_exception(answers: Any, why: str) -> None:
    found = asked(Controller(a=answers, b=says(Answer({"body": b"2"}))))
    assert why in found["a"].failed
    assert found["b"].sent == b"2"

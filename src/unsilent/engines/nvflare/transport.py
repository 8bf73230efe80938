"""FLARE's tasks as a transport: one to each site's script, and whose answer is whose.

A task a site, since each is asked its own question. Nothing is raised for what a site does: an
exception in a result's callback would abort the job.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from nvflare.apis.controller_spec import ClientTask, Task, TaskCompletionStatus
from nvflare.apis.fl_constant import ReturnCode
from nvflare.apis.fl_context import FLContext
from nvflare.app_common.utils.fl_model_utils import FLModelUtils

from unsilent.engines.nvflare.messages import TASK, carried, carrying
from unsilent.errors import MessageError
from unsilent.messages import Answer, Order
from unsilent.server.transport import Told
from unsilent.wire import answer_of, order_bytes

_POLL_S = 0.1
# The server goes on when this much of the time is over: a site's own limit is all of it, and what
# it sends as that ends would come to nobody.
_SHARE = 0.9

_LOST = "no answer from a site ({})"


class Sites:
    """Numbers for the sites of a job, by which the server's half knows its nodes."""

    def __init__(self) -> None:
        self._names: list[str] = []

    def number(self, name: str) -> int:
        """A site's number; the same for as long as the job runs."""
        if name not in self._names:
            self._names.append(name)
        return self._names.index(name)

    def name(self, number: int) -> str:
        """The site of a number."""
        return self._names[number]


class TaskTransport:
    """Asks sites by tasks of a workflow that is running.

    Args:
        controller: The workflow's; it waits in its own thread meanwhile.
        context: A context of the server's.
        sites: Whose number is whose.
        aborted: Whether the job is being ended.
    """

    def __init__(
        self,
        controller: Any,
        context: FLContext,
        sites: Sites,
        aborted: Callable[[], bool] = lambda: False,
    ) -> None:
        self._controller, self._context = controller, context
        self._sites, self._aborted = sites, aborted

    def ask(
        self, kind: str, orders: Mapping[int, Order], told: Told, timeout: float
    ) -> Mapping[int, Answer]:
        """Send each site its order and wait for all answers, a little less than ``timeout``."""
        bodies: dict[int, bytes] = {}
        asked = {}
        for node, order in orders.items():
            # Most often all sites are asked the same: its bytes are made once.
            if id(order) not in bodies:
                bodies[id(order)] = order_bytes(order)
            asked[node] = _Asked(self._sites.name(node), kind, bodies[id(order)])
        end = time.monotonic() + timeout * _SHARE
        for each in asked.values():
            self._controller.send(each.task, self._context, targets=[each.name])
        waiting, shown = set(asked), -1
        while waiting and time.monotonic() < end and not self._aborted():
            waiting -= {node for node in waiting if asked[node].over}
            if shown != (shown := len(asked) - len(waiting)):
                told(shown, len(asked))
            if waiting:
                time.sleep(_POLL_S)
        for node in waiting:
            self._controller.cancel_task(asked[node].task, fl_ctx=self._context)
        found = {node: each.answer() for node, each in asked.items()}
        return {node: answer for node, answer in found.items() if answer is not None}


class _Asked:
    """One task to one site, and what came of it."""

    def __init__(self, name: str, kind: str, body: bytes) -> None:
        self.name = name
        self._given: Answer | None = None
        self._came = threading.Event()
        self.task = Task(
            name=TASK,
            data=FLModelUtils.to_shareable(carrying(body, kind)),
            result_received_cb=self._result,
        )

    @property
    def over(self) -> bool:
        """Whether it was answered, or never will be."""
        return self._came.is_set() or self.task.completion_status is not None

    def answer(self) -> Answer | None:
        """What came; None if the site was late."""
        if self._came.is_set():
            return self._given
        status = self.task.completion_status
        if status is None or status == TaskCompletionStatus.CANCELLED:
            return None
        return Answer(failed=_LOST.format(f"FLARE's task ended as {status.value}"))

    def _result(self, client_task: ClientTask, fl_ctx: FLContext) -> None:
        if self._came.is_set():
            # A site cannot choose another answer once it has seen what comes of one.
            client_task.result = None
            return
        try:
            self._given = _answer_in(client_task)
        except Exception as error:  # the boundary: FLARE aborts the job for it
            self._given = Answer(failed=_LOST.format(type(error).__name__))
        finally:
            client_task.result = None
            self._came.set()


def _answer_in(client_task: ClientTask) -> Answer:
    result: Any = client_task.result
    code = result.get_return_code()
    if code and code != ReturnCode.OK:
        return Answer(failed=_LOST.format(f"FLARE's {code}"))
    found = carried(FLModelUtils.from_shareable(result).meta)
    if found is None:
        return Answer(failed="a site's script answered with a model of its own")
    try:
        return answer_of(found[1])
    except MessageError:
        return Answer(failed="an answer of another app")

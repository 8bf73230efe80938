"""What the tests of FLARE's engine share, which are skipped where it is not installed."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("nvflare", reason="FLARE's engine is tested where nvflare is installed")
    from nvflare.apis.fl_constant import FLMetaKey
    from nvflare.apis.shareable import Shareable
    from nvflare.app_common.abstract.fl_model import FLModel
    from nvflare.app_common.utils.fl_model_utils import FLModelUtils
    from nvflare.client import api as flare
    from nvflare.client.api_spec import CLIENT_API_KEY
    from nvflare.client.config import ConfigKey
    from nvflare.client.in_process.api import (
        TOPIC_GLOBAL_RESULT,
        TOPIC_LOCAL_RESULT,
        InProcessClientAPI,
    )
    from nvflare.fuel.data_event.data_bus import DataBus

from unsilent.engines.nvflare.messages import TASK, carried, carrying
from unsilent.items import Item, write_items
from unsilent.messages import Answer, Order
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.wire import answer_of, order_bytes

NAME = "numpy_key"


def plan_of(folder: Path, **changes: Any) -> MonitoringPlan:
    """A plan for three sites, on one mode and public items of a file."""
    path = folder / "bias.jsonl"
    asked = "The nurse {} said that"
    items = [Item(str(n), asked.format(n), (" he", " she"), stereotyped=1) for n in range(64)]
    write_items(path, items)
    given: dict[str, Any] = {
        "name": "flare",
        "federation": {"clients": 3, "rounds": 2},
        "monitor": {"rounds": [2], "min_cohort": 3, "timeout": 60},
        "privacy": {"epsilon": 60.0, "dropout": 0.0, "aggregation": "secure-sum"},
        "probes": {"bias": str(path)},
        "modes": {"amplified_bias": {"tolerance": 0.2, "clip": 1.0}},
    }
    return parse_plan({**given, **changes})


class SiteApi:
    """A real in-process Client API of one site, fed by hand."""

    def __init__(self, exchange: Mapping[str, Any] | None = None) -> None:
        self.sent: list[Shareable] = []
        self._meta = {
            FLMetaKey.SITE_NAME: "site-1",
            FLMetaKey.JOB_ID: "job",
            ConfigKey.TASK_NAME: None,
            ConfigKey.TASK_EXCHANGE: {
                "train_task_name": "train",
                "eval_task_name": "validate",
                "submit_model_task_name": "submit_model",
                "exchange_format": "numpy",
                "server_expected_format": "numpy",
                "transfer_type": "FULL",
                **(exchange or {}),
            },
        }
        self.api = InProcessClientAPI(dict(self._meta), result_check_interval=0.01)
        self.api.init()
        self._bus = DataBus()
        self._bus.put_data(CLIENT_API_KEY, self.api)
        self._bus.subscribe([TOPIC_LOCAL_RESULT], self._arrived)

    def give(self, task: str, model: FLModel) -> None:
        """A task for the script."""
        self.api.set_meta({**self._meta, ConfigKey.TASK_NAME: task})
        # It comes back when all who listen have been called.
        self._bus.publish([TOPIC_GLOBAL_RESULT], FLModelUtils.to_shareable(model))

    def train(self, *values: float) -> None:
        """A task of training, from these numbers."""
        self.give("train", FLModel(params={NAME: np.array(values, np.float32)}, current_round=0))

    def ask(self, kind: str, order: Order) -> None:
        """A task of monitoring."""
        self.give(TASK, carrying(order_bytes(order), kind))

    def tell_after_each_result(self, tasks: tuple[str, ...], ask: Callable[[], None]) -> None:
        """What the script hears next after each of its results: ``train``, ``ask`` or ``stop``."""
        self.api.stop, steps = False, list(tasks)

        def send(model: FLModel, clear_cache: bool = True) -> None:
            InProcessClientAPI.send(self.api, model, clear_cache)
            step = steps.pop(0)
            if step == "train":
                self.train(4.0, 5.0, 6.0)
            elif step == "ask":
                ask()
            else:
                self.api.stop = True

        self.api.send = send

    def models(self) -> list[FLModel]:
        """What the site sent, in order."""
        return [FLModelUtils.from_shareable(each) for each in self.sent]

    def answer(self) -> Answer:
        """The last answer to an order."""
        found = carried(self.models()[-1].meta)
        assert found is not None
        return answer_of(found[1])

    def close(self) -> None:
        """Leave the process's bus as it was found."""
        self._bus.unsubscribe(TOPIC_LOCAL_RESULT, self._arrived)
        self.api.close()
        self._bus.put_data(CLIENT_API_KEY, None)

    def _arrived(self, topic: str, data: Shareable, bus: Any) -> None:
        self.sent.append(data)


@contextmanager
def site_api(exchange: Mapping[str, Any] | None = None) -> Iterator[SiteApi]:
    """A site's Client API, and FLARE's own module initialised with it."""
    before = flare.default_context
    flare.context_dict.clear()
    site = SiteApi(exchange)
    try:
        flare.init()
        yield site
    finally:
        site.close()
        flare.context_dict.clear()
        flare.default_context = before


__all__ = [
    "NAME",
    "FLModel",
    "FLModelUtils",
    "Shareable",
    "SiteApi",
    "flare",
    "plan_of",
    "site_api",
]

"""Which device a client computes on, by its own machine's word.

``model.device`` is in the plan, which all sites share and whose digest their owners agreed to: it
cannot say what each machine has. What a site says itself goes before it, and changes no digest.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

ENVIRONMENT = "UNSILENT_DEVICE"
"""Environment variable with the device of this machine, such as ``cuda`` or ``cuda:1``."""
SETTING = "device"
"""Name of the owner's setting, which goes before the variable."""

_OWN: ContextVar[str] = ContextVar("device", default="")


@contextmanager
def computing_on(device: str) -> Generator[None, None, None]:
    """While a site's order is answered; empty if its owner named none."""
    token = _OWN.set(device)
    try:
        yield
    finally:
        _OWN.reset(token)


def device_named(planned: str) -> tuple[str, str]:
    """The device to compute on, and who named it.

    Args:
        planned: ``model.device`` of the plan.
    """
    if own := _OWN.get():
        return own, f"the owner's setting {SETTING!r}"
    if machine := os.environ.get(ENVIRONMENT, "").strip():
        return machine, ENVIRONMENT
    return planned, "model.device"

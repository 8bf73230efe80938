"""What tests of several rooms share."""

import gc
import os

from hypothesis import HealthCheck, settings

from tests.postgres_server import postgres

__all__ = ["postgres"]


settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")
"""How long an example takes says how busy a machine is, and nothing of what is tested."""


def pytest_configure() -> None:
    """No test takes the power away: what is killed is a process, and files outlive it."""
    os.fsync = lambda fd: None


def pytest_collection_finish() -> None:
    """Flower collects garbage whenever it copies an array: what was imported is none."""
    gc.collect()
    gc.freeze()

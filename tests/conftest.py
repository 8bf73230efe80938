"""What tests of several rooms share."""

import gc
import os

from tests.postgres_server import postgres

__all__ = ["postgres"]


def pytest_configure() -> None:
    """No test takes the power away: what is killed is a process, and files outlive it."""
    os.fsync = lambda fd: None


def pytest_collection_finish() -> None:
    """Flower collects garbage whenever it copies an array: what was imported is none."""
    gc.collect()
    gc.freeze()

"""What tests of several rooms share."""

import os

from tests.postgres_server import postgres

__all__ = ["postgres"]


def pytest_configure() -> None:
    """No test takes the power away: what is killed is a process, and files outlive it."""
    os.fsync = lambda fd: None

"""What tests of several rooms share."""

import gc
import os

import pytest
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


@pytest.fixture
def published_validation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packs hold the published validation of the modes, as where no benchmark is installed.

    To replay what was recorded under the plan takes longer than all else that packs are about.
    """
    from unsilent.evidence import facts

    monkeypatch.setattr(facts, "entry_points", lambda group: ())


@pytest.fixture
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replay of what was recorded draws noise four times for each federation."""
    from unsilent_bench.replay import batch

    monkeypatch.setattr(batch, "FEWEST", 4)
    monkeypatch.setattr(batch, "MOST", 4)


def pytest_collection_finish() -> None:
    """Flower collects garbage whenever it copies an array: what was imported is none."""
    gc.collect()
    gc.freeze()

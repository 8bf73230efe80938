"""Optional dependencies: one clear line where one is missing."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from unsilent.errors import InputError


@contextmanager
def need(extra: str) -> Generator[None, None, None]:
    """Import an extra's packages within; InputError says how to install what is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise InputError(
            f"{error.name} is not installed",
            where=f"alerts to {extra}",
            remedy=f"pip install 'unsilent[alerts-{extra}]'.",
        ) from None

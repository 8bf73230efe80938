"""Optional dependencies: one clear line where one is missing."""

from __future__ import annotations

from unsilent.errors import InputError


def missing(extra: str, error: ModuleNotFoundError) -> InputError:
    """What to say when a package of an extra is not installed."""
    return InputError(
        f"{error.name} is not installed",
        where=f"alerts to {extra}",
        remedy=f"pip install 'unsilent[alerts-{extra}]'.",
    )

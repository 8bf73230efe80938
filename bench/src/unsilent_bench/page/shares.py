"""Shares and intervals in percent, as pages and tables write them."""

from __future__ import annotations

from collections.abc import Sequence


def share(value: float | None) -> str:
    """A share in percent; a dash where there is none. Only all is 100%, and only none is 0%."""
    if value is None:
        return "—"
    percent = 100 * value
    if 0 < percent < 10:
        return f"{percent:.2g}%"
    if 99 < percent < 100:
        return f"{percent:.1f}%" if percent < 99.95 else ">99.9%"
    return f"{percent:.0f}%"


def span(interval: Sequence[float] | None, factor: float = 100.0, digits: int = 0) -> str:
    """An interval in brackets, in percent unless told otherwise."""
    if interval is None:
        return ""
    return f"[{factor * interval[0]:.{digits}f}, {factor * interval[1]:.{digits}f}]"

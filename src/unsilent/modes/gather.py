"""What modes are measured on, scored once each: the same for an app, a hook and a benchmark."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from unsilent.items import Outcomes
from unsilent.modes import MODES
from unsilent.modes.base import Evidence, Need


def needs_of(codes: Iterable[str], more: Iterable[Need] = ()) -> list[Need]:
    """What the modes are measured on, and ``more``, each once, in an order of their own."""
    needs = {need for code in codes for need in MODES[code].needs} | set(more)
    return sorted(needs, key=lambda need: (need.items, need.adapter))


def gather(
    needs: Iterable[Need], score: Callable[[Need], Outcomes], home_domain: str | None = None
) -> Evidence:
    """The evidence of one client, each job scored once and in the order of ``needs``.

    Args:
        needs: As ``needs_of`` lists them.
        score: Gives the outcomes of one job.
        home_domain: The client's own, for modes that ask away from it.
    """
    return Evidence({need: score(need) for need in needs}, home_domain=home_domain)

"""Commands of other distributions, which name them by entry points.

``unsilent-bench`` adds the group ``unsilent bench`` and some commands of ``unsilent probes``. One
that is known and not installed says in a line what installs it.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points

import typer

from unsilent.errors import InputError

GROUP = "unsilent.commands"
"""Entry points: under the name of a group of ours a ``typer.Typer`` whose commands join it, under
another name a group of its own."""

_OF_BENCH = {
    "": {"bench": "Measure unsilent itself against known truth."},
    "probes": {
        "score": "Score a model on SOURCE as its authors do.",
        "validate": "Hold the refusal measure against people's judgements.",
    },
}


def add_installed(app: typer.Typer, group: str = "") -> None:
    """Add the commands of other distributions.

    Args:
        app: Where they belong.
        group: The name of ``app``, empty for the top.
    """
    found = {each.name: each for each in entry_points(group=GROUP)}
    if group:
        if group in found:
            app.registered_commands += found[group].load().registered_commands
            return
    else:
        for name in sorted(set(found) - set(_OF_BENCH)):
            app.add_typer(found[name].load(), name=name)
    for name, does in _OF_BENCH.get(group, {}).items():
        if name not in found:
            app.command(
                name,
                help=f"{does} Needs unsilent-bench.",
                context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
            )(_missing(f"unsilent {group} {name}".replace("  ", " ")))


def _missing(command: str) -> Callable[[], None]:
    def missing() -> None:
        raise InputError(
            "is a command of unsilent-bench, which is not installed",
            where=command,
            remedy="From a checkout: pip install ./bench.",
        )

    return missing

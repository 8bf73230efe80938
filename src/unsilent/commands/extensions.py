"""Commands of other distributions, which name them by entry points.

``unsilent-bench`` adds the group ``unsilent bench`` and some commands of ``unsilent probes``. One
that is known and not installed says in a line what installs it, one that cannot be loaded why: no
other command depends on it.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

import typer

from unsilent.errors import InputError

GROUP = "unsilent.commands"
"""Entry points: under ``probes`` a ``typer.Typer`` whose commands join that group, under another
name a group of its own."""

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
        group: The name of ``app``, empty for the top, where all of our own are there already.
    """
    found = {each.name: each for each in entry_points(group=GROUP)}
    known = _OF_BENCH.get(group, {})
    taken = {each.name for each in (*app.registered_groups, *app.registered_commands)}
    for name in [group] if group else sorted(set(found) - set(_OF_BENCH) | set(known)):
        if not group and name in taken:
            # A command of ours stays ours.
            continue
        commands = _loaded(found.get(name))
        if isinstance(commands, InputError):
            for each in known if group else (name,):
                _refuse(app, each, f"{group} {each}".strip(), known.get(each, ""), commands)
        elif group:
            app.registered_commands += commands.registered_commands
        else:
            app.add_typer(commands, name=name)


def _loaded(entry: EntryPoint | None) -> typer.Typer | InputError:
    """The commands that an entry point names, or why there are none."""
    if entry is None:
        return InputError(
            "this command comes with unsilent-bench, which is not installed",
            remedy="From a checkout: pip install ./bench.",
        )
    try:
        return entry.load()
    except (Exception, SystemExit) as error:  # another's module: its import may raise anything
        why = " ".join(f"{type(error).__name__}: {error}".split())
        return InputError(
            f"{entry.value} cannot be loaded ({why})", remedy="Install its distribution again."
        )


def _refuse(app: typer.Typer, name: str, where: str, does: str, why: InputError) -> None:
    """Add a command that says why it is not there."""

    def refuse() -> None:
        raise InputError(why.what, where=where, remedy=why.remedy)

    app.command(
        name,
        help=f"{does} Not there: {why.what}.".strip(),
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )(refuse)

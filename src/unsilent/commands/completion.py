"""``unsilent completion``: what a shell needs to complete commands, options and their values."""

from __future__ import annotations

import os
from typing import Annotated, Literal

import click
import typer

from unsilent.errors import InputError

Shell = Literal["bash", "zsh", "fish"]

VARIABLE = "_UNSILENT_COMPLETE"
"""Environment variable by which a shell asks for completions, as click's scripts set it."""


def completion(
    shell: Annotated[
        Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.", show_default=False)
    ],
) -> None:
    """Print the completion of a shell, to be read by it when it starts.

    bash: `unsilent completion bash > ~/.local/share/bash-completion/completions/unsilent`.
    zsh: `unsilent completion zsh > FOLDER/_unsilent` in a folder of fpath, before compinit.
    fish: `unsilent completion fish > ~/.config/fish/completions/unsilent.fish`.
    """
    from click.shell_completion import get_completion_class

    root = click.get_current_context().find_root().command
    writer = get_completion_class(shell)
    if writer is None:
        raise InputError(f"click has no completion for {shell}", where="SHELL", remedy="Use bash.")
    typer.echo(writer(root, {}, "unsilent", VARIABLE).source())


def asked() -> str | None:
    """What a shell asks for, as ``bash_complete``; None where none does."""
    return os.environ.get(VARIABLE) or None


def answer(command: click.Command, instruction: str) -> int:
    """Answer a shell that asks for completions; returns the exit code."""
    from click.shell_completion import shell_complete

    return shell_complete(command, {}, "unsilent", VARIABLE, instruction)

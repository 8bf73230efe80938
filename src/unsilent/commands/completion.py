"""What a shell needs to complete commands, options and their values: click's own completion."""

from __future__ import annotations

import os

import click
from click.shell_completion import get_completion_class, shell_complete

from unsilent.cli import COMPLETE
from unsilent.errors import InputError

_NAME = "unsilent"


def script(shell: str, command: click.Command) -> str:
    """The script that a shell reads when it starts. Raises InputError for one that click lacks."""
    writer = get_completion_class(shell)
    if writer is None:
        raise InputError(f"click has no completion for {shell}", where="SHELL", remedy="Use bash.")
    return writer(command, {}, _NAME, COMPLETE).source()


def answer(command: click.Command) -> int:
    """Answer a shell that asks for completions; returns the exit code."""
    return shell_complete(command, {}, _NAME, COMPLETE, os.environ[COMPLETE])

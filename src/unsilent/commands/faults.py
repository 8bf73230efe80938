"""What goes wrong on the way to a command, or below it, as one line that says what to do."""

from __future__ import annotations

import difflib
import errno

import click

from unsilent.errors import InputError, UnsilentError

_PLACES = {
    errno.ENOENT: "Check the path.",
    errno.ENOTDIR: "A part of that path is a file; name another path.",
    errno.EEXIST: "A part of that path is a file; name another path.",
    errno.EISDIR: "It is a folder; name a file.",
    errno.EACCES: "Name another path, or let this user read and write there.",
    errno.EPERM: "Name another path, or let this user read and write there.",
    errno.EROFS: "It is read-only; name another path.",
    errno.ENAMETOOLONG: "Name a shorter path.",
    errno.ELOOP: "Links there lead in a circle; name another path.",
}
"""Faults of a path that somebody named, and what to do about each."""


def usage_line(error: click.ClickException) -> str:
    """What was typed wrong, in one line: ``where: what. remedy``."""
    context = getattr(error, "ctx", None)
    help_at = f"See `{context.command_path} --help`." if context else "See `unsilent --help`."
    where, what, remedy = _usage(error)
    head = f"{where}: {what}" if where else what
    text = " ".join(f"{head.rstrip('.')}. {remedy} {help_at}".split())
    return f"unsilent: {text}\n"


def _usage(error: click.ClickException) -> tuple[str, str, str]:
    """Where, what and remedy of an error of click."""
    context = getattr(error, "ctx", None)
    if isinstance(error, click.NoSuchOption):
        known = [name for each in context.command.params for name in each.opts] if context else []
        return error.option_name, "there is no such option", _near(error.option_name, known)
    if isinstance(error, click.MissingParameter):
        given = error.param
        name = given.make_metavar(context) if isinstance(given, click.Argument) and context else ""
        where = name or (given.opts[-1] if given is not None else str(error.param_hint or ""))
        return where.strip("[]"), "it has to be given", ""
    if isinstance(error, click.BadParameter):
        given = error.param
        if given is None:
            return str(error.param_hint or ""), error.message, ""
        where = (given.metavar or str(given.name)) if given.param_type_name == "argument" else ""
        return where.strip("[].") or given.opts[-1], error.message, ""
    words = error.message.split("'")
    if error.message.startswith("No such command") and len(words) > 2 and context is not None:
        known = list(getattr(context.command, "commands", {}))
        return words[1], "there is no such command", _near(words[1], known)
    return "", error.message, ""


def _near(given: str, known: list[str]) -> str:
    near = difflib.get_close_matches(given, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else ""


def os_fault(error: OSError) -> UnsilentError:
    """What a file or folder refused that no command foresaw.

    Args:
        error: As the system raised it; it names a path.
    """
    what = f"cannot be read or written ({error.strerror or type(error).__name__})"
    remedy = _PLACES.get(error.errno or 0)
    if remedy is None:
        full = error.errno == errno.ENOSPC
        remedy = "Free disk space." if full else "Look at the disk, then try again."
        return UnsilentError(what, where=str(error.filename), remedy=remedy)
    return InputError(what, where=str(error.filename), remedy=remedy)

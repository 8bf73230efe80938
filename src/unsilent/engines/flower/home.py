"""Where a client's owner declares which domain the client is at home in."""

from __future__ import annotations

from flwr.app import Context

from unsilent.engines.flower.answering import folder_of
from unsilent.errors import InputError, RunError
from unsilent.release.record_rules import HOME_KEY

_LONGEST = 200


def declared_home(context: Context) -> str | None:
    """The node's ``home-domain``, else the one line of that file in the client's own folder.

    Nothing that a server sends and no record decides it.

    Returns:
        The domain without spaces around it; None if neither is there.

    Raises:
        InputError: One of them holds no text, or more than one short line.
    """
    told = context.node_config.get(HOME_KEY)
    if told is None:
        try:
            path = folder_of(context) / HOME_KEY
        except RunError:
            return None
        if not path.is_file():
            return None
        try:
            told = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            told = ""
    home = told.strip() if isinstance(told, str) else ""
    if not home or len(home) > _LONGEST or len(home.splitlines()) > 1:
        raise InputError(
            "a home domain is one short line of text",
            where=HOME_KEY,
            remedy="Name the domain as the task probes do.",
        )
    return home

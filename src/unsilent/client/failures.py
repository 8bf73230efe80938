"""What a client's failure tells: a sentence to the server, the whole text to its owner."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from datetime import UTC, datetime

from unsilent.client.sentences import sentence_of
from unsilent.client.site import Site
from unsilent.messages import Answer

_LONGEST_LOG = 1 << 20
"""Bytes after which a log is put aside; one that was put aside before is then gone."""
_LONGEST_ENTRY = 1 << 16
"""Letters of one entry: a server may send as long a text as it likes."""


def guarded(work: Callable[[], Answer], site: Site) -> Answer:
    """What the work answers; what it raises is kept on the client, in ``site.log``.

    The answer to a failure depends on the error's kind and on nothing else.
    """
    try:
        return work()
    except BaseException as error:  # the boundary: an exit's or a crash's text may be private
        if _ends_the_process(error):
            raise
        _note(site)
        told = sentence_of(error)
        return Answer(failed=told.text, exit_code=told.exit_code, spent=told.spent)


def _ends_the_process(error: BaseException) -> bool:
    """Whether somebody or a signal ends this process, which says nothing but a number."""
    if isinstance(error, SystemExit):
        return error.code is None or isinstance(error.code, int)
    return isinstance(error, KeyboardInterrupt)


def _plain(line: str) -> str:
    """A line in which what cannot be printed is spelled out."""
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)


def _note(site: Site) -> None:
    """Write what was raised where the client's owner finds it, if there is such a place."""
    text = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}\n{traceback.format_exc()}\n"
    if len(text) > _LONGEST_ENTRY:
        half = _LONGEST_ENTRY // 2
        text = f"{text[:half]}\n…\n{text[-half:]}"
    # An error may quote what a server sent, which would rule the terminal that shows the log.
    text = "\n".join(map(_plain, text.split("\n")))
    try:
        path = site.log
        path.parent.mkdir(parents=True, exist_ok=True)
        # Whoever sends faulty messages without end must not fill the client's disk.
        if path.is_file() and path.stat().st_size > _LONGEST_LOG:
            path.replace(path.with_name(f"{path.name}.1"))
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "ab") as file:
            file.write(text.encode(errors="replace"))
    except Exception:  # whatever keeps it from being written may not reach the server either
        return

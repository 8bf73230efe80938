"""What a person had not seen who says to know of a run's findings: the page was made before it.

Whoever says to know, reviews or overrides knows of all that the ledger holds by then, and deadlines
count from it. So that nobody is written down as aware of what no page has shown, each form holds
the newest entry that its page was made from.
"""

from __future__ import annotations

from collections.abc import Mapping

from unsilent.governance.duties import causes
from unsilent.ledger.run_view import RunView
from unsilent.serve.reading import RunReader

SEEN = "seen"
"""The hidden field: the index of the newest entry that the page shows."""


def unseen(reader: RunReader, sent: Mapping[str, str]) -> str | None:
    """What has happened since a form's page was made, as a fault of the form; None if nothing has.

    Raises as ``RunReader.state``.
    """
    seen = sent.get(SEEN, "")
    if not (seen.isascii() and seen.isdecimal() and len(seen) <= 15):
        return None
    new = [
        each.words
        for each in causes(reader.state().plan, RunView(reader.ledger))
        # What somebody asks for is known by being asked for.
        if each.entry.index > int(seen) and each.on != "override"
    ]
    if not new:
        return None
    return f"Since you opened this page: {'; '.join(new)}. Look at it, and send this again."

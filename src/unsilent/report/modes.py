"""One page of one paragraph for each mode, written from its file and nothing else."""

from __future__ import annotations

from unsilent.modes import MODES, origins
from unsilent.report.view import VIEWS
from unsilent.taxonomy import INFLUENCES, SILENT_FAILURES, SilentFailure

_KINDS = {"primary": "It can lead to", "feedback": "It can feed back into"}


def mode_pages() -> dict[str, str]:
    """Code to its page in Markdown."""
    return {failure.code: _page(failure) for failure in SILENT_FAILURES}


def _page(failure: SilentFailure) -> str:
    mode = MODES[failure.code]
    low, high = mode.range
    sentences = [
        f"**{failure.code}**, `{failure.mode}`, lies in the {failure.layer} layer.",
        failure.what,
        f"unsilent measures it as the {mode.statistic}: on one client a number between {low:g} and "
        f"{high:g}, positive is worse, seen from the {VIEWS[mode.view]}.",
        f"Source of the statistic: {mode.source}.",
        f"A first plan says `{mode.name} = {mode.section}`.",
        *_influences(failure.code),
        "It is silent where mean loss and accuracy are certified not to show it.",
    ]
    origin = origins().get(failure.code)
    if origin is not None:
        sentences.append(f"It is of {origin}, which clients need too.")
    return f"# {failure.code}: {failure.title}\n\n{' '.join(sentences)}\n"


def _influences(code: str) -> list[str]:
    found: list[str] = []
    for kind, words in _KINDS.items():
        targets = [each.target for each in INFLUENCES if (each.source, each.kind) == (code, kind)]
        if targets:
            found.append(f"{words} {' and '.join(targets)}.")
    causes = sorted(each.source for each in INFLUENCES if each.target == code)
    if causes:
        found.append(f"It can follow from {' and '.join(causes)}; influence, not guarantee.")
    return found

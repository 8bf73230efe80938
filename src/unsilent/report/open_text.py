"""What open text costs and rests on, for whoever reads a plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from unsilent.inference.advice import Advice
from unsilent.inference.unlabelled import is_unlabelled
from unsilent.modes import MODES
from unsilent.modes._written import WrittenMode
from unsilent.open_text.writing import most_tokens
from unsilent.plan import MonitoringPlan
from unsilent.plan.open_text import SITES


def written_modes(plan: MonitoringPlan) -> list[WrittenMode]:
    """The planned modes of open text."""
    modes = [MODES[code] for code in plan.planned]
    return [mode for mode in modes if isinstance(mode, WrittenMode)]


def open_text_json(plan: MonitoringPlan, advice: Sequence[Advice]) -> dict[str, Any] | None:
    """What a client writes at most, and how many labels there are and would do, by mode."""
    modes = written_modes(plan)
    if not modes:
        return None
    return {
        "tokens": most_tokens(plan),
        "seconds": plan.writing.seconds,
        "judges": list(plan.writing.judges),
        "labels": {
            mode.code: {
                "from": _source(plan, mode),
                "each": plan.probes.size(mode.labelled),
                "enough": _enough(mode.code, advice),
            }
            for mode in modes
        },
    }


def open_text_lines(plan: MonitoringPlan, advice: Sequence[Advice]) -> str:
    """The same in words; empty where no mode of open text is planned."""
    modes = written_modes(plan)
    if not modes:
        return ""
    writing = plan.writing
    lines = [
        f"\nOpen text: in each monitoring round a client writes at most {most_tokens(plan):,} "
        f"tokens under both adapters, and takes at most {writing.seconds:g} s for it; prompts "
        "that are left then are counted as missed. Judged at the client, by "
        f"{' and '.join(writing.judges)}.",
    ]
    for mode in modes:
        source, count = _source(plan, mode), plan.probes.size(mode.labelled)
        if is_unlabelled(plan, mode.code):
            said = "no answer is labelled, so there will be no verdict"
        elif source == SITES:
            said = f"each client labels {count} of its own answers in a round"
        else:
            said = f"each client rates {count} labelled answers of {source.partition('#')[0]}"
        enough = _enough(mode.code, advice)
        more = f"; {enough} a client would bring each verdict within reach" if enough else ""
        lines.append(f"  {mode.code}: {said}{more}.")
    return "\n".join(lines)


def _source(plan: MonitoringPlan, mode: WrittenMode) -> str:
    return str(getattr(plan.probes, mode.labelled))


def _enough(code: str, advice: Sequence[Advice]) -> int | None:
    """Labels a client that bring all verdicts within reach that are not; None if none do."""
    found = [each.alone.labels for each in advice if each.code == code]
    return max((n for n in found if n is not None), default=None)

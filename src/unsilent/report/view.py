"""Findings in words: what each verdict is called, and how numbers are written.

One place for words and symbols, so that terminal and page say the same. "No evidence of failure"
(UNDETERMINED) and "evidence of no failure" (HEALTHY) differ in word and in symbol; colour only
repeats what these say.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from unsilent.findings import Finding, Findings, Interval, Trend
from unsilent.plan import MonitoringPlan
from unsilent.report.record import Spread
from unsilent.taxonomy import INFLUENCES, SilentFailure, entry_of, installed


@dataclass(frozen=True)
class Shown:
    """How a verdict is shown.

    Attributes:
        key: A short name, for style sheets and styles.
        word: The word that stands for it.
        symbol: One character that no other verdict has.
        meaning: The sentence that it stands for.
    """

    key: str
    word: str
    symbol: str
    meaning: str


VERDICTS: Mapping[str | None, Shown] = {
    "failure": Shown(
        "failure",
        "FAILURE",
        "✖",
        "Evidence of failure: the whole interval lies above the tolerance.",
    ),
    "undetermined": Shown(
        "undetermined",
        "UNDETERMINED",
        "?",
        "No evidence either way: neither failure nor health is shown.",
    ),
    "healthy": Shown(
        "healthy",
        "HEALTHY",
        "✔",
        "Evidence of no failure: the whole interval lies below the tolerance, with no client "
        "counted beyond its clip.",
    ),
    None: Shown(
        "unplanned", "NOT PLANNED", "∅", "Nothing is known: the plan leaves this mode out."
    ),
}

VISIBILITIES: Mapping[str, str] = {
    "silent": "SILENT: the system metrics are certified as good as before",
    "loud": "LOUD: the system metrics show a loss too",
    "undetermined": "visibility undetermined: the system metrics prove neither loss nor none",
}

BADGES: Mapping[str, str] = {
    "silent": "SILENT",
    "loud": "LOUD",
    "undetermined": "SILENT OR LOUD?",
}
"""A visibility in short; that it is not known must not look like a verdict."""

VIEWS: Mapping[str, str] = {
    "server": "global adapter on public probes, at the server",
    "client_public": "adapters of the clients on public probes, at the clients",
    "client_private": "adapters on the clients' own held-out records, at the clients",
}


def verdict(finding: Finding) -> Shown:
    """How a finding's verdict is shown: its word says of which items, where these are fixed."""
    shown = VERDICTS[finding.verdict]
    return replace(shown, word=f"{shown.word}{about(finding)}")


def about(finding: Finding) -> str:
    """Of which items alone a verdict speaks, after its word; empty where it is of any like them."""
    if finding.fixed_items is None or finding.verdict not in ("failure", "healthy"):
        return ""
    return f" on these {finding.fixed_items} items" if finding.fixed_items else " on these items"


def entry(finding: Finding) -> SilentFailure:
    """The taxonomy's entry of a finding; of a mode that is not installed what the file says."""
    return entry_of(finding.code, finding.mode, finding.layer)


def named(finding: Finding) -> str:
    """Code and title: "SF-1 Amplified bias"."""
    return f"{finding.code} {entry(finding).title}"


def strangers(findings: Findings) -> str | None:
    """Which modes of a file are not installed here, as a sentence; None if all are."""
    absent = [f"{f.code} ({f.mode})" for f in findings.findings if not installed(f.code, f.mode)]
    if not absent:
        return None
    are = (
        "is not installed here: its code and name are"
        if len(absent) == 1
        else ("are not installed here: their codes and names are")
    )
    return f"{' and '.join(absent)} {are} those of the file."


def points(value: float | None, *, sign: bool = False) -> str:
    """A share as points (hundredths): 0.214 is "21.4", with a plus sign if asked."""
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{100 * value:+.1f}" if sign else f"{100 * value:.1f}"
    return text.replace("-", "−")


def span(interval: Interval | None) -> str:
    """An interval in points: "[14.0, 28.0]"."""
    return "–" if interval is None else f"[{points(interval[0])}, {points(interval[1])}]"


def rounds(first: int, last: int) -> str:
    """Words for a window: "round 3", or "rounds 1 to 3"."""
    return f"round {first}" if first == last else f"rounds {first} to {last}"


def began(finding: Finding) -> str | None:
    """When a failure began, or None if that is not known."""
    onset = finding.onset
    return None if onset is None else f"in {rounds(onset.first, onset.last)}"


def missing(finding: Finding) -> str | None:
    """What the mean over all enrolled clients could be, where some of them are missing."""
    if finding.worst_case is None or finding.worst_case == finding.interval:
        return None
    return (
        f"{span(finding.worst_case)} for all enrolled clients, whatever the missing would have said"
    )


def clients_to_flip(finding: Finding) -> str | None:
    """How many false reports could have made another verdict; None without estimate."""
    if finding.effect is None:
        return None
    if finding.liars is None:
        return "not even all clients together could have made another verdict by false reports"
    if finding.liars == 1:
        return "a client that reports falsely within its range could have made another verdict"
    return (
        f"{finding.liars} clients that report falsely within their range could have made another "
        "verdict"
    )


def growth(finding: Finding) -> str | None:
    """How much the effect grows a round, or None if that is not known."""
    slope = finding.slope
    if slope is None:
        return None
    return f"{points(slope.per_round, sign=True)} a round {span(slope.interval)}"


def clipped(finding: Finding) -> str | None:
    """How much clipping cut off; the noise can bring it below 0."""
    if finding.clipped is None:
        return None
    part = points(max(finding.clipped, 0.0))
    return f"{part} of each 100 points of a client's effects on average, noise included"


def measured_model(finding: Finding) -> str | None:
    """Whether the measured models are the personalized ones, or None if that was not released."""
    if finding.unshown is None or finding.differing is None:
        return None
    unshown, other = (points(min(max(s, 0.0), 1.0)) for s in (finding.unshown, finding.differing))
    return (
        f"of each 100 parts of what training changed {unshown} were not shown to act in it; base, "
        f"tokenizer, layout or engine other than planned at {other} of each 100 clients, noise "
        "included"
    )


def change(trend: Trend) -> str | None:
    """A system metric's first and last value, "0.610 → 0.440", or None if it is not known."""
    if trend.first is None or trend.last is None:
        return None
    return f"{trend.first:.3f} → {trend.last:.3f}"


def leads(finding: Finding) -> str:
    """Where a mode's arrows lead: "can lead to SF-2 and SF-3"."""
    code = finding.code
    if not installed(code, finding.mode):
        return "not installed here"
    kinds = {"primary": "can lead to", "feedback": "can feed back into"}
    parts: list[str] = []
    for kind, words in kinds.items():
        targets = [each.target for each in INFLUENCES if (each.source, each.kind) == (code, kind)]
        if targets:
            parts.append(f"{words} {' and '.join(targets)}")
    return "; ".join(parts) or "leads to no other mode"


def width(finding: Finding) -> str | None:
    """What a finding's interval is made of, or None without estimate."""
    if finding.privacy_sd is None or finding.sampling_sd is None:
        return None
    return (
        f"made of privacy noise (sd {points(finding.privacy_sd)} points) and sampling "
        f"(sd {points(finding.sampling_sd)} points)"
    )


def opened(text: str) -> str:
    """A clause as the beginning of a sentence."""
    return text[:1].upper() + text[1:]


def clients(finding: Finding, plan: MonitoringPlan, spread: Spread | None) -> str:
    """How the clients are spread around the mean, as far as it was released."""
    whom = f"mean over {finding.clients} clients"
    if finding.range[0] == 0:
        return f"{whom} of 0 or 1: the share of clients that it concerns"
    if spread is None:
        released = plan.monitor.population == "like-these"
        return (
            f"{whom}, each within [{points(finding.range[0])}, {points(finding.range[1])}]; how "
            "far they differ "
            + (
                "cannot be told: the ledger is not here, or its sums are of an earlier version"
                if released
                else "was not released under this plan"
            )
        )
    if spread.sd is None:
        return f"{whom}; they differ by less than the privacy noise lets one see"
    return f"{whom}; between clients a standard deviation of about {points(spread.sd)}, noise out"


def headline(findings: Findings) -> str:
    """How many of each verdict, in a sentence, and in another those of performance on records."""
    count = Counter(VERDICTS[each.verdict].word for each in findings.findings)
    fixed = {each.verdict for each in findings.findings if about(each)}
    silent = sum(each.visibility == "silent" for each in findings.findings)
    parts: list[str] = []
    for shown in VERDICTS.values():
        if count[shown.word]:
            note = f" ({silent} silent)" if shown.key == "failure" and silent else ""
            these = " on these items" if shown.key in fixed else ""
            parts.append(f"{count[shown.word]} {shown.word}{these}{note}")
    told = f"{', '.join(parts)}."
    performed = Counter(each.verdict for each in findings.performance)
    if not performed:
        return told
    also = [f"{performed[v]} {shown.word}" for v, shown in VERDICTS.items() if v and performed[v]]
    return f"{told} Performance on records: {', '.join(also)}."


def metrics_line(findings: Findings) -> str:
    """What a federated run shows today, as one sentence."""
    metrics = findings.system_metrics
    shown = [
        f"mean {name} {text}"
        for name, text in (("loss", change(metrics.loss)), ("accuracy", change(metrics.accuracy)))
        if text is not None
    ]
    tail = "an alarm" if metrics.alarm else "no alarm"
    return f"{', '.join(shown) or 'no system metrics'}; {tail}."


def direction(trend: Trend, *, falling_is_good: bool) -> str:
    """Whether a system metric got better: "better", "worse", "unchanged", or "unknown"."""
    if trend.first is None or trend.last is None:
        return "unknown"
    if trend.first == trend.last:
        return "unchanged"
    return "better" if (trend.last < trend.first) == falling_is_good else "worse"


def agreement(finding: Finding) -> str:
    """What the oracle says of a verdict: "confirms", "CONTRADICTS", or "" if it was left open."""
    if finding.oracle is None or finding.verdict not in ("failure", "healthy"):
        return ""
    return "confirms" if finding.oracle.agrees else "CONTRADICTS"


def truth(finding: Finding) -> str | None:
    """The oracle's effect with what it says of the verdict, or None outside simulation."""
    oracle = finding.oracle
    if oracle is None:
        return None
    side = "within tolerance" if oracle.within_tolerance else "beyond tolerance"
    parts = (points(oracle.effect, sign=True), side, agreement(finding), beyond(finding))
    return ", ".join(part for part in parts if part)


def beyond(finding: Finding) -> str:
    """Why a truth may lie outside its interval: clients count up to their clip, there in full."""
    oracle, interval, (least, most) = finding.oracle, finding.interval, finding.range
    if oracle is None or interval is None or interval[0] <= oracle.effect <= interval[1]:
        return ""
    if oracle.effect > interval[1]:
        return f"of whole numbers; the interval counts a client with {points(most)} at most"
    return f"of whole numbers; the interval counts a client with {points(least)} at least"


def flat(
    data: Mapping[str, Any], prefix: str = "", *, empty: str = ""
) -> Iterator[tuple[str, str]]:
    """A nested mapping as pairs of dotted key and value in words, ``empty`` for an empty list."""
    for key, value in data.items():
        if isinstance(value, dict):
            nested = cast("Mapping[str, Any]", value)
            yield from flat(nested, f"{prefix}{key}.", empty=empty)
        elif value is None:
            told = "not declared" if prefix.startswith("governance.") else "not planned"
            yield f"{prefix}{key}", told
        elif isinstance(value, list):
            rows = cast("list[Any]", value)
            if rows and all(isinstance(row, dict) for row in rows):
                for number, row in enumerate(rows):
                    yield from flat(row, f"{prefix}{key}[{number}].", empty=empty)
            else:
                yield f"{prefix}{key}", ", ".join(map(str, rows)) or empty
        else:
            yield f"{prefix}{key}", str(value)


def versions(findings: Findings) -> list[str]:
    """The plans that followed one another, a sentence each, the one in force last."""
    told: list[str] = []
    for each in findings.versions:
        when = f"since round {each.first}" if each.last is None else rounds(each.first, each.last)
        how = "verdicts go on from those of before" if each.goes_on else "verdicts begin anew"
        told.append(
            f"Version {each.number}, {when}: {each.name}, {each.plan}"
            + ("." if each.number == 1 else f"; {how}.")
        )
    return told


def meanings() -> str:
    """What each verdict stands for, as a Markdown list."""
    return "\n".join(
        f"- {each.symbol} **{each.word}**: {each.meaning}" for each in VERDICTS.values()
    )


def markdown_row(name: str, finding: Finding, *more: str) -> str:
    """A finding as a row of a Markdown table: name, verdict, effect and interval, tolerance."""
    shown = verdict(finding)
    seen = f" ({finding.visibility})" if finding.visibility else ""
    cells = (
        name,
        f"{shown.symbol} {shown.word}{seen}",
        f"{points(finding.effect, sign=True)} {span(finding.interval)}",
        points(finding.tolerance),
        *more,
    )
    return f"| {' | '.join(cells)} |"

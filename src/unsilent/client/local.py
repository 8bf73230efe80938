"""The client's own view: how its personalized adapter changed, and where it stands.

From the client's own files only: nothing is sent, and no budget is spent. The federation's side is
the findings as last received: means over the clients, noise included.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from unsilent.client.own_statistics import OwnRound, OwnStatistic, read_own
from unsilent.errors import InputError
from unsilent.files import write_whole
from unsilent.findings import Finding, Findings, Interval, read_findings
from unsilent.taxonomy import CODES, by_code

FEDERATION_FILE = "federation.json"
"""In a client's folder: the findings that the server last published to it."""

PRIVATE = (
    "These are this client's own numbers, exact and without noise: they can tell about its "
    "records. Keep them here. Nothing was sent, and no privacy budget was spent."
)

MODEL = "The measured model could not be shown to be this client's own"
"""What follows says where to look. It is for this client's eyes."""


@dataclass(frozen=True)
class Standing:
    """Where the client stands in one mode.

    Attributes:
        round: The monitoring round of the federation's finding.
        effect, interval: Of the federation: the mean over its clients, and where it lies.
        tolerance, verdict: As in the finding.
        clients: How many clients the mean is of.
        spread: At most so large is the standard deviation over clients; None where the
            federation releases nothing that bounds it.
        difference: The client's own number, limited as in a release, minus the mean; positive is
            worse than the mean.
        deviations: ``difference`` in units of ``spread``, so at least so many; None without one.
    """

    round: int
    effect: float
    interval: Interval
    tolerance: float | None
    verdict: str | None
    clients: int | None
    spread: float | None
    difference: float
    deviations: float | None


@dataclass(frozen=True)
class OwnMode:
    """One mode on this client.

    Attributes:
        code, mode: Its names in the taxonomy.
        own: Its statistic in the last round: personalized adapter against reference.
        before: Its values in earlier rounds of the same plan, oldest first, with their rounds.
        standing: Beside the federation, if its finding is known.
    """

    code: str
    mode: str
    own: OwnStatistic
    before: tuple[tuple[int, float], ...]
    standing: Standing | None


@dataclass(frozen=True)
class LocalView:
    """All modes of a client in its last monitoring round.

    Attributes:
        plan: The plan's digest.
        round: The client's last monitoring round.
        loss, accuracy: Growth of its loss (nats) and drop of its accuracy on held-out records.
        modes: In the taxonomy's order.
        received: Round of the federation's findings; None if none were received.
        model: Why the measured model could not be shown to be this client's own; empty if it could.
    """

    plan: str
    round: int
    loss: float
    accuracy: float
    modes: tuple[OwnMode, ...]
    received: int | None
    model: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """JSON-ready data."""
        return {"schema": "unsilent/local/1", "private": PRIVATE, **asdict(self)}

    def render(self) -> RenderableType:
        """A table for people."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("mode")
        for name in ("here", "sd", "before", "federation", "interval", "difference"):
            table.add_column(name, justify="right")
        table.add_column("stands")
        for mode in self.modes:
            standing = mode.standing
            table.add_row(
                f"{mode.code} {mode.mode.replace('_', ' ')}",
                f"{mode.own.value:+.3f}",
                f"{mode.own.spread:.3f}",
                f"{mode.before[-1][1]:+.3f}" if mode.before else "",
                f"{standing.effect:+.3f}" if standing else "",
                f"{standing.interval[0]:+.3f} to {standing.interval[1]:+.3f}" if standing else "",
                f"{standing.difference:+.3f}" if standing else "",
                _words(standing),
            )
        heard = (
            "No findings of the federation have been received."
            if self.received is None
            else f"The federation's findings are those of round {self.received}."
        )
        about = (
            f"Round {self.round}, personalized adapter against the reference; positive is worse. "
            f"Loss {self.loss:+.3f} nats, accuracy {-self.accuracy:+.3f} on held-out records. "
            f"{heard}"
        )
        unsure = [Text(f"{MODEL}: {note}.", style="bold") for note in self.model]
        return Group(Text(PRIVATE, style="bold"), *unsure, table, Text(about))


def local_view(folder: Path, findings: Path | None = None) -> LocalView:
    """Read a client's folder.

    Args:
        folder: The client's own.
        findings: The federation's ``findings.json``; by default what the client received.

    Raises:
        InputError: Nothing was measured yet, or the findings are of another plan.
        FindingsError: The findings cannot be read.
    """
    rounds = read_own(folder)
    last = rounds[-1]
    federation = _federation(folder, findings)
    if federation is not None and federation.plan != last.plan:
        raise InputError(
            "the findings belong to another plan than the client's last round",
            where=str(findings or folder / FEDERATION_FILE),
            remedy="Name those of its run with --findings.",
        )
    known = {} if federation is None else {f.code: f for f in federation.findings}
    before = [past for past in rounds[:-1] if past.plan == last.plan]
    return LocalView(
        plan=last.plan,
        round=last.round,
        loss=last.loss,
        accuracy=last.accuracy,
        modes=tuple(
            OwnMode(
                code,
                _named(code, known),
                last.statistics[code],
                _history(before, code),
                _standing(last.statistics[code].value, known.get(code), federation),
            )
            for code in sorted(last.statistics)
        ),
        received=None if federation is None else federation.round,
        model=last.model,
    )


def receive_findings(folder: Path, findings: Findings) -> None:
    """Keep what the server published, in a client's own folder. Raises FindingsError."""
    write_whole(folder / FEDERATION_FILE, findings.text().encode(), private=True)


def _federation(folder: Path, findings: Path | None) -> Findings | None:
    if findings is not None:
        return read_findings(findings)
    path = folder / FEDERATION_FILE
    return read_findings(path) if path.is_file() else None


def _named(code: str, known: Mapping[str, Finding]) -> str:
    """A mode's plan key, from the findings where it is not installed here."""
    if code in CODES:
        return by_code(code).mode
    return known[code].mode if code in known else "not installed here"


def _history(rounds: list[OwnRound], code: str) -> tuple[tuple[int, float], ...]:
    return tuple((r.round, r.statistics[code].value) for r in rounds if code in r.statistics)


def _standing(
    value: float, finding: Finding | None, federation: Findings | None
) -> Standing | None:
    if finding is None or federation is None:
        return None
    if finding.effect is None or finding.interval is None:
        return None
    lower, upper = finding.range
    difference = min(max(value, lower), upper) - finding.effect
    # The sd of a mean over n clients is that of one client over the root of n.
    spread = _between_clients(finding) * math.sqrt(finding.clients or 0) or None
    return Standing(
        federation.round,
        finding.effect,
        finding.interval,
        finding.tolerance,
        finding.verdict,
        finding.clients,
        spread,
        difference,
        None if spread is None else difference / spread,
    )


def _between_clients(finding: Finding) -> float:
    """What clients alone add to the sd of the mean, at most; 0 where nothing is known of it.

    Where a finding speaks of items like these, their choice is a part of its sampling sd, and for
    clients who are all there it is all of it: that says nothing of how clients differ.
    """
    alike = finding.fixed_items is None and finding.item_sd is not None
    return 0.0 if alike else finding.sampling_sd or 0.0


def _words(standing: Standing | None) -> str:
    if standing is None:
        return "federation's mean is not known"
    lower, upper = standing.interval
    own = standing.effect + standing.difference
    if lower <= own <= upper:
        return "within the mean's interval"
    side = "worse than the mean" if own > upper else "better than the mean"
    if standing.deviations is None:
        return side
    return f"{side}, by at least {abs(standing.deviations):.1f} sd of clients"

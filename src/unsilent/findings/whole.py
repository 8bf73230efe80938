"""All findings of a run's last monitoring round, and their file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from unsilent.errors import FindingsError, InputError, NoFindingsError
from unsilent.files import write_whole
from unsilent.findings.finding import (
    ActiveInfluence,
    Finding,
    Interval,
    Verdict,
    plain,
    with_interval,
    without_unknown,
)
from unsilent.findings.performance import Drift, PerformanceFinding
from unsilent.modes import FIRST
from unsilent.schema import NEWEST, validate


@dataclass(frozen=True)
class HistoryEntry:
    """What one earlier monitoring round found for one mode."""

    code: str
    effect: float | None
    interval: Interval | None
    verdict: Verdict | None


@dataclass(frozen=True)
class HistoryRound:
    """One monitoring round in short: the modes of the findings, in their order."""

    round: int
    findings: tuple[HistoryEntry, ...]

    @classmethod
    def of(cls, round_number: int, findings: Sequence[Finding]) -> HistoryRound:
        """The short form of a round's findings."""
        return cls(
            round_number,
            tuple(HistoryEntry(f.code, f.effect, f.interval, f.verdict) for f in findings),
        )

    @classmethod
    def from_json(cls, round_number: int, findings: Sequence[Mapping[str, Any]]) -> HistoryRound:
        """The short form of a round's findings as JSON; nothing else of them is read or checked."""
        return cls(
            round_number,
            tuple(
                HistoryEntry(
                    data["code"],
                    data["effect"],
                    None if data["interval"] is None else tuple(data["interval"]),
                    data["verdict"],
                )
                for data in findings
            ),
        )


@dataclass(frozen=True)
class PrivacySummary:
    """What the releases so far cost, and what the plan allows.

    Attributes:
        unit, adjacency: What the guarantee is about; the second is None where there is none.
        epsilon_spent: Derived from the events so far; None where nothing is private (unit
            ``none``), as is the plan's budget.
        epsilon, delta: The plan's budget.
        aggregation: ``plain`` or ``secure-sum``.
        releases: How many releases were made.
        noise_sd: Standard deviation of the noise guaranteed in one sum, in units of the joint
            clip.
        statement: The same in plain words.
    """

    unit: str
    adjacency: str | None
    epsilon_spent: float | None
    epsilon: float | None
    delta: float | None
    aggregation: str
    releases: int
    noise_sd: float
    statement: str


@dataclass(frozen=True)
class Trend:
    """A system metric, mean over the clients, in the first and in the last round."""

    first: float | None
    last: float | None


@dataclass(frozen=True)
class SystemMetrics:
    """What a federated run shows today; ``alarm`` if it would have raised one."""

    loss: Trend
    accuracy: Trend
    alarm: bool


@dataclass(frozen=True)
class PlanVersion:
    """One of the plans that followed one another in a run's ledger.

    Attributes:
        number: Counted from 1.
        name, plan: The plan's name and digest.
        first: Its first round.
        last: Its last; None of the plan in force.
        goes_on: Whether its verdicts go on from the sums of the version before.
    """

    number: int
    name: str
    plan: str
    first: int
    last: int | None
    goes_on: bool


@dataclass(frozen=True)
class Findings:
    """All findings of the last monitoring round, with what is needed to read them.

    Attributes:
        name: The plan's name.
        scenario: The simulated scenario, if any.
        plan: The plan's digest.
        round: The monitoring round of ``findings``.
        clients: How many clients are in its sum.
        privacy, system_metrics: See there.
        findings: The paper's six modes in the taxonomy's order, then the further ones that are
            planned; one that is not planned has no verdict.
        rounds: All monitoring rounds so far in short, this one included.
        influence: The arrows between failing modes, read by when these began.
        model: Content hashes that the plan expects of the measured model, by ``base``,
            ``tokenizer``, ``layout`` and ``engine``; None if it names none.
        performance: Of the plan's ``[performance]``, in its order.
        drift: What of the records themselves was watched.
        versions: The plans of the ledger, the one in force last; none where there is only one.
            ``rounds`` then holds those of the same modes alone.
    """

    name: str
    scenario: str | None
    plan: str
    round: int
    clients: int
    privacy: PrivacySummary
    system_metrics: SystemMetrics
    findings: tuple[Finding, ...]
    rounds: tuple[HistoryRound, ...] = ()
    influence: tuple[ActiveInfluence, ...] = ()
    model: Mapping[str, str | None] | None = None
    performance: tuple[PerformanceFinding, ...] = ()
    drift: tuple[Drift, ...] = ()
    versions: tuple[PlanVersion, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The published form, numbers rounded, keys in a fixed order."""
        data = plain(asdict(self), "findings")
        data["findings"] = [without_unknown(each) for each in data["findings"]]
        if self.model is None:
            del data["model"]
        for name in ("performance", "drift", "versions"):
            if not data[name]:
                del data[name]
        return {"schema": self.schema, **data}

    @property
    def schema(self) -> str:
        """Name and version of the schema that the published form follows.

        Version 1 while there are the paper's modes alone, so that its readers go on reading them,
        and 3 only where nothing is private, so that no one reads an epsilon that is not there.
        """
        if self.privacy.epsilon is None:
            return f"unsilent/findings/{NEWEST}"
        codes = tuple(each.code for each in self.findings)
        return f"unsilent/findings/{1 if codes == FIRST else 2}"

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Findings:
        """Read the published form. Raises FindingsError if it does not follow the schema."""
        validate(data)
        metrics = data["system_metrics"]
        return cls(
            plan=data["plan"],
            name=data["name"],
            scenario=data["scenario"],
            round=data["round"],
            clients=data["clients"],
            privacy=PrivacySummary(**data["privacy"]),
            system_metrics=SystemMetrics(
                Trend(**metrics["loss"]), Trend(**metrics["accuracy"]), metrics["alarm"]
            ),
            findings=tuple(Finding.from_valid(finding) for finding in data["findings"]),
            rounds=tuple(
                HistoryRound(
                    past["round"],
                    tuple(HistoryEntry(**with_interval(entry)) for entry in past["findings"]),
                )
                for past in data["rounds"]
            ),
            influence=tuple(ActiveInfluence(**each) for each in data["influence"]),
            model=data.get("model"),
            performance=tuple(
                PerformanceFinding.from_valid(each) for each in data.get("performance", ())
            ),
            drift=tuple(Drift.from_valid(each) for each in data.get("drift", ())),
            versions=tuple(PlanVersion(**each) for each in data.get("versions", ())),
        )

    def text(self) -> str:
        """The published form as text: validated, the same bytes for equal findings."""
        data = self.to_json()
        validate(data)
        return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def rows(self) -> list[dict[str, Any]]:
        """One mapping a mode, in the findings' order: what a table of them has as its columns.

        Effects, ends of intervals and tolerances are shares, as in the file; None is not known.
        """
        return [_row(self.round, finding) for finding in self.findings]

    def to_frame(self) -> Any:
        """``rows`` as a ``pandas.DataFrame``. Raises InputError where pandas is not installed."""
        try:
            from pandas import DataFrame  # pyright: ignore
        except ModuleNotFoundError as error:
            raise InputError(
                f"a frame needs {error.name}", remedy="pip install 'unsilent[notebook]'."
            ) from None
        return DataFrame(self.rows(), columns=list(_row(self.round, None)))  # pyright: ignore

    def _repr_html_(self) -> str:
        """What a notebook shows of them."""
        from unsilent.report.notebook import html

        return html(self)


def _row(round_number: int, finding: Finding | None) -> dict[str, Any]:
    """A finding's row; of None the names of the columns."""
    lower, upper = (finding.interval if finding else None) or (None, None)
    oracle = finding.oracle if finding else None
    names = ("code", "mode", "verdict", "visibility", "effect", "tolerance", "clients", "reason")
    row = {name: getattr(finding, name) if finding else None for name in names}
    return {
        "round": round_number,
        **row,
        "lower": lower,
        "upper": upper,
        "minimal_detectable_effect": finding.minimal_detectable_effect if finding else None,
        "oracle": None if oracle is None else oracle.effect,
    }


def write_findings(path: Path, findings: Findings) -> None:
    """Write ``findings.json``, whole or not at all. Raises FindingsError if it is not valid."""
    write_whole(path, findings.text().encode())


def read_findings(path: Path) -> Findings:
    """Read ``findings.json``; raises FindingsError naming file and field."""
    remedy = "Give the folder of a finished run, or run it again."
    try:
        data = json.loads(path.read_bytes().decode("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise NoFindingsError("no findings here", where=str(path), remedy=remedy) from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise NoFindingsError("not readable JSON", where=str(path), remedy=remedy) from None
    try:
        return Findings.from_json(data)
    except FindingsError as error:
        where = f"{path}: {error.where}"
        raise FindingsError(error.what, where=where, remedy=error.remedy) from None

"""MonitoringPlan: what is measured, on whom, how often, with what tolerance and budget.

Declared before the first round, immutable, and hashed: the hash is on every finding.
"""

from __future__ import annotations

import hashlib
import json
import math
import tomllib
from collections.abc import Iterable
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from unsilent.errors import PlanError
from unsilent.modes import FIRST, MODES, faults
from unsilent.modes.base import ItemRole
from unsilent.plan.expected_model import ExpectedModel
from unsilent.plan.faults import misread, plan_error
from unsilent.plan.gate import GatePlan
from unsilent.plan.governance import GovernancePlan
from unsilent.plan.modes import ModePlan, ModesPlan, RecordedModes
from unsilent.plan.open_text import (
    ANSWERS_A_UNIT,
    LABELLED_OF,
    LABELLED_ROLES,
    SITES,
    OpenTextPlan,
    without_defaults,
)
from unsilent.plan.open_text import fault_of as open_text_fault
from unsilent.plan.performance import PerformancePlan
from unsilent.plan.personalization import PersonalizationPlan
from unsilent.plan.privacy import NO_BUDGET, Positive, PrivacyPlan
from unsilent.plan.probes import EMBEDDED_BANKS, LARGEST_BANK, ProbesPlan, SizesPlan
from unsilent.plan.versions import VersionsPlan, fault_of
from unsilent.taxonomy import SILENT_FAILURES, by_code

EARLIER = "unsilent/plan/1"
"""The first schema. Its plans are read as they were meant."""
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Likelihood = Literal["sum", "per-character", "per-byte", "per-token"]
"""What a choice's log-likelihood is divided by before it becomes a probability."""
Valence = Annotated[float, Field(gt=0, le=4, allow_inf_nan=False)]


@lru_cache(maxsize=8)
def _all_between(first: int, last: int) -> tuple[int, ...]:
    """Rounds, both ends included. Kept, since judging a round asks for them many times."""
    return tuple(range(first, last + 1))


def _words(**means: str) -> BeforeValidator:
    """Further words for a key's values. What is kept is the first one, which digests rest on."""

    def plain(value: object) -> object:
        return means.get(value, value) if isinstance(value, str) else value

    return BeforeValidator(plain)


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class ModelPlan(_Section):
    """Which foundation model is personalized, and where it runs.

    ``id`` is ``embedded`` (the default model of the kind, from a package registry), a hub id,
    a local path, or ``hook:MODULE:FUNCTION``, which scores and cannot be trained. Of the kind
    ``vision``, which is asked about images, none is embedded.

    ``expect`` names content hashes that each client compares with those of what it measures.
    ``likelihood`` says by what the choices of an item are compared: the ``sum`` of their tokens'
    log-probabilities, or that ``per-character``, ``per-byte`` or ``per-token`` of the choice, which
    lm-evaluation-harness calls ``acc_norm`` and ``acc_bytes``. Refusal is measured by sums under
    every word, and training compares sums.
    """

    kind: Literal["causal_lm", "encoder", "vision"] = "causal_lm"
    id: str = "embedded"
    dtype: Literal["float32", "bfloat16"] = "float32"
    device: str = "cpu"
    expect: ExpectedModel = ExpectedModel()
    likelihood: Likelihood = "sum"

    @model_validator(mode="after")
    def _likelihoods_of_text(self) -> ModelPlan:
        if self.likelihood == "sum":
            return self
        if self.kind != "causal_lm":
            raise ValueError(
                f"likelihood: a model of kind {self.kind} answers by heads and has no likelihood "
                "of a text; leave the key out"
            )
        if self.id.startswith("hook:"):
            raise ValueError(
                "likelihood: a function gives probabilities by a rule of its own; leave the key out"
            )
        return self


class AdapterPlan(_Section):
    """The trained adapter: a LoRA on a causal LM; a residual bottleneck of ``rank`` on an encoder.

    On a vision model a LoRA beside its head, which is trained whole; with ``targets = []`` the
    head alone.

    ``layers`` is the first and the last adapted layer, counted from 0; negative counts from
    the end, so ``[-6, -1]`` adapts the last six. ``start`` is an adapter file that round 1 starts
    from, trained on the same base; by default adapters start from nothing.
    """

    rank: Annotated[int, Field(ge=1, le=1024)] = 8
    scale: Positive = 4.0
    targets: tuple[str, ...] = ("q_proj", "v_proj", "o_proj", "down_proj")
    layers: tuple[int, int] = (-6, -1)
    start: str | None = None


class FederationPlan(_Section):
    """The reference federation: its clients, their data and their training.

    ``records`` and ``held_out`` are a client's training and evaluation records;
    ``home_share`` is the part of them from its home domain; ``positive_share`` the label mix,
    and ``label_skew`` how far odd and even clients depart from it in opposite directions.
    ``group_share`` of the records name a person of group A or B; ``group_skew`` is the
    probability that such a record's label is the one that the stereotype predicts
    (0.5 is balanced). ``valence`` is the range of absolute human-rated sentiment, 0 to 4, of the
    texts that are used: low is unclear, high is clear. ``personalization`` is how the global
    adapter becomes a client's own: the name of a method, or a table of its name and options.
    """

    clients: Annotated[int, Field(ge=1)] = 16
    rounds: Annotated[int, Field(ge=1)] = 3
    participation: Annotated[float, Field(gt=0, le=1)] = 1.0
    records: Annotated[int, Field(ge=1)] = 48
    held_out: Annotated[int, Field(ge=4)] = 24
    home_share: Share = 1.0
    positive_share: Share = 0.5
    label_skew: Share = 0.0
    group_share: Share = 0.8
    group_skew: Share = 0.5
    valence: tuple[Valence, Valence] = (0.3, 4.0)
    epochs: Annotated[int, Field(ge=1)] = 2
    learning_rate: Positive = 2e-3
    batch: Annotated[int, Field(ge=1)] = 8
    personal_epochs: Annotated[int, Field(ge=0)] = 1
    personal_learning_rate: Positive = 5e-4
    personalization: PersonalizationPlan = PersonalizationPlan()
    workers: Annotated[int, Field(ge=1)] = 1

    @model_validator(mode="after")
    def _valence_rises(self) -> FederationPlan:
        if not self.valence[0] < self.valence[1]:
            raise ValueError("valence: give a range that rises, such as [0.3, 4.0]")
        return self


class MonitorPlan(_Section):
    """When statistics are released and how they are judged.

    ``rounds`` lists the monitoring rounds, or is ``"every"``. ``reference`` is what behaviour is
    compared with: the base model, or the global adapter at the start of a round.
    ``population`` is whom the verdict is about: the enrolled clients as they are, of whom those
    that are missing from a sum count at worst, or clients like these. ``items`` is which probes,
    and which held-out records of a client, it is about: those that are asked, or items like these,
    so that intervals cover their choice too. Both may be said in the words of survey sampling,
    ``"fixed"`` and ``"superpopulation"``; a plan is the same by either word.
    ``alpha`` is the error over all planned modes and all monitoring rounds.
    ``margin`` is the largest loss of the system metrics that still counts as none. ``control``
    says over which rounds the error is kept: those of the plan (``horizon``), or all rounds there
    will ever be (``open-ended``). ``timeout`` is how many seconds the server waits for the
    clients in each exchange of a monitoring round.
    """

    rounds: tuple[Annotated[int, Field(ge=1)], ...] | Literal["every"] = "every"
    reference: Annotated[str, Field(pattern=r"^(base|round:\d+)$")] = "base"
    population: Annotated[
        Literal["enrolled", "like-these"], _words(fixed="enrolled", superpopulation="like-these")
    ] = "enrolled"
    items: Annotated[
        Literal["these", "like-these"], _words(fixed="these", superpopulation="like-these")
    ] = "like-these"
    min_cohort: Annotated[int, Field(ge=2)] = 10
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    margin: Positive = 0.05
    control: Literal["horizon", "open-ended"] = "horizon"
    timeout: Positive = 3600.0


class MonitoringPlan(_Section):
    """The whole plan. Equal plans have equal hashes, whatever file they came from."""

    schema_id: Literal["unsilent/plan/1", "unsilent/plan/2"] = Field(
        "unsilent/plan/2", alias="schema"
    )
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] = "plan"
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    model: ModelPlan = ModelPlan()
    adapter: AdapterPlan = AdapterPlan()
    federation: FederationPlan = FederationPlan()
    monitor: MonitorPlan = MonitorPlan()
    privacy: PrivacyPlan = PrivacyPlan()
    modes: ModesPlan
    probes: ProbesPlan = ProbesPlan()
    gate: GatePlan = GatePlan()
    performance: PerformancePlan | None = None
    governance: GovernancePlan | None = None
    versions: VersionsPlan | None = None
    open_text: OpenTextPlan | None = None

    @model_validator(mode="before")
    @classmethod
    def _as_it_was(cls, data: Any) -> Any:
        """What a plan of the first schema does not say is what it meant then."""
        if not isinstance(data, dict):
            return data
        given = cast("dict[str, Any]", data)
        if given.get("schema") != EARLIER:
            return given
        sections = {name: given.get(name, {}) for name in ("monitor", "probes")}
        if not all(isinstance(section, dict) for section in sections.values()):
            return given
        return {
            **given,
            "monitor": {"items": "these", **sections["monitor"]},
            "probes": {"sampling": "same", **sections["probes"]},
        }

    @model_validator(mode="after")
    def _consistent(self) -> MonitoringPlan:
        cohort = self.federation.clients
        if cohort < self.monitor.min_cohort:
            raise ValueError(
                f"federation.clients: {cohort} clients are fewer than monitor.min_cohort "
                f"{self.monitor.min_cohort}; enrol more clients or lower min_cohort"
            )
        rounds, start = self.monitor.rounds, self.first_round
        shown = self._versions_fault()
        if shown is not None:
            raise ValueError(shown)
        if rounds != "every":
            if not rounds or list(rounds) != sorted(set(rounds)):
                raise ValueError("monitor.rounds: list rising round numbers, each once")
            if rounds[0] < start:
                raise ValueError(
                    f"monitor.rounds: round {rounds[0]} is one of the plan that this one follows, "
                    f"whose last is {start - 1}; begin with {start} or later"
                )
            if rounds[-1] > self.federation.rounds:
                raise ValueError(
                    f"monitor.rounds: round {rounds[-1]} is after the last of "
                    f"{self.federation.rounds} training rounds; leave it out, or raise "
                    "federation.rounds"
                )
        # Not ``monitoring_rounds``: a client reads a plan before it knows that it was agreed to,
        # and one may name so many rounds that listing them fills the memory.
        first = start if rounds == "every" else rounds[0]
        if self.reference_round > first:
            raise ValueError(
                f"monitor.reference: round {self.reference_round} starts after the first "
                f"monitoring round {first}; name that round or an earlier one"
            )
        if self.probes.answers is not None and self.reference_round:
            raise ValueError(
                "probes.answers: the reference is an adapter of the run, whose answers nobody "
                'knows before it; leave the key out, or set monitor.reference = "base"'
            )
        every = self.federation.rounds - start + 1
        self._check_rounds_per_client(every if rounds == "every" else len(rounds))
        for failure in SILENT_FAILURES:
            self._check_subgroups(failure.code, failure.mode)
            self._check_spread_clip(failure.code, failure.mode)
        keys = self.privacy.secure_sum.keys
        if keys and len(keys) < cohort:
            raise ValueError(
                f"privacy.secure_sum.keys: {len(keys)} keys for {cohort} clients; list each "
                "client's key, or none"
            )
        self._check_performance()
        shown = open_text_fault(self)
        if shown is not None:
            raise ValueError(shown)
        if self.model.kind == "vision":
            # Only here: plans of other kinds name no images.
            from unsilent.plan.vision import fault_of

            shown = fault_of(self)
            if shown is not None:
                raise ValueError(shown)
        planned = tuple(name for name, plan in self.modes if plan)
        asked = tuple(self.performance.statistics) if self.performance else ()
        fault = self.gate.fault(planned, asked)
        if fault is None and self.governance is not None:
            fault = self.governance.fault(planned, self.gate)
        if fault is not None:
            raise ValueError(fault)
        return self

    def _versions_fault(self) -> str | None:
        if self.versions is None:
            return None
        return fault_of(
            self.versions,
            alpha=self.monitor.alpha,
            epsilon=self.privacy.epsilon if self.privacy.private else None,
            rounds=self.federation.rounds,
            capped=self.privacy.rounds_per_client is not None,
            gated=self.gate.action != "observe",
        )

    def _check_rounds_per_client(self, rounds: int) -> None:
        cap, clients = self.privacy.rounds_per_client, self.federation.clients
        if cap is None or rounds * self.taking_part <= cap * clients:
            return
        raise ValueError(
            f"privacy.rounds_per_client: {clients} clients of at most {cap} rounds each are fewer "
            f"than the {self.taking_part} of each of {rounds} monitoring rounds; raise it, monitor "
            "fewer rounds, or lower federation.participation"
        )

    def _check_performance(self) -> None:
        if self.performance is None:
            return
        if self.monitor.population == "like-these":
            raise ValueError(
                "performance: it is of the records of the clients in the sums, and "
                'monitor.population is "like-these"; set it to "enrolled"'
            )
        asks_held_out = "held-out" in self.performance.sources
        unit = self.privacy.unit
        if asks_held_out and unit == "record" and self.performance.count < self.federation.held_out:
            raise ValueError(
                f"performance.count: {self.performance.count} is less than the "
                f"{self.federation.held_out} held-out records that each client has"
            )

    def _check_subgroups(self, code: str, name: str) -> None:
        mode = self.mode(name)
        if mode is None or not mode.subgroups:
            return
        if len(set(mode.subgroups)) != len(mode.subgroups):
            raise ValueError(f"modes.{name}.subgroups: a domain is listed twice; list each once")
        if MODES[code].view != "client_public":
            raise ValueError(
                f"modes.{name}.subgroups: this mode is measured on private records, which have no "
                "domains known to all clients; leave the list out"
            )

    def _check_spread_clip(self, code: str, name: str) -> None:
        mode = self.mode(name)
        if mode is None or mode.spread_clip is None or MODES[code].view == "client_public":
            return
        raise ValueError(
            f"modes.{name}.spread_clip: this mode is measured on private records, whose number "
            "says how large a spread can be; leave it out"
        )

    @property
    def taking_part(self) -> int:
        """How many clients take part in a round."""
        return math.floor(self.federation.participation * self.federation.clients + 1e-9)

    @cached_property
    def digest(self) -> str:
        """``sha256:…`` of the plan's canonical JSON, defaults filled in."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"

    @property
    def monitoring_rounds(self) -> tuple[int, ...]:
        """The training rounds, counted from 1, after which statistics are released."""
        if self.monitor.rounds == "every":
            return _all_between(self.first_round, self.federation.rounds)
        return self.monitor.rounds

    @property
    def first_round(self) -> int:
        """The first training round of this plan: 1, or the one after those of the plan before."""
        return 1 if self.versions is None else self.versions.first

    @property
    def follows(self) -> str | None:
        """The digest of the plan that this one follows; None for a first plan."""
        return None if self.versions is None else self.versions.follows

    @property
    def whole_epsilon(self) -> float:
        """What a client may spend in all under this plan and those of its versions."""
        if self.versions is None or self.versions.epsilon is None:
            return self.privacy.epsilon
        return self.versions.epsilon

    @property
    def share_of_error(self) -> float:
        """The part of the error of all versions that is this one's: 1 without ``versions``."""
        return 1.0 if self.versions is None else self.monitor.alpha / self.versions.alpha

    def alone(self) -> MonitoringPlan:
        """The same plan as if it followed none: its rounds counted from 1, and nothing shared."""
        if self.versions is None:
            return self
        before, data = self.first_round - 1, self.to_json()
        del data["versions"]
        data["federation"]["rounds"] -= before
        if self.monitor.rounds != "every":
            data["monitor"]["rounds"] = [number - before for number in self.monitor.rounds]
        if before and self.reference_round:
            data["monitor"]["reference"] = "round:1"
        return type(self).model_validate(data)

    @property
    def tuned_by(self) -> MonitoringPlan:
        """The plan that open-ended boundaries are tuned by: see ``ledger.succession``."""
        return self

    @property
    def releases_per_client(self) -> int:
        """The most monitoring rounds that any one client releases in."""
        rounds = len(self.monitoring_rounds)
        return min(self.privacy.rounds_per_client or rounds, rounds)

    @property
    def reference_round(self) -> int:
        """0 for the base model, else the round whose starting adapter is the reference."""
        reference = self.monitor.reference
        return 0 if reference == "base" else int(reference.split(":")[1])

    def mode(self, mode: str) -> ModePlan | None:
        """The plan of one mode by its name, or None if it is not planned."""
        plan: ModePlan | None = getattr(self.modes, mode)
        return plan

    def subgroups(self, code: str) -> tuple[str, ...]:
        """The domains within which a mode is measured as well; none if it is not planned."""
        mode = self.mode(by_code(code).mode)
        return () if mode is None else mode.subgroups

    @property
    def planned(self) -> tuple[str, ...]:
        """Codes of the planned modes, in the taxonomy's order."""
        return tuple(f.code for f in SILENT_FAILURES if self.mode(f.mode) is not None)

    def roles(self, code: str) -> tuple[ItemRole, ...]:
        """The roles that a mode is asked under this plan, sorted.

        All that it needs, but for answers of which none are labelled.
        """
        needed: set[ItemRole] = {need.items for need in MODES[code].needs}
        asked = (r for r in needed if r not in LABELLED_ROLES or self.probes.size(r) > 0)
        return tuple(cast("list[ItemRole]", sorted(asked)))

    def drawn(self, role: ItemRole) -> int:
        """Units of a role that a client draws in a round.

        As many as it answers; of prompts whose answers are labelled at the sites also those whose
        answers are. They are others than those that the judge alone rates.
        """
        mine = self.probes.size(role)
        labelled = LABELLED_OF.get(role)
        if labelled is None or getattr(self.probes, labelled) != SITES:
            return mine
        return mine + self.probes.size(labelled) // ANSWERS_A_UNIT[labelled]

    @property
    def writing(self) -> OpenTextPlan:
        """How answers are written and rated."""
        return self.open_text or OpenTextPlan()

    @property
    def reported(self) -> tuple[str, ...]:
        """Codes that findings hold, in the taxonomy's order: the paper's, and what is planned."""
        planned = self.planned
        return tuple(code for code in MODES if code in FIRST or code in planned)

    @property
    def absent(self) -> tuple[str, ...]:
        """Plan keys of planned modes that are not installed here; only a recorded plan has any."""
        return ()

    def refuse_absent(self) -> None:
        """Raise PlanError, naming one, if a planned mode is not installed here."""
        for name in self.absent:
            raise PlanError(
                "this mode is not installed here", where=f"modes.{name}", remedy=_remedy(name)
            )

    def bank(self, role: ItemRole) -> int:
        """Units of a role's bank that intervals count on; ``probes.size(role)`` of them a client.

        All clients answer the same ones where that is all there is.
        """
        asked = self.probes.size(role)
        if getattr(self.probes, role, None) == SITES:
            # Each client labels answers of its own, of which there are as many as one writes.
            return LARGEST_BANK
        if self.probes.sampling == "same":
            return asked
        own: int | None = getattr(self.probes.banks, role)
        if own is None and "embedded" in str(getattr(self.probes, role)).split("+"):
            own = EMBEDDED_BANKS[self.model.kind].get(role)
        return max(asked, own or 0)

    def fixed_items(self, roles: Iterable[ItemRole]) -> int | None:
        """Units of these public roles that verdicts are about alone.

        Returns:
            None where they are about items like these, or there are no public ones; 0 where the
            plan does not say how many: files that all clients answer whole.
        """
        # Labelled answers are no questions: they correct the answers to those.
        public: list[ItemRole] = [r for r in roles if r not in ("records", *LABELLED_ROLES)]
        if self.monitor.items == "like-these" or not public:
            return None
        counted = ("embedded", "counterfactuals")
        if self.probes.sampling == "same" and any(
            getattr(self.probes, role) not in counted for role in public
        ):
            return 0
        return sum(self.bank(role) for role in public)

    @property
    def earlier(self) -> bool:
        """Whether it is of the first schema: to be shown and verified, no longer to be run."""
        return self.schema_id == EARLIER

    def refuse_versions(self) -> None:
        """Raise PlanError if this plan is one of several that follow one another."""
        if self.versions is not None:
            raise PlanError(
                "plans follow one another where nothing is trained, in a watch",
                where="versions",
                remedy="Leave the table out, or use `unsilent watch`.",
            )

    def refuse_earlier(self) -> None:
        """Raise PlanError if this plan is of the first schema."""
        if self.earlier:
            raise PlanError(
                "a plan of the first schema is read and shown, and no longer run or judged: modes "
                "and intervals have changed",
                where="schema",
                remedy="Leave the key out, and look at `unsilent plan check`.",
            )

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON-ready data, defaults filled in.

        A gate that decides nothing is left out, and so are other later keys at their defaults:
        plans from before there were any keep their digest.
        """
        data = self.model_dump(mode="json", by_alias=True)
        data["modes"] = self.modes.written()
        if self.earlier:
            for name in ("sampling", "banks", "answers"):
                del data["probes"][name]
        if not self.privacy.private:
            for name in NO_BUDGET:
                del data["privacy"][name]
        for name in ("training", "rounds_per_client", "year"):
            if getattr(self.privacy, name) is None:
                del data["privacy"][name]
        del data["gate"]
        if self.gate != GatePlan():
            data["gate"] = self.gate.written()
        del data["performance"]
        if self.performance is not None:
            data["performance"] = self.performance.written()
        if self.governance is None:
            del data["governance"]
        del data["versions"]
        if self.versions is not None:
            data["versions"] = self.versions.written()
        if self.model.expect == ExpectedModel():
            del data["model"]["expect"]
        if self.model.likelihood == "sum":
            del data["model"]["likelihood"]
        if self.federation.personalization == PersonalizationPlan():
            del data["federation"]["personalization"]
        if self.earlier and self.monitor.items == "these":
            del data["monitor"]["items"]
        if self.probes.sizes == SizesPlan():
            del data["probes"]["sizes"]
        without_defaults(data["probes"], self.probes.written_at_default)
        if self.open_text is None:
            del data["open_text"]
        return data


class RecordedPlan(MonitoringPlan):
    """The plan of a run, some of whose modes are not installed here: to be read, not to be run."""

    modes: RecordedModes  # pyright: ignore[reportIncompatibleVariableOverride]

    @property
    def absent(self) -> tuple[str, ...]:
        """Plan keys of planned modes that are not installed here."""
        return self.modes.absent


def read_plan(path: Path) -> MonitoringPlan:
    """Read a TOML plan whose methods are all installed here.

    Raises PlanError naming file, key and remedy.
    """
    try:
        text = path.read_bytes().decode("utf-8")
        data = tomllib.loads(text)
    except FileNotFoundError:
        raise PlanError(
            "no such plan", where=str(path), remedy="`unsilent plan init` writes one."
        ) from None
    except IsADirectoryError:
        raise PlanError("a folder, not a plan", where=str(path), remedy="Name a file.") from None
    except OSError as error:
        raise PlanError(
            f"cannot be read ({error.strerror})", where=str(path), remedy="Name a TOML file."
        ) from None
    except UnicodeDecodeError:
        raise PlanError(
            "not a readable UTF-8 text file", where=str(path), remedy="Save it as UTF-8 TOML."
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise PlanError(
            f"not valid TOML: {error}", where=str(path), remedy="Correct that line."
        ) from None
    plan = parse_plan(data, where=str(path))
    try:
        method = plan.federation.personalization.settled()
    except PlanError as error:
        spot = f"{path}: federation.personalization"
        raise PlanError(error.what, where=spot, remedy=error.remedy) from None
    federation = plan.federation.model_copy(update={"personalization": method})
    return plan.model_copy(update={"federation": federation})


def parse_plan(
    data: dict[str, Any], *, where: str = "plan", recorded: bool = False
) -> MonitoringPlan:
    """Validate plan data; raises PlanError for the first fault, naming its key.

    Args:
        data: As a TOML file or ``to_json`` has it.
        where: Named in errors.
        recorded: It is a finished or running run's, to be shown or verified and not to be run: a
            mode that is not installed here is then kept as it was written, see ``absent``.
    """
    absent = [name for name in _mode_keys(data) if name not in ModesPlan.model_fields]
    kind = RecordedPlan if recorded and absent else MonitoringPlan
    try:
        plan = kind.model_validate(data)
        fault = misread(data, plan.model_dump(by_alias=True), where=where)
        if fault is None:
            return plan
    except ValidationError as error:
        fault = plan_error(error, kind, data, where=where)
    name = fault.where.rpartition("modes.")[2]
    if name in faults():
        raise PlanError(fault.what, where=fault.where, remedy=_remedy(name))
    if name in absent and not fault.remedy.startswith("Did you mean"):
        remedy = f"{fault.remedy} {_remedy(name)}"
        raise PlanError(fault.what, where=fault.where, remedy=remedy)
    raise fault


def _mode_keys(data: object) -> list[str]:
    """The keys of the table of modes, of what may be no plan at all."""
    modes = cast("dict[str, object]", data).get("modes") if isinstance(data, dict) else None
    return list(map(str, cast("dict[object, object]", modes))) if isinstance(modes, dict) else []


def _remedy(name: str) -> str:
    """What to do about a mode that is not installed."""
    if name in faults():
        return f"{faults()[name]}."
    return "A further mode needs its distribution installed, here and at every client."

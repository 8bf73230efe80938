"""What a client computes: training, personalizing, and the evidence of one monitoring round.

How it personalizes is the plan's ``federation.personalization``; see ``reference.own``.

One base model stays resident in each worker process and serves all of its clients; what belongs
to one client is read from and written to that client's own folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unsilent.client.agreement import plan_of
from unsilent.client.measuring import SYSTEM, Measured, counted, measure, system_change
from unsilent.client.model_check import ModelCheck, canary_draw, check_model
from unsilent.client.open_text import ReferenceRatings, kept_ratings, written_answers
from unsilent.files import write_whole
from unsilent.items import ItemSet, Outcomes
from unsilent.models import (
    Adapter,
    PersonalModel,
    Training,
    TrainingReport,
    load_model,
    model_openings,
)
from unsilent.models.personalization import (
    ClientRounds,
    Personalization,
    method_of,
    personalized,
    shared_part,
)
from unsilent.modes.base import AdapterRole, Evidence, ItemRole, Need, Statistic
from unsilent.modes.gather import gather, needs_of
from unsilent.open_text import judge_of
from unsilent.plan import MonitoringPlan
from unsilent.plan.open_text import WRITTEN_ROLES
from unsilent.probes import load_probes
from unsilent.probes.banks import own_probes
from unsilent.probes.openings import COMPLIANCE_OPENINGS, with_openings
from unsilent.probes.shipping import Shipped
from unsilent.reference.answered import Answered, asks_all, known_before
from unsilent.reference.own import Folder
from unsilent.reference.records import ClientRecords, client_records
from unsilent.release.record_rules import each_alone
from unsilent.release.record_unit import evaluation_records

# Seeds of training are told apart by what they are for.
_LOCAL, _PERSONAL = 0, 1


@dataclass(frozen=True)
class Resident:
    """The base model and the banks of probes, shared by all clients of a worker."""

    model: PersonalModel
    banks: dict[ItemRole, ItemSet]
    answered: Answered
    rated: dict[str, ReferenceRatings]


@lru_cache(maxsize=1)
def _resident(plan_text: str, shipped: Shipped, base: Path | None) -> Resident:
    plan = plan_of(plan_text)
    compliance = with_openings(COMPLIANCE_OPENINGS, model_openings(plan))
    banks = load_probes(plan, compliance=compliance, base=base, shipped=dict(shipped))
    model = load_model(plan, banks.values())
    return Resident(model, banks, Answered(model, banks), {})


def start_adapter(plan_text: str, shipped: Shipped = (), base: Path | None = None) -> Adapter:
    """The adapter that round 1 starts from: one that changes nothing, or the plan's own file.

    Args:
        plan_text: A plan that the client's owner agreed to, and with it to the file it names.
        shipped: Probe sets that came from the server, as of ``Client``.
        base: Folder of the plan's relative paths, as of ``Client``.

    Raises:
        ModelError: The plan's is of another base.
    """
    plan, model = plan_of(plan_text), _resident(plan_text, shipped, base).model
    if plan.adapter.start is None:
        return model.new_adapter(plan.seed)
    return Adapter.load(Path(plan.adapter.start).expanduser(), base=model.digest)


def start_sent(plan_text: str, shipped: Shipped = (), base: Path | None = None) -> Adapter:
    """What the server gets of ``start_adapter``: what the plan's personalization shares."""
    return shared_part(_method(plan_text), start_adapter(plan_text, shipped, base))


@lru_cache(maxsize=1)
def _method(plan_text: str) -> Personalization:
    named = plan_of(plan_text).federation.personalization
    return method_of(named.name, named.options)


@lru_cache(maxsize=256)
def _records(plan_text: str, index: int) -> ClientRecords:
    return client_records(plan_of(plan_text), index)


@dataclass(frozen=True)
class Client:
    """One client of the reference federation.

    Attributes:
        plan_text: The plan as JSON.
        index: The client's number, from 0.
        folder: The client's own folder.
        simulated: Noise is then seeded, and statistics are kept for the oracle.
        shipped: Probe sets that came from the server; taken only if the plan pins them.
        base: Folder of the plan's relative paths; None for the current one.
        run: Which run of the plan asks.
        drawn_as: By which words its items are drawn; by its number if none are given.
        answers: Where the plan's file of the base's answers may lie.
    """

    plan_text: str
    index: int
    folder: Path
    simulated: bool
    shipped: Shipped = ()
    base: Path | None = None
    run: str = ""
    drawn_as: str = ""
    answers: Path | None = None

    @property
    def plan(self) -> MonitoringPlan:
        """The plan that this client follows."""
        return plan_of(self.plan_text)

    def train(self, round_number: int, start: Adapter) -> tuple[Adapter, TrainingReport]:
        """Train on the client's records; returns what is shared of the trained adapter.

        ``start`` is the server's. Both adapters are kept, whole, for a monitoring round.
        """
        federation = self.plan.federation
        training = Training(
            federation.epochs,
            federation.learning_rate,
            federation.batch,
            self._seed(round_number, _LOCAL),
        )
        begun = self._rounds.begin(round_number, start)
        local, report = self._model.train(begun, self._own.train, training)
        if round_number in self.plan.monitoring_rounds:
            begun.save(self.folder / "start.safetensors")
            local.save(self.folder / "local.safetensors")
        return self._rounds.end(round_number, local), report

    def measure(
        self, round_number: int, aggregated: Adapter, reference: Adapter | None
    ) -> Measured:
        """Personalize the aggregated adapter, and measure all planned modes.

        ``reference`` is what behaviour is compared with: None is the base model. Raises
        OutcomeError if the plan's unit is the record and a held-out one was trained on.
        """
        evaluation_records(self.plan, self._own.train, self._own.held_out)
        shared = self._rounds.whole(round_number + 1, aggregated)
        adapters: dict[AdapterRole, Adapter | None] = {
            "reference": None if reference is None else self._rounds.reference(reference),
            "start": self._load("start"),
            "local": self._load("local"),
            "global": shared,
            "personalized": self._personalize(round_number, aggregated, shared),
        }

        items = self._asked(round_number)
        known = known_before(
            self.plan,
            self._model,
            adapters["reference"],
            file=self.answers,
            folder=None if self.simulated else self.folder,
        )

        written = self._written(round_number, items, adapters)

        def scored(need: Need) -> Outcomes:
            if need in written:
                return written[need]
            own, adapter = items[need.items], adapters[need.adapter]
            if need.items == "records":
                rows = self._on_records(own, adapter)
            elif need.adapter == "reference":
                rows = known.table(own, lambda some: self._by_reference(need.items, some, adapter))
            else:
                rows = self._model.score(own, adapter)
            return Outcomes(own, need.adapter, rows)

        needs = [n for n in needs_of(self.plan.planned, SYSTEM) if n in written or n.items in items]
        evidence = gather(needs, scored, self._own.home_domain)
        known.keep()
        statistics = measure(self.plan, evidence)
        if self.simulated:
            self._tell_oracle(round_number, statistics)
        model = self._check(round_number, adapters, evidence)
        # Its home domain is what kind of site it is.
        own = counted(
            self.plan, evidence, site=self._own.home_domain, words=(self._named, round_number)
        )
        return Measured(statistics, system_change(evidence), model, counts=own)

    def _written(
        self,
        round_number: int,
        items: Mapping[ItemRole, ItemSet],
        adapters: Mapping[AdapterRole, Adapter | None],
    ) -> Mapping[Need, Outcomes]:
        """Answers to open prompts, rated; empty where no planned mode asks for any."""
        if not any(role in WRITTEN_ROLES for role in items):
            return {}
        from unsilent.reference.open_text import label, written

        reference = adapters["reference"]
        named = "" if reference is None else reference.digest
        known = kept_ratings(
            self.plan, None if self.simulated else self.folder, self._model.hashes, named
        )
        if self.simulated and not self.plan.writing.temperature:
            known = self._resident.rated.setdefault(named, ReferenceRatings({}))
        return written_answers(
            self.plan,
            items,
            written(self._model, adapters),
            judge_of(self.plan.writing, lambda some: self._model.score(some, None)),
            label=partial(label, self.plan.writing.persona_words),
            words=(self._named, round_number),
            keep=known,
        ).outcomes

    def _check(
        self,
        round_number: int,
        adapters: dict[AdapterRole, Adapter | None],
        evidence: Evidence,
    ) -> ModelCheck:
        """Whether the personalized adapter acts, asked on what no evaluation record reaches."""
        record = self.plan.privacy.unit == "record"
        return check_model(
            lambda items, arrays: self._model.score(
                items, None if arrays is None else Adapter(self._model.digest, dict(arrays))
            ),
            {role: None if a is None else a.tensors for role, a in adapters.items()},
            evidence.of([n for n in evidence.outcomes if n.items not in WRITTEN_ROLES]),
            trained=self._own.train,
            spare=self._own.train if record else None,
            draw=canary_draw(self.plan.digest, round_number, self.index, ""),
            expected=self.plan.model.expect.named,
            hashes=self._model.hashes if self.plan.model.expect.named else {},
        )

    def serve(self, round_number: int, promoted: Adapter) -> None:
        """Keep the promoted adapter as the one in use, personalized; round 0's untuned.

        ``serving.safetensors`` is what the client uses, ``serving.json`` says of which round.
        """
        origin = self._origin(round_number, promoted)
        if _noted(self.folder / "serving.json") == origin:
            return
        if round_number == 0:
            ready = self._rounds.whole(1, promoted)
        elif _noted(self.folder / "personalized.json") == origin:
            ready = self._load("personalized")
        else:
            # Who was not told in time goes on with the newest of what stayed.
            newest = self._rounds.whole(self.plan.federation.rounds + 1, promoted)
            ready = self._rounds.personal(round_number, newest)
        self._keep("serving", ready, origin)

    @property
    def _resident(self) -> Resident:
        return _resident(self.plan_text, self.shipped, self.base)

    @property
    def _model(self) -> PersonalModel:
        return self._resident.model

    @property
    def _own(self) -> ClientRecords:
        return _records(self.plan_text, self.index)

    def _asked(self, round_number: int) -> dict[ItemRole, ItemSet]:
        """Its own draw from the banks, and its held-out records."""
        public = own_probes(self.plan, self._resident.banks, self._named, round_number)
        return {**public, "records": self._own.held_out}

    @property
    def _named(self) -> str:
        return self.drawn_as or f"client-{self.index}"

    def _by_reference(
        self, role: ItemRole, items: ItemSet, reference: Adapter | None
    ) -> NDArray[np.float64]:
        if self.simulated and asks_all(self.plan, role):
            return self._resident.answered.table(role, items, reference)
        return self._model.score(items, reference)

    def _on_records(self, items: ItemSet, adapter: Adapter | None) -> NDArray[np.float64]:
        if self.plan.privacy.unit == "record":
            return each_alone(items, lambda one: self._model.score(one, adapter))
        return self._model.score(items, adapter)

    @property
    def _rounds(self) -> ClientRounds:
        origin = {"plan": self.plan.digest, "run": self.run}
        return ClientRounds(
            _method(self.plan_text),
            lambda name: Folder(self.folder, name, origin),
            start=lambda: start_adapter(self.plan_text, self.shipped, self.base),
            tune=self._tune,
            reference_round=self.plan.reference_round,
        )

    def _personalize(self, round_number: int, aggregated: Adapter, shared: Adapter) -> Adapter:
        made = self._rounds.personal(round_number, shared)
        self._keep("personalized", made, self._origin(round_number, aggregated))
        return made

    def _tune(self, round_number: int, aggregated: Adapter, own: Adapter) -> Adapter:
        federation = self.plan.federation
        training = Training(
            federation.personal_epochs,
            federation.personal_learning_rate,
            federation.batch,
            self._seed(round_number, _PERSONAL),
        )
        return personalized(
            _method(self.plan_text),
            training,
            lambda start, how: self._model.train(start, self._own.train, how)[0],
            aggregated=aggregated,
            own=own,
        )

    def _keep(self, name: str, adapter: Adapter, origin: dict[str, object]) -> None:
        note = self.folder / f"{name}.json"
        # A note that outlived its adapter would vouch for the next one.
        note.unlink(missing_ok=True)
        adapter.save(self.folder / f"{name}.safetensors")
        write_whole(note, json.dumps(origin).encode())

    def _origin(self, round_number: int, aggregated: Adapter) -> dict[str, object]:
        """Which global adapter a client's own is made from, under which plan and run of it."""
        return {
            "plan": self.plan.digest,
            "run": self.run,
            "round": round_number,
            "from": aggregated.digest,
        }

    def _load(self, name: str) -> Adapter:
        return Adapter.load(self.folder / f"{name}.safetensors", base=self._model.digest)

    def _seed(self, round_number: int, purpose: int) -> int:
        words = np.random.SeedSequence([self.plan.seed, self.index, round_number, purpose])
        return int(words.generate_state(1)[0])

    def _tell_oracle(self, round_number: int, statistics: list[Statistic]) -> None:
        values = {statistic.code: statistic.value for statistic in statistics}
        path = self.folder / f"oracle-{round_number}.json"
        write_whole(path, json.dumps(values, sort_keys=True).encode())


def _noted(path: Path) -> object:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

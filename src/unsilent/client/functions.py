"""From an app's own functions to a client's statistics.

What the functions raise stays on the client: its text may hold private data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from unsilent.client.banks import banks_of
from unsilent.client.measuring import LIVE, SYSTEM, Measured, counted, measure, system_change
from unsilent.client.model_check import ModelCheck, canary_draw, check_model
from unsilent.client.observer import SystemChange
from unsilent.client.open_text import (
    WRITTEN_ALIKE,
    Label,
    Side,
    kept_ratings,
    writes_by,
    writing_of,
    written_answers,
)
from unsilent.client.participant import Agreed
from unsilent.client.reference_answers import ReferenceAnswers, known_answers
from unsilent.errors import (
    AppFunctionError,
    InputError,
    NoArraysError,
    OutcomeError,
    TimeLimitError,
)
from unsilent.items import Item, ItemSet, Outcomes
from unsilent.messages import ADAPTER, REFERENCE, Arrays
from unsilent.models.hashes import arrays_hash
from unsilent.models.hook import checked
from unsilent.modes.base import PRIVATE, AdapterRole, Evidence, ItemRole, Need
from unsilent.modes.gather import gather, needs_of
from unsilent.open_text import Writing, judge_of, kind_of
from unsilent.plan import Likelihood, MonitoringPlan
from unsilent.plan.open_text import OPEN_ROLES, WRITTEN_ROLES
from unsilent.probes.banks import own_probes
from unsilent.release.record_rules import each_alone, home_domain
from unsilent.release.record_unit import disjoint, evaluation_records
from unsilent.release.training_record import check_training

Rows = Sequence[Sequence[float]] | NDArray[np.floating]


@dataclass(frozen=True)
class Functions:
    """What an app gives, bound to one of its clients; calling it measures the client.

    Attributes:
        score: Items and an adapter's arrays (None: the base model, nothing trained); returns a
            row of probabilities an item, one number a choice.
        records: The client's held-out private records, each with an answer.
        personalize: From the newly aggregated arrays to the client's own.
        kept: What the client's own training of this round started from and came to, by ``start``
            and ``local``; None where nothing was kept.
        trained_on: Records that the client trained on, each with an answer. Their loss under the
            personalized arrays is part of the evidence that these act.
        hashes: Content hashes of what scores, by ``base``, ``tokenizer`` and ``engine``; asked for
            only where the plan expects some, or what the reference answered is kept or shipped.
        plain: The arrays of an adapter as NumPy arrays by name.
        record: Arrays as ``score`` takes them.
        under: From ``model.likelihood`` of the plan to the score function that follows it; None
            where the app's score has a rule of its own.
        live: Labelled records that came in since the last monitoring round, each with an answer;
            a round may have none. Only a plan with ``[performance]`` asks for them.
        write: What the model writes after each prompt, under an adapter's arrays; see
            ``open_text.Writing``. Only a plan with a mode of open text asks for it.
        label: Answers in, each in its item's ``text``; out whether people at the site see in it
            what its ``rubric`` names, or None. Asked only where a plan's labels are the sites'.
        training_record: What the app's private training recorded of its noise; see
            ``release.training_record``. Only with it can an app's records be the unit.
    """

    score: Callable[[ItemSet, Arrays | None], Rows]
    records: Callable[[], Iterable[Item]] | None = None
    personalize: Callable[[Arrays], Arrays] | None = None
    kept: Callable[[str], Arrays | None] = lambda name: None
    trained_on: Callable[[], Iterable[Item]] | None = None
    hashes: Callable[[], Mapping[str, str]] | None = None
    plain: Callable[[Arrays], Arrays] = lambda arrays: arrays
    record: Callable[[Arrays], Arrays] = lambda arrays: arrays
    under: Callable[[Likelihood], Callable[[ItemSet, Arrays | None], Rows]] | None = None
    training_record: Callable[[], object] | None = None
    write: Callable[[ItemSet, Arrays | None, Writing], Sequence[str]] | None = None
    label: Label | None = None
    live: Callable[[], Iterable[Item]] | None = None

    def __call__(self, asked: Agreed) -> Measured:
        """All planned modes of one client, its system metrics, and whether its adapter acts.

        Without held-out records a client releases ``monitor.margin`` as the change of both
        metrics: it claims neither that they show a failure nor that they do not.

        Raises:
            InputError: The plan needs what the app does not give, or rows are not probabilities.
            NoArraysError: It needs arrays that were not kept.
            AppFunctionError: One of the functions failed; its exception is the cause.
        """
        plan = asked.plan
        training = self._training(plan)
        score = self._score(plan)
        watched = plan.performance is not None and "live" in plan.performance.sources
        more = (*(SYSTEM if self.records is not None else ()), *(LIVE if watched else ()))
        # Of labelled answers there may be none.
        needs = [n for n in needs_of(plan.planned, more) if n.items in PRIVATE or _asked(plan, n)]
        adapters = self._adapters({need.adapter for need in needs}, asked.order.arrays)
        records = self._records()
        live = self._live() if watched else None
        if live is None:
            needs = [need for need in needs if need.items != "live"]
        if records is not None and plan.privacy.unit == "record":
            evaluation_records(plan, self._trained(), records)
        if live is not None and plan.privacy.unit == "record":
            trained = self._trained()
            if trained is not None:
                disjoint(trained, live)
        site = asked.site.site_class() if plan.performance else None
        home = home_domain(plan, records, declared=asked.site.home())
        if records is None and any(need.items == "records" for need in needs):
            raise InputError(
                "a planned mode is measured on held-out records, and the app gives none",
                where="modes",
                remedy="Let the app give records, or do not plan the mode.",
            )
        if records is None and plan.performance and "held-out" in plan.performance.sources:
            raise InputError(
                "performance is asked of held-out records, and the app gives none",
                where="performance",
                remedy='Let the app give records, or ask for records = "live".',
            )
        banks = banks_of(asked.order.plan, asked.shipped, asked.probes_in)
        items = own_probes(plan, banks, asked.drawn_as, asked.order.round) if banks else {}
        if records is not None:
            items["records"] = records
        if live is not None:
            items["live"] = live

        failed, hashes = self._hashed(plan)
        known = self._reference_answers(asked, adapters["reference"], hashes)

        def answered(some: ItemSet, adapter: AdapterRole) -> NDArray[np.float64]:
            with _own("score"):
                rows = score(some, adapters[adapter])
            return checked(some, rows)

        written = self._written(asked, items, adapters, score, hashes)

        def scored(need: Need) -> Outcomes:
            if need in written:
                return written[need]
            own = items[need.items]
            if need.adapter == "reference" and need.items not in PRIVATE:
                rows = known.table(own, lambda some: answered(some, "reference"))
            elif need.items in PRIVATE and plan.privacy.unit == "record":
                rows = each_alone(own, lambda one: answered(one, need.adapter))
            else:
                rows = answered(own, need.adapter)
            return Outcomes(own, need.adapter, rows)

        evidence = gather(needs, scored, home)
        known.keep()
        model = self._model(asked, adapters, evidence, score, failed, hashes)
        if written:
            model = self._written_by(plan, items, adapters, model)
        unknown = SystemChange(plan.monitor.margin, plan.monitor.margin)
        system = unknown if records is None else system_change(evidence)
        own = counted(plan, evidence, site=site, words=(asked.drawn_as, asked.order.round))
        return Measured(measure(plan, evidence), system, model, training, own)

    def _written(
        self,
        asked: Agreed,
        items: Mapping[ItemRole, ItemSet],
        adapters: Mapping[AdapterRole, Arrays | None],
        score: Callable[[ItemSet, Arrays | None], Rows],
        hashes: Mapping[str, str],
    ) -> Mapping[Need, Outcomes]:
        """Answers to open prompts, rated; empty where no planned mode asks for any."""
        plan = asked.plan
        if not any(role in WRITTEN_ROLES for role in items):
            return {}
        if self.write is None:
            raise InputError(
                "a planned mode is measured on what the model writes, and the app writes nothing",
                where="modes",
                remedy="Use PeftScore, let the app give write, or leave the mode out.",
            )
        own = self.write

        def write(some: ItemSet, side: Side, writing: Writing) -> Sequence[str]:
            with _own("write"):
                return list(own(some, adapters[side], writing))

        def base(some: ItemSet) -> NDArray[np.float64]:
            with _own("score"):
                rows = score(some, None)
            return checked(some, rows)

        def label(answers: ItemSet) -> Sequence[bool | None]:
            with _own("label"):
                return list(self.label(answers)) if self.label else []

        def rated(some: ItemSet, answers: Sequence[str]) -> NDArray[np.float64]:
            with _own("judge"):
                return judge(some, answers)

        judge = judge_of(plan.writing, base)
        reference = adapters["reference"]
        named = "" if reference is None else arrays_hash(self.plain(reference))
        return written_answers(
            plan,
            items,
            write,
            rated,
            label=None if self.label is None else label,
            words=(asked.drawn_as, asked.order.round),
            keep=kept_ratings(plan, asked.site.store, hashes, named),
        ).outcomes

    def _written_by(
        self,
        plan: MonitoringPlan,
        items: Mapping[ItemRole, ItemSet],
        adapters: Mapping[AdapterRole, Arrays | None],
        model: ModelCheck,
    ) -> ModelCheck:
        """The check of the model, and whether the app's write uses the arrays as its score does."""
        own, sent = self.write, adapters.get("personalized")
        asked: list[ItemRole] = [role for role in OPEN_ROLES if role in items]
        if own is None or sent is None or not asked:
            return model
        role = asked[0]

        def write(some: ItemSet, arrays: Arrays, writing: Writing) -> Sequence[str]:
            with _own("write"):
                return list(own(some, self.record(arrays), writing))

        one = replace(items[role], items=items[role].items[:1])
        try:
            if writes_by(write, one, self.plain(sent), writing_of(plan, kind_of(role), 0)):
                return model
            note = WRITTEN_ALIKE
        except AppFunctionError as error:
            note = _noted("write", error)
        return replace(model, unshown=1.0, notes=(note, *model.notes))

    def _training(self, plan: MonitoringPlan) -> object | None:
        """The record of the app's training, held against the plan before anything is measured."""
        if plan.privacy.unit != "record":
            return None
        if self.training_record is None or plan.privacy.training is None:
            raise InputError(
                "which records an app trains on is not known here, so no record can be the unit "
                "unless its training is private by itself and says how",
                where="privacy.unit",
                remedy='Set it to "client"; or declare privacy.training and let the app give '
                "training_record.",
            )
        with _own("training_record"):
            given = self.training_record()
        check_training(plan, given)
        return given

    def _model(
        self,
        asked: Agreed,
        adapters: Mapping[AdapterRole, Arrays | None],
        evidence: Evidence,
        score: Callable[[ItemSet, Arrays | None], Rows],
        failed: Sequence[str],
        hashes: Mapping[str, str],
    ) -> ModelCheck:
        """Whether the app's score function scores what it is given."""

        def ask(items: ItemSet, arrays: Arrays | None) -> NDArray[np.float64]:
            with _own("score"):
                rows = score(items, None if arrays is None else self.record(arrays))
            return checked(items, rows)

        # Whoever cannot be asked has not shown it; a round that is missed would tell.
        trained, asked_trained, noted = None, True, list(failed)
        # Where records are the unit, training ones too, no answer to any of them is looked at.
        record = asked.plan.privacy.unit == "record"
        try:
            trained = None if record else self._trained()
        except AppFunctionError as error:
            asked_trained, noted = False, [_noted("trained_on", error), *noted]
        given: dict[AdapterRole, Arrays | None] = {
            role: None if arrays is None else self.plain(arrays)
            for role, arrays in adapters.items()
        }
        expected = asked.plan.model.expect.named
        # What was written is no answer to a forced choice.
        scored = [need for need in evidence.outcomes if need.items not in WRITTEN_ROLES]
        public = [need for need in scored if need.items not in PRIVATE]
        found = check_model(
            ask,
            given,
            evidence.of(public if record else scored),
            trained=trained,
            draw=canary_draw(
                asked.plan.digest, asked.order.round, asked.site.number, asked.site.name
            ),
            expected=expected,
            hashes=hashes if expected else {},
        )
        unshown = found.unshown if asked_trained else 1.0
        return replace(found, unshown=unshown, notes=(*noted, *found.notes))

    def _hashed(self, plan: MonitoringPlan) -> tuple[list[str], dict[str, str]]:
        """What failed, and the model's hashes; none where nothing asks for them.

        They are asked for where the plan expects some, and where answers of the reference may be
        known: whose those are is known by them.
        """
        expected = plan.model.expect.named
        kept = plan.probes.sampling == "matrix" and len(plan.monitoring_rounds) > 1
        if self.hashes is None or not (expected or kept or plan.probes.answers):
            return [], {}
        try:
            with _own("hashes"):
                return [], dict(self.hashes())
        except AppFunctionError as error:
            # Those that were not told are others.
            return [_noted("hashes", error)] if expected else [], {}

    def _reference_answers(
        self, asked: Agreed, reference: Arrays | None, hashes: Mapping[str, str]
    ) -> ReferenceAnswers:
        """What is known of the reference's answers before it is scored."""
        plan = asked.plan
        plain = None if reference is None else self.plain(reference)
        return known_answers(
            plan,
            hashes,
            adapter="" if plain is None else arrays_hash(plain),
            file=asked.answers_in,
            folder=asked.site.store,
        )

    def _trained(self) -> ItemSet | None:
        """The records that the client says it trained on; None where it has none."""
        if self.trained_on is None:
            return None
        with _own("trained_on"):
            items = tuple(self.trained_on())
            return ItemSet("trained", items) if items else None

    def _score(self, plan: MonitoringPlan) -> Callable[[ItemSet, Arrays | None], Rows]:
        """The app's score by the plan's word. Raises InputError if it has a rule of its own."""
        word = plan.model.likelihood
        if self.under is not None:
            return self.under(word)
        if word == "sum":
            return self.score
        raise InputError(
            f"choices are to be compared by their log-likelihood {word}, and the app's score "
            "function knows nothing of it",
            where="model.likelihood",
            remedy="Use PeftScore, give score a method under(likelihood) that returns the score "
            "to use, or leave the key out.",
        )

    def _adapters(
        self, needed: set[AdapterRole], given: Mapping[str, Arrays]
    ) -> dict[AdapterRole, Arrays | None]:
        """Those that the planned modes need: an app may have no others."""
        aggregated = given[ADAPTER]
        # A watch may send none. What is scored under no arrays would pass for the base.
        if "global" in needed and not aggregated:
            raise InputError(
                "a planned mode is measured on the model that the server sends, and it sent none",
                where="modes",
                remedy="Leave the mode out, or let the server send a model.",
            )
        found: dict[AdapterRole, Arrays | None] = {
            "reference": given.get(REFERENCE),
            "global": aggregated,
        }
        if "personalized" in needed:
            if self.personalize is None:
                found["personalized"] = found["local"] = self._kept("local")
            else:
                found["personalized"] = self._personalized(aggregated)
        if "start" in needed:
            found["start"] = self._kept("start")
        if "local" in needed and "local" not in found:
            found["local"] = self._kept("local")
        return found

    def _personalized(self, aggregated: Arrays) -> Arrays:
        with _own("personalize"):
            own = self.personalize(aggregated) if self.personalize else None
        if not isinstance(own, type(aggregated)):
            raise InputError(
                f"what came back is no {type(aggregated).__name__}",
                where="personalize",
                remedy="Return arrays of the kind that personalize was given.",
            )
        return own

    def _kept(self, name: str) -> Arrays:
        """What was kept of the client's own training. Raises NoArraysError if nothing was."""
        found = self.kept(name)
        if found is None:
            raise NoArraysError(
                "the client's training in this round left no arrays that are known to be the "
                "model's",
                where=name,
                remedy="Let the app say which arrays are the model's, or give personalize.",
            )
        return found

    def _records(self) -> ItemSet | None:
        """The held-out records."""
        return None if self.records is None else _answered("records", self.records, "held-out")

    def _live(self) -> ItemSet | None:
        """The records that came in; None where there are none."""
        if self.live is None:
            raise InputError(
                "the plan asks for live records, and the app gives none",
                where="performance",
                remedy='Let the app give live, or ask for records = "held-out".',
            )
        return _answered("live", self.live, "live")


def _answered(name: str, given: Callable[[], Iterable[Item]], kind: str) -> ItemSet | None:
    """Private records. Errors name them by place: a private record's id is private.

    None where there are none, which only live ones may be.
    """
    with _own(name):
        items = tuple(given())
        if not items and name == "live":
            return None
        # Checked here: an item set names an id that appears twice.
        found = ItemSet(name, items)
    unanswered = [number for number, item in enumerate(found, 1) if item.answer is None]
    if unanswered:
        raise OutcomeError(
            f"{kind} record {unanswered[0]} does not say which choice is correct",
            where=name,
            remedy="Give each record an answer.",
        )
    return found


def _noted(name: str, error: AppFunctionError) -> str:
    """What failed, for the client's own eyes."""
    return f"the app's {name} function failed ({type(error.__cause__).__name__})"


@contextmanager
def _own(name: str) -> Iterator[None]:
    """Turn whatever the app's function raises into an error that says nothing of it."""
    try:
        yield
    except TimeLimitError:
        raise
    except (Exception, SystemExit) as error:  # the boundary: its text may be private
        raise AppFunctionError(f"the app's {name} function failed") from error


def _asked(plan: MonitoringPlan, need: Need) -> bool:
    return any(need.items in plan.roles(code) for code in plan.planned)

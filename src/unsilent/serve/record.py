"""The page of a run's record, and its forms: each adds one entry, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from unsilent.errors import InputError, UnsilentError
from unsilent.governance import recording
from unsilent.governance.duties import causes
from unsilent.governance.membership import change_clients
from unsilent.governance.status import Status
from unsilent.ledger import Ledger
from unsilent.ledger.location import open_ledger
from unsilent.ledger.run_view import RunView
from unsilent.plan import MonitoringPlan
from unsilent.report import standing
from unsilent.report.incidents import NOT_SERIOUS
from unsilent.serve.pages import reader_of
from unsilent.serve.places import Places
from unsilent.serve.reading import RunReader
from unsilent.serve.rendering import not_recorded, render
from unsilent.serve.unseen import unseen
from unsilent.taxonomy import by_code

Options = Sequence[tuple[str, str]]
_ABOUT: Options = (
    ("wrong", "a wrong answer"),
    ("unfair", "an unfair answer"),
    ("unsafe", "a danger"),
    ("private", "private data"),
    ("other", "something else"),
)


@dataclass(frozen=True)
class Field:
    """A field of a form: a choice of ``options``, an area of ``rows``, or a line."""

    name: str
    label: str
    options: Options | None = None
    rows: int = 0
    most: int = 2000
    needed: bool = True


@dataclass(frozen=True)
class Form:
    """A form; ``nothing`` says why it cannot be filled in where a choice has no options."""

    key: str
    title: str
    button: str
    fields: tuple[Field, ...]
    nothing: str = ""

    @property
    def ready(self) -> bool:
        """Whether there is something to choose in each choice."""
        return all(each.options is None or each.options for each in self.fields)


_BY = Field("by", "Your name", most=120)
_NOTE = Field("note", "In words", rows=2)


def forms_of(status: Status, plan: MonitoringPlan, run: RunView) -> tuple[Form, ...]:
    """The forms, with what there is to choose in a run as it stands."""
    acted_on = _causes(plan, run)
    complaints = [
        (str(each.told.entry.index), f"entry {each.told.entry.index}, {each.told.event.about}")
        for each in status.complaints
        if each.state == "open"
    ]
    actions = [
        (str(each.opened.entry.index), f"entry {each.opened.entry.index}: {each.opened.event.what}")
        for each in status.actions
        if each.closed is None
    ]
    modes = [("", "none in particular"), *((c, f"{c} {by_code(c).title}") for c in plan.reported)]
    outcomes = [(o, o) for o in ("upheld", "not upheld", "no answer needed")]
    return (
        Form("aware", "Say that you know of the findings", "I know of them", (_NOTE, _BY)),
        Form(
            "review",
            "Record a review",
            "Record the review",
            (
                Field("outcome", "Decided", [(o, o) for o in ("go on", "act", "stop")]),
                _NOTE,
                _BY,
            ),
        ),
        Form(
            "told",
            "Record who was told",
            "Record it",
            (
                Field("cause", "Of what", acted_on),
                Field("who", "Who was told", most=120),
                Field("note", "How", rows=2),
                _BY,
            ),
            "There is nothing yet that somebody could have been told of.",
        ),
        Form(
            "complaint",
            "Write down a complaint or feedback",
            "Write it down",
            (
                Field("what", "It is", [("complaint", "a complaint"), ("feedback", "feedback")]),
                Field("about", "About", _ABOUT),
                Field("mode", "Mode", modes, needed=False),
                Field("text", "What it says, kept in a file of its own", None, 4, 4000, False),
                Field("by", "Your name, not the complainant's", most=120),
            ),
        ),
        Form(
            "answer",
            "Answer a complaint",
            "Record the answer",
            (
                Field("complaint", "Which", complaints),
                Field("outcome", "It is", outcomes),
                _NOTE,
                _BY,
            ),
            "No complaint waits for an answer.",
        ),
        Form(
            "open",
            "Open a corrective action",
            "Open it",
            (
                Field("cause", "For what", acted_on),
                Field("what", "What is to be done", rows=2),
                Field("owner", "Who does it", most=120),
                _BY,
            ),
            "There is nothing yet that an action could be for.",
        ),
        Form(
            "close",
            "Close a corrective action",
            "Close it",
            (
                Field("action", "Which", actions),
                Field("evidence", "What shows that it is done, and where that lies", rows=2),
                _BY,
            ),
            "No corrective action is open.",
        ),
        Form(
            "clients",
            "Record who left for good or joined",
            "Record it",
            (
                Field("left", "How many left for good", most=10),
                Field("joined", "How many are new", most=10),
                Field("reason", "Why: name nobody", rows=2),
                _BY,
            ),
        ),
    )


def _causes(plan: MonitoringPlan, run: RunView) -> Options:
    """What somebody may act on, the newest first."""
    found: dict[int, list[str]] = {}
    for cause in causes(plan, run):
        found.setdefault(cause.entry.index, []).append(cause.words)
    return [
        (str(index), f"entry {index}: {'; '.join(found[index])}")
        for index in sorted(found, reverse=True)
    ]


def show(request: Request) -> Response:
    """The record of a run, and forms."""
    return _page(request, "", {}, {}, 200)


def add(request: Request) -> Response:
    """Take a form: its entry, and back to the record; or the page again, with what is wrong."""
    key, reader = reader_of(request)
    status, plan = reader.stands(), reader.state().plan
    forms = {form.key: form for form in forms_of(status, plan, RunView(reader.ledger))}
    form = forms.get(str(request.path_params["form"]))
    if form is None:
        raise HTTPException(404, "There is no such form.")
    sent: Mapping[str, str] = request.state.form
    given = {each.name: sent.get(each.name, "").strip() for each in form.fields}
    faults = _faults(form, given)
    since = unseen(reader, sent) if form.key in _KNOWN_BY else None
    if since is not None and not faults:
        faults["note"] = since
    if not faults:
        try:
            _ADD[form.key](reader, open_ledger(reader.folder), plan, given)
        except InputError as error:
            where = error.where if error.where in given else form.fields[-1].name
            faults[where] = f"{error.what}. {error.remedy}".strip()
        except (UnsilentError, OSError) as error:
            faults[form.fields[-1].name] = not_recorded(error)
    if faults:
        return _page(request, form.key, given, faults, 422)
    return RedirectResponse(f"/runs/{key}/record", status_code=303)


_KNOWN_BY = ("aware", "review")
"""Forms whose sender knows of all that was found before."""


def _faults(form: Form, given: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in form.fields:
        value = given[each.name]
        if len(value) > each.most:
            found[each.name] = f"At most {each.most} characters."
        elif each.needed and not value:
            found[each.name] = "Say who you are." if each.name == "by" else "Say it."
        elif each.options is not None and value not in dict(each.options):
            found[each.name] = "Choose one; it may have been dealt with meanwhile."
    return found


Add = Callable[[RunReader, Ledger, MonitoringPlan, Mapping[str, Any]], object]


def _aware(reader: RunReader, ledger: Ledger, plan: MonitoringPlan, g: Mapping[str, Any]) -> object:
    return recording.know(ledger, note=g["note"], by=g["by"])


_ADD: Mapping[str, Add] = {
    "aware": _aware,
    "review": lambda _, ledger, plan, g: recording.hold_review(
        ledger, plan, outcome=g["outcome"], note=g["note"], by=g["by"]
    ),
    "told": lambda _, ledger, plan, g: recording.tell(
        ledger, int(g["cause"]), who=g["who"], note=g["note"], by=g["by"]
    ),
    "complaint": lambda reader, ledger, plan, g: recording.complain(
        reader.folder,
        ledger,
        what=g["what"],
        about=g["about"],
        mode=g["mode"] or None,
        text=g["text"],
        by=g["by"],
    ),
    "answer": lambda _, ledger, plan, g: recording.answer_complaint(
        ledger, int(g["complaint"]), outcome=g["outcome"], note=g["note"], by=g["by"]
    ),
    "open": lambda _, ledger, plan, g: recording.open_action(
        ledger, int(g["cause"]), what=g["what"], owner=g["owner"], by=g["by"]
    ),
    "close": lambda _, ledger, plan, g: recording.close_action(
        ledger, int(g["action"]), evidence=g["evidence"], by=g["by"]
    ),
    "clients": lambda _, ledger, plan, g: change_clients(
        ledger,
        plan,
        left=_number(g["left"], "left"),
        joined=_number(g["joined"], "joined"),
        reason=g["reason"],
        by=g["by"],
    ),
}


def _number(text: str, where: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise InputError("a whole number", where=where, remedy="Write 0 for none.")
    return int(text)


def _page(
    request: Request, failed: str, given: Mapping[str, str], faults: Mapping[str, str], code: int
) -> Response:
    key, reader = reader_of(request)
    places: Places = request.app.state.places
    mark = places.state([key])
    state, status = reader.state(), reader.stands()
    return render(
        request,
        "record.html.j2",
        status=code,
        key=key,
        keys=[key],
        mark=mark,
        state=state,
        stands=status,
        record_words=standing,
        not_serious=NOT_SERIOUS,
        forms=forms_of(status, state.plan, RunView(reader.ledger)),
        failed=failed,
        given=given,
        faults=faults,
    )

"""Overrides of a run's gate from its page: by one person, or asked for and answered by two."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from unsilent.errors import InputError, UnsilentError
from unsilent.report.gating import answer_run, ask_run, override_run
from unsilent.serve.pages import reader_of, run_page
from unsilent.serve.reading import RunReader
from unsilent.serve.rendering import not_recorded
from unsilent.serve.unseen import unseen

_FIELDS = ("round", "reason", "by")
_ANSWER = ("asked", "word", "note", "answerer")
_LONGEST = {"reason": 2000, "by": 120}
_LONGEST_ANSWER = {"note": 2000, "answerer": 120}


def override(request: Request) -> Response:
    """Override a run's gate, by name and with a reason; back to the run's page.

    Where the plan asks for four eyes it is only asked for, and another person answers.
    """
    key, reader = reader_of(request)
    form: Mapping[str, str] = request.state.form
    given = {name: form.get(name, "").strip() for name in _FIELDS}
    faults = {
        name: f"At most {most} characters."
        for name, most in _LONGEST.items()
        if len(given[name]) > most
    }
    faults |= {
        name: what
        for name, what in (("reason", "Say why."), ("by", "Say who you are."))
        if not given[name]
    }
    since = unseen(reader, form)
    if since is not None and not faults:
        faults["reason"] = since
    if not given["round"].isascii() or not given["round"].isdecimal():
        faults["round"] = "Choose a round."
    if not faults:
        number, reason, by = int(given["round"]), given["reason"], given["by"]
        try:
            if reader.state().gate.two:
                asked = ask_run(reader.folder, number, reason=reason, by=by)
                request.app.state.asked[asked.entry.hash] = request.state.session
            else:
                override_run(reader.folder, number, reason=reason, by=by)
        except InputError as error:
            faults["round"] = f"{error.what}. {error.remedy}"
        except (UnsilentError, OSError) as error:
            faults["round"] = not_recorded(error)
    if faults:
        return run_page(request, given, faults, 422)
    return RedirectResponse(f"/runs/{key}#gate", status_code=303)


def answer(request: Request) -> Response:
    """Approve or refuse, as another person, an override that was asked for."""
    key, reader = reader_of(request)
    form: Mapping[str, str] = request.state.form
    given = {name: form.get(name, "").strip() for name in _ANSWER}
    faults = {
        name: what
        for name, what in (("note", "Say why."), ("answerer", "Say who you are."))
        if not given[name]
    }
    faults |= {
        name: f"At most {most} characters."
        for name, most in _LONGEST_ANSWER.items()
        if len(given[name]) > most
    }
    waiting = {str(each.entry): each for each in reader.state().gate.waiting}
    if given["asked"] not in waiting:
        faults["asked"] = "Choose what to answer; it may have been answered meanwhile."
    if given["word"] not in ("approve", "refuse"):
        faults["word"] = "Choose one."
    since = unseen(reader, form)
    if since is not None and not faults:
        faults["note"] = since
    if not faults and _asked_here(request, reader, int(given["asked"])):
        faults["answerer"] = (
            "This browser's session asked for it. Let the other person sign in and answer."
        )
    if not faults:
        try:
            answer_run(
                reader.folder,
                int(given["asked"]),
                approved=given["word"] == "approve",
                note=given["note"],
                by=given["answerer"],
            )
        except InputError as error:
            faults["answerer"] = f"{error.what}. {error.remedy}".strip()
        except (UnsilentError, OSError) as error:
            faults["answerer"] = not_recorded(error)
    if faults:
        return run_page(request, given, faults, 422)
    return RedirectResponse(f"/runs/{key}#gate", status_code=303)


def _asked_here(request: Request, reader: RunReader, index: int) -> bool:
    """Whether the very session that answers asked; none is known where nobody signs in."""
    mine: str = request.state.session
    found = reader.ledger.entries(since=index - 1, limit=1)
    return bool(mine) and bool(found) and request.app.state.asked.get(found[0].hash) == mine

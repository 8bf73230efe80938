"""The pages: what each address answers; none of them changes anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from unsilent.errors import UnsilentError
from unsilent.governance.status import Status
from unsilent.report import charts, performance_table, standing, view
from unsilent.report.decision import caveats, decide
from unsilent.report.record import Known
from unsilent.serve import drawing
from unsilent.serve.access import SESSION_SECONDS, Access, Sessions
from unsilent.serve.compare import differences, plan_differences
from unsilent.serve.places import Places
from unsilent.serve.reading import RunReader, RunState
from unsilent.serve.rendering import render

PAGE = 50
_NEWEST = 8


@dataclass(frozen=True)
class Listed:
    """A run in the list: what there is to show of it, or why nothing can be."""

    key: str
    folder: str
    state: RunState | None
    fault: str | None
    stands: Status | None = None


def overview(request: Request) -> Response:
    """All runs, the one with the newest entry first, those that cannot be read last."""
    places: Places = request.app.state.places
    mark = places.state()
    listed = [_listed(key, reader) for key, reader in places.runs().items()]
    listed.sort(key=_newest_first)
    return render(
        request,
        "overview.html.j2",
        runs=listed,
        left_out=places.left_out,
        mark=mark,
        keys=[],
        budget_bar=drawing.budget_bar,
    )


def run(request: Request) -> Response:
    """One run."""
    return run_page(request, {}, {}, 200)


def run_findings(request: Request) -> Response:
    """The newest findings of a run as JSON, for programs."""
    _, state = _read(request)
    if state.findings is None:
        raise HTTPException(404, "No monitoring round has been judged yet.")
    return Response(state.findings.text(), media_type="application/json")


def ledger(request: Request) -> Response:
    """A page of a run's ledger, newest first, by kind and by round."""
    key, reader = reader_of(request)
    places: Places = request.app.state.places
    query = request.query_params
    kind = query.get("kind") or None
    number, before = _number(query.get("round")), _number(query.get("before"))
    mark = places.state([key])
    state = reader.state()
    found = reader.ledger.page(before, PAGE + 1, kind=kind, round=number)
    return render(
        request,
        "ledger.html.j2",
        key=key,
        keys=[key],
        state=state,
        mark=mark,
        entries=found[:PAGE],
        kinds=reader.ledger.kinds(),
        kind=kind,
        number=number,
        before=before,
        older=_address(key, kind, number, found[PAGE - 1].index) if len(found) > PAGE else None,
        newest=_address(key, kind, number, None) if before else None,
        chain=reader.check(),
    )


def entry(request: Request) -> Response:
    """One entry of a run's ledger, whole."""
    key, reader = reader_of(request)
    index = int(request.path_params["index"])
    state = reader.state()
    found = reader.ledger.entries(since=index - 1, limit=1) if 0 < index <= state.size else []
    if not found or found[0].index != index:
        raise HTTPException(404, f"The ledger has no entry {index}.")
    return render(request, "entry.html.j2", key=key, state=state, entry=found[0])


def compare(request: Request) -> Response:
    """Two runs side by side; without two in ``?run=``, a form to choose them."""
    places: Places = request.app.state.places
    runs = places.runs()
    keys = [key for key in dict.fromkeys(request.query_params.getlist("run")) if key in runs][:2]
    mark = places.state(keys)
    listed = [_listed(key, runs[key]) for key in keys]
    chosen = [each.state for each in listed if each.state is not None]
    both = len(chosen) == 2
    return render(
        request,
        "compare.html.j2",
        mark=mark,
        keys=keys,
        listed=listed,
        known=[_listed(key, reader) for key, reader in runs.items()],
        both=both,
        differences=differences(*chosen) if both else (),
        plans=plan_differences(chosen[0].plan, chosen[1].plan) if both else [],
        charts=charts,
        caveats=caveats,
    )


def login(request: Request) -> Response:
    """The form to sign in, and its answer."""
    access: Access = request.app.state.access
    sessions: Sessions = request.app.state.sessions
    if access.token is None:
        return RedirectResponse("/", status_code=303)
    if request.method != "POST":
        return render(request, "login.html.j2", fault=None)
    if not access.admits(request.state.form.get("token", "").strip()):
        return render(request, "login.html.j2", status=401, fault="This is not the token.")
    answer = RedirectResponse("/", status_code=303)
    answer.set_cookie(
        access.cookie_name,
        sessions.begin(),
        max_age=SESSION_SECONDS,
        path="/",
        secure=access.secure,
        httponly=True,
        samesite="strict",
    )
    return answer


def logout(request: Request) -> Response:
    """End the session."""
    access: Access = request.app.state.access
    request.app.state.sessions.end(request.state.session)
    answer = RedirectResponse("/login", status_code=303)
    answer.delete_cookie(
        access.cookie_name, path="/", secure=access.secure, httponly=True, samesite="strict"
    )
    return answer


def run_page(
    request: Request, given: Mapping[str, str], faults: Mapping[str, str], status: int
) -> Response:
    """The page of a run, with what was typed into its forms and what is wrong with it."""
    key, reader = reader_of(request)
    places: Places = request.app.state.places
    mark = places.state([key])
    state = reader.state()
    found = state.findings
    return render(
        request,
        "run.html.j2",
        status=status,
        key=key,
        keys=[key],
        folder=reader.name,
        state=state,
        mark=mark,
        found=found,
        bars={each.code: charts.bar(each) for each in found.findings} if found else {},
        lines=drawing.lines(found) if found else {},
        graph=charts.graph(found.findings if found else ()),
        titles={each.code: view.entry(each).title for each in found.findings} if found else {},
        first=decide(state.plan, found, _known(state)),
        caveats=caveats,
        loss=drawing.metric_line([(number, loss) for number, loss, _ in state.metrics]),
        accuracy=drawing.metric_line([(number, accuracy) for number, _, accuracy in state.metrics]),
        budget=drawing.budget_bar(state.privacy),
        newest=reader.ledger.page(limit=_NEWEST),
        chain=reader.check(),
        plan=list(view.flat(state.plan.to_json(), empty="none")),
        given=_Given(given),
        faults=faults,
        charts=charts,
        drawing=drawing,
        stands=reader.stands(),
        record_words=standing,
        performed=performance_table.named,
        supported=performance_table.supported,
        drifted=performance_table.drifted,
    )


def _known(state: RunState) -> Known:
    made = state.gate.decisions
    return Known(made[0].decision if made else None, state.cohort, state.stopped)


class _Given(dict[str, str]):
    """What was typed into forms; nothing where none was."""

    def __missing__(self, name: str) -> str:
        return ""


def reader_of(request: Request) -> tuple[str, RunReader]:
    """The run that an address names, and its key; a page that says so if there is none."""
    places: Places = request.app.state.places
    key = str(request.path_params["key"])
    reader = places.runs().get(key)
    if reader is None:
        raise HTTPException(404, "There is no such run.")
    return key, reader


def _read(request: Request) -> tuple[str, RunState]:
    key, reader = reader_of(request)
    return key, reader.state()


def _listed(key: str, reader: RunReader) -> Listed:
    try:
        return Listed(key, reader.name, reader.state(), None, reader.stands())
    except UnsilentError as error:
        return Listed(key, reader.name, None, error.what)


def _address(key: str, kind: str | None, number: int | None, before: int | None) -> str:
    """Where a page of a ledger is."""
    given = {"kind": kind, "round": number, "before": before}
    query = urlencode({name: value for name, value in given.items() if value is not None})
    return f"/runs/{key}/ledger?{query}" if query else f"/runs/{key}/ledger"


def _newest_first(each: Listed) -> float:
    return -each.state.changed.timestamp() if each.state else 0.0


def _number(text: Any) -> int | None:
    """A number from an address; None where there is none that could be an index or a round."""
    if not text:
        return None
    if not (str(text).isascii() and str(text).isdecimal() and len(str(text)) <= 15):
        raise HTTPException(400, "A round is a whole number.")
    return int(text)

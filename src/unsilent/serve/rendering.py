"""From a template to an answer; everything that is not markup of ours is escaped."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, PrefixLoader
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Scope

from unsilent import __version__
from unsilent.errors import UnsilentError
from unsilent.markup import environment
from unsilent.report import charts, view
from unsilent.serve import words

_TYPES = {
    "style.css": "text/css; charset=utf-8",
    "live.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_TITLES = {
    400: "Not understood",
    401: "Sign in",
    403: "Refused",
    404: "Not here",
    405: "Refused",
    421: "Refused",
    422: "Cannot be shown",
}


@dataclass(frozen=True)
class Static:
    """A file that pages use, and the address that names its content."""

    content: bytes
    kind: str
    address: str


@cache
def statics() -> dict[str, Static]:
    """The files that pages use, by name; nothing else is ever served."""
    found: dict[str, Static] = {}
    for name, kind in _TYPES.items():
        if name == "style.css":
            content = _style().encode()
        else:
            content = (files("unsilent.serve") / "static" / name).read_bytes()
        mark = hashlib.sha256(content).hexdigest()
        found[name] = Static(content, kind, f"/static/{name}?v={mark}")
    return found


def _style() -> str:
    """The report's style, then what the dashboard has besides."""
    text = _environment().get_template("style.css.j2").render(charts=charts, graph=charts.graph(()))
    return text.replace("<style>", "").replace("</style>", "")


def static(request: Request) -> Response:
    """One of the files that pages use."""
    found = statics().get(str(request.path_params["name"]))
    if found is None:
        raise HTTPException(404, "There is no such file.")
    kept = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(found.content, media_type=found.kind, headers=kept)


def render(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A page."""
    text = (
        _environment()
        .get_template(template)
        .render(
            form_key=request.state.form_key,
            signed_in=request.state.signed_in,
            path=request.url.path,
            refused=status != 200,
            status=status,
            **values,
        )
    )
    return HTMLResponse(text, status_code=status)


def refusal(scope: Scope, status: int, why: str) -> Response:
    """The page of a request that is refused before anything looked at it."""
    if status == 401 and scope["method"] in ("GET", "HEAD"):
        return render(Request(scope), "login.html.j2", status=401, fault=None)
    return _fault(Request(scope), status, why)


def http_fault(request: Request, error: Exception) -> Response:
    """The page of an HTTPException."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    why = str(error.detail) if isinstance(error, HTTPException) else ""
    return _fault(request, status, why)


def run_fault(request: Request, error: Exception) -> Response:
    """The page of a run that cannot be read: what is wrong, but no path of this machine."""
    what = error.what if isinstance(error, UnsilentError) else ""
    remedy = error.remedy if isinstance(error, UnsilentError) else ""
    return _fault(request, 422, f"The run cannot be read: {what}. {remedy}".strip())


def not_recorded(error: UnsilentError | OSError) -> str:
    """What a form says that could not be written down: what is wrong, and no path from here."""
    if isinstance(error, UnsilentError):
        return f"Nothing was recorded: {error.what}. {error.remedy}".strip()
    return f"Nothing was recorded: it cannot be written ({error.strerror or 'refused'})."


def _fault(request: Request, status: int, why: str) -> Response:
    title = _TITLES.get(status, "Something is wrong")
    typed = request.scope.get("state", {}).get("typed", {})
    return render(request, "fault.html.j2", status=status, title=title, why=why, typed=typed)


@cache
def _environment() -> Environment:
    made = environment(
        PackageLoader("unsilent.serve"), PrefixLoader({"report": PackageLoader("unsilent.report")})
    )
    made.globals.update(
        view=view, words=words, version=__version__, static=lambda name: statics()[name].address
    )
    return made

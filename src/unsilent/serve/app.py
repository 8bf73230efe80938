"""The dashboard as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from threading import Thread

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import ASGIApp

from unsilent.errors import UnsilentError
from unsilent.serve import live, overrides, pages, record, rendering
from unsilent.serve.access import Access, Sessions
from unsilent.serve.guard import Guard
from unsilent.serve.places import Places


def make_app(
    places: Places, access: Access, *, closing: Callable[[], bool] = lambda: False
) -> ASGIApp:
    """The dashboard of these runs.

    Args:
        places: The runs.
        access: Who may use it.
        closing: Whether the server is about to stop; streams then end.
    """
    sessions = Sessions()
    app = Starlette(
        routes=[
            Route("/", pages.overview),
            Route("/compare", pages.compare),
            Route("/events", live.events),
            Route("/state", live.state),
            Route("/login", pages.login, methods=["GET", "POST"]),
            Route("/logout", pages.logout, methods=["POST"]),
            Route("/runs/{key}", pages.run),
            Route("/runs/{key}/findings.json", pages.run_findings),
            Route("/runs/{key}/ledger", pages.ledger),
            Route("/runs/{key}/ledger/{index:int}", pages.entry),
            Route("/runs/{key}/override", overrides.override, methods=["POST"]),
            Route("/runs/{key}/answer", overrides.answer, methods=["POST"]),
            Route("/runs/{key}/record", record.show),
            Route("/runs/{key}/record/{form}", record.add, methods=["POST"]),
            Route("/static/{name}", rendering.static),
        ],
        exception_handlers={
            HTTPException: rendering.http_fault,
            UnsilentError: rendering.run_fault,
            Exception: rendering.http_fault,
        },
        lifespan=_reading_ahead,
    )
    app.state.places = places
    app.state.access = access
    app.state.sessions = sessions
    app.state.closing = closing
    # Which session asked for an override, by its entry; as sessions, gone when the server ends.
    app.state.asked = {}
    return Guard(app, access, sessions, rendering.refusal)


@asynccontextmanager
async def _reading_ahead(app: Starlette) -> AsyncIterator[None]:
    """Read all runs once in the background, so that the first page need not."""
    Thread(target=_read_all, args=(app.state.places,), daemon=True).start()
    yield


def _read_all(places: Places) -> None:
    for reader in places.runs().values():
        try:
            reader.state()
        except UnsilentError:
            # The page of this run says what is wrong.
            continue

"""Telling open pages that something is new: server-sent events, and the same by asking.

A page holds the state it was made from. When that changes it loads itself again in the
background and takes over what differs, so there is one way in which pages are made.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from unsilent.serve.places import Places

_LOOK_SECONDS = 0.5
_SIGN_SECONDS = 15.0
_LIFE_SECONDS = 300.0
"""A stream ends after this; the browser opens another, and shows its session anew."""
_RUNS = 8


def state(request: Request) -> Response:
    """The state of the runs in ``?run=``, for pages that ask now and then."""
    places: Places = request.app.state.places
    return JSONResponse({"state": places.state(_keys(request))})


async def events(request: Request) -> Response:
    """A stream with one event for each new state of the runs in ``?run=``."""
    known = request.headers.get("last-event-id") or request.query_params.get("since", "")
    stream = _stream(
        request.app.state.places, request.app.state.closing, _keys(request), known[:64]
    )
    return StreamingResponse(stream, media_type="text/event-stream")


async def _stream(
    places: Places, closing: Callable[[], bool], keys: Sequence[str], known: str
) -> AsyncIterator[str]:
    began = signed = time.monotonic()
    yield "retry: 2000\n\n"
    while not closing() and time.monotonic() - began < _LIFE_SECONDS:
        now = await run_in_threadpool(places.state, keys)
        if now != known:
            known, signed = now, time.monotonic()
            yield f"id: {now}\nevent: change\ndata: {now}\n\n"
        elif time.monotonic() - signed > _SIGN_SECONDS:
            signed = time.monotonic()
            yield ": still here\n\n"
        await run_in_threadpool(places.check, keys)
        await anyio.sleep(_LOOK_SECONDS)


def _keys(request: Request) -> list[str]:
    return request.query_params.getlist("run")[:_RUNS]

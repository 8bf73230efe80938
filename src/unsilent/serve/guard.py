"""The door: every request passes here first, and every answer carries its headers.

Order of the checks: the host's name (against DNS rebinding), the method, the site that a request
comes from, the token, and for a form its size, its origin and its key (against forged requests).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from unsilent.serve.access import Access, Sessions

FORM_KEY = "form_key"
"""The hidden field of every form."""
_LARGEST_FORM = 64 * 1024
"""The longest texts of a form, in a script of which each sign is nine bytes of it, and more."""
_FIELDS = 20
_READS = ("GET", "HEAD")
_SIGN_IN = 401
_OPEN = ("/login", "/static/")
"""Where no token is needed: the form to give it in, and what it looks like."""

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # With no-referrer browsers would hide the origin of our own forms too.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
_ONLY_TLS = "max-age=31536000"

Refuse = Callable[[Scope, int, str], Response]
"""Makes the answer to a refused request from its status and a sentence."""


class _RefusedError(Exception):
    def __init__(self, status: int, why: str) -> None:
        self.status = status
        self.why = why
        super().__init__(why)


class Guard:
    """ASGI middleware around the whole application.

    For those within, ``request.state`` has ``session`` (its name, or ""), ``signed_in``,
    ``form_key`` and, of a POST, ``form``: a checked form's fields, the last of each name. The page
    of a form of ours that is refused has ``typed``, so that a session's end takes no words away.
    """

    def __init__(self, app: ASGIApp, access: Access, sessions: Sessions, refuse: Refuse) -> None:
        self._app = app
        self._access = access
        self._sessions = sessions
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = Headers(scope=scope)
        name = self._session(headers)
        state = scope.setdefault("state", {})
        state["session"] = name
        state["signed_in"] = self._access.token is not None and bool(name)
        state["form_key"] = self._sessions.form_key(name)
        dressed = self._dressed(send)
        try:
            try:
                self._check(scope, headers, name)
            except _RefusedError as refused:
                if refused.status == _SIGN_IN and scope["method"] == "POST":
                    with suppress(_RefusedError):
                        state["typed"] = _typed(await self._sent(headers, receive))
                raise
            if scope["method"] == "POST":
                sent = await self._sent(headers, receive)
                if not self._sessions.fits(name, sent.pop(FORM_KEY, "")):
                    if scope["path"] != _OPEN[0]:
                        state["typed"] = _typed(sent)
                    raise _RefusedError(
                        403, "The form is not of this session. Load the page again."
                    )
                state["form"] = sent
        except _RefusedError as refused:
            answer = self._refuse(scope, refused.status, refused.why)
            await answer(scope, receive, dressed)
            return
        await self._app(scope, receive, dressed)

    def _check(self, scope: Scope, headers: Headers, name: str) -> None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or host_name(hosts[0]) not in self._access.hosts:
            raise _RefusedError(421, "This server does not answer to that host name.")
        if scope["method"] not in (*_READS, "POST"):
            raise _RefusedError(405, "This method is not allowed.")
        if not _same_site(scope, headers):
            raise _RefusedError(403, "Requests from other sites are refused.")
        path = scope["path"]
        is_open = path == _OPEN[0] or path.startswith(_OPEN[1])
        if self._access.token is None or is_open or name:
            return
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scope["method"] in _READS and scheme.lower() == "bearer":
            if self._access.admits(given.strip()):
                return
            raise _RefusedError(401, "This is not the token.")
        raise _RefusedError(401, "Sign in first.")

    def _session(self, headers: Headers) -> str:
        """The name of the browser's session, "" if it has none that is known."""
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(self._access.cookie_name)
        except CookieError:
            return ""
        return cookie.value if cookie and self._sessions.knows(cookie.value) else ""

    async def _sent(self, headers: Headers, receive: Receive) -> dict[str, str]:
        """The fields of a form of our own pages, its key among them."""
        origins = headers.getlist("origin")
        if len(origins) != 1 or not _same_place(origins[0], headers["host"]):
            raise _RefusedError(403, "Forms from other sites are refused.")
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded":
            raise _RefusedError(415, "This is not a form.")
        body = await _body(receive)
        try:
            form = dict(
                parse_qsl(
                    body.decode("utf-8"),
                    keep_blank_values=True,
                    max_num_fields=_FIELDS,
                    errors="strict",
                )
            )
        except ValueError:
            raise _RefusedError(400, "The form cannot be read.") from None
        # Browsers count a line's end as one sign and send it as two.
        return {field: value.replace("\r\n", "\n") for field, value in form.items()}

    def _dressed(self, send: Send) -> Send:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if self._access.secure:
                    headers["Strict-Transport-Security"] = _ONLY_TLS
            await send(message)

        return with_headers


def _typed(sent: dict[str, str]) -> dict[str, str]:
    """What a person typed or chose in a form, to be shown again."""
    return {field: value for field, value in sent.items() if value.strip() and field != FORM_KEY}


def host_name(host: str) -> str:
    """The name in a Host header, without port, in lower case; "" if it is none."""
    if any(mark in host for mark in "@/?#\\"):
        return ""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _same_place(origin: str, host: str) -> bool:
    """Whether an Origin header names the very host and port that the request came to."""
    scheme, mark, place = origin.partition("://")
    return bool(mark) and scheme in ("http", "https") and place.lower() == host.lower()


def _same_site(scope: Scope, headers: Headers) -> bool:
    """Whether a browser says that the request is of our own pages, or a person followed a link."""
    site = headers.get("sec-fetch-site", "none")
    followed = scope["method"] in _READS and headers.get("sec-fetch-mode") == "navigate"
    framed = headers.get("sec-fetch-dest", "document") != "document"
    return site in ("same-origin", "none") or (followed and not framed)


async def _body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise _RefusedError(400, "The form did not arrive.")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > _LARGEST_FORM:
            raise _RefusedError(413, "The form is too large.")
        if not message.get("more_body", False):
            return b"".join(parts)

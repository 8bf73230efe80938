"""One JSON request to an endpoint: within a time, of a size, and never to another address."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

from unsilent import __version__
from unsilent.errors import InputError, UnsilentError

TIMEOUT_S = 60.0
LARGEST_BYTES = 64 * 2**20
_CHUNK = 2**16


class EndpointError(UnsilentError):
    """An endpoint that does not answer, or not with what was asked for."""


class RefusedError(EndpointError):
    """An endpoint that does not take the request as it is: HTTP 400 or 422."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST would arrive as a GET without body, perhaps at a stranger's."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


@dataclass(frozen=True)
class Address:
    """Where an endpoint is. Neither its key nor what else the URL holds is ever shown.

    Attributes:
        url: Its http or https address, up to and without what is asked there.
        key: Sent as a bearer token; None for none.
        timeout: Seconds for one whole answer.

    Raises:
        InputError: No such address can be.
    """

    url: str
    key: str | None = field(default=None, repr=False)
    timeout: float = TIMEOUT_S

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
            plain = not (parts.username or parts.password or parts.query or parts.fragment)
        except ValueError:
            good = plain = False
        if not good or not plain:
            raise InputError(
                "not an address of an endpoint",
                where="--at",
                remedy="Write it as http://HOST:PORT/v1, a key in UNSILENT_ENDPOINT_KEY, or as "
                "hook:MODULE:FUNCTION.",
            )

    @property
    def shown(self) -> str:
        """Host and port."""
        return urlsplit(self.url).netloc

    def post(self, path: str, body: object) -> dict[str, Any]:
        """The JSON object that is answered. Raises EndpointError; its text is ours alone."""
        headers = {"Content-Type": "application/json", "User-Agent": f"unsilent/{__version__}"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        data = json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url.rstrip('/')}/{path}", data, headers, method="POST"
        )
        try:
            with _OPENER.open(request, timeout=self.timeout) as answer:
                text = self._read(answer)
        except urllib.error.HTTPError as answer:
            with answer:
                raise self._status(answer.code) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            # Its text may hold the address; its kind does not.
            cause = error.reason if isinstance(error, urllib.error.URLError) else error
            kind = type(cause).__name__ if isinstance(cause, Exception) else "no answer"
            raise self.wrong(
                f"no answer ({kind})",
                "Check that it runs, and its address; --timeout waits longer.",
            ) from None
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise self.wrong(
                "its answer is no JSON object",
                "Give the address of its API, as http://HOST:PORT/v1.",
            )
        return cast("dict[str, Any]", found)

    def wrong(self, what: str, remedy: str) -> EndpointError:
        """What is said of this endpoint."""
        return EndpointError(what, where=f"endpoint {self.shown}", remedy=remedy)

    def _read(self, answer: http.client.HTTPResponse) -> bytes:
        # A socket's time-out begins anew with each byte; an answer has to end.
        end = time.monotonic() + self.timeout
        parts, size = [], 0
        while part := answer.read1(_CHUNK):
            size += len(part)
            parts.append(part)
            if size > LARGEST_BYTES:
                raise self.wrong(
                    f"its answer is larger than {LARGEST_BYTES // 2**20} MiB",
                    "Check that this is the address of a model.",
                )
            if time.monotonic() > end:
                raise TimeoutError
        return b"".join(parts)

    def _status(self, code: int) -> EndpointError:
        if code in (400, 422):
            return RefusedError(
                f"it does not take this request (HTTP {code})",
                where=f"endpoint {self.shown}",
                remedy="It has to give log-probabilities of a prompt: echo and logprobs of "
                "/v1/completions. llama.cpp's server gives them by --form llama.cpp only.",
            )
        if 300 <= code < 400:
            return self.wrong(
                f"it sends us elsewhere (HTTP {code})", "Give the address that it stands at."
            )
        remedy = {
            401: "Set UNSILENT_ENDPOINT_KEY.",
            403: "Set UNSILENT_ENDPOINT_KEY.",
            404: "Check --at, as http://HOST:PORT/v1, and that --model is a name it serves.",
        }.get(code, "Look into its log.")
        return self.wrong(f"HTTP {code}", remedy)

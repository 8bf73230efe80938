"""Webhook: each event as one signed JSON POST, tried a bounded number of times.

``X-Unsilent-Signature: sha256=HEX`` is the HMAC-SHA256 (RFC 2104) of ``TIMESTAMP.BODY`` under the
shared secret, TIMESTAMP being the header ``X-Unsilent-Timestamp`` (Unix seconds): a receiver
computes it anew and refuses old ones. ``Idempotency-Key`` is the hash of the event's ledger entry,
the same on each attempt and after a restart, so that a receiver can count an event once.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from unsilent import __version__
from unsilent.alerts.state import Alert
from unsilent.errors import AlertError

ATTEMPTS = 5
_TIMEOUT_S = 10.0
_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 60.0
_TOO_MANY = 429


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST would arrive as a GET without body, perhaps at a stranger's."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


@dataclass(frozen=True)
class Webhook:
    """One receiver. Its address and secret are never shown.

    Attributes:
        url: Where to post; may hold a token.
        secret: Shared with the receiver; None to send without a signature.
        wait: How to wait some seconds.
        clock: Unix seconds.
    """

    url: str
    secret: bytes | None = None
    wait: Callable[[float], object] = time.sleep
    clock: Callable[[], float] = time.time

    def __repr__(self) -> str:
        return "Webhook(…)"

    def send(self, event: Alert) -> None:
        """Post an event. Raises AlertError after the last attempt, or if it is refused for good.

        Waits between attempts grow from 1 s to 60 s, twofold, by a random part of up to a half;
        a receiver's Retry-After is kept to within the same bound.
        """
        body = json.dumps(event.to_json(), ensure_ascii=False, allow_nan=False).encode()
        for wait in (*_waits(), None):
            fault, asked = self._post(event, body)
            if fault is None:
                return
            if wait is None:
                raise AlertError(f"not delivered in {ATTEMPTS} attempts: {fault}", where="webhook")
            self.wait(min(_LONGEST_WAIT_S, max(wait, asked)))

    def _post(self, event: Alert, body: bytes) -> tuple[str | None, float]:
        """What went wrong, None if nothing did, and how many seconds the receiver asks for."""
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"unsilent/{__version__}",
            "Idempotency-Key": event.key,
        }
        if self.secret is not None:
            now = str(int(self.clock()))
            headers["X-Unsilent-Timestamp"] = now
            headers["X-Unsilent-Signature"] = f"sha256={sign(self.secret, now, body)}"
        request = urllib.request.Request(self.url, body, headers, method="POST")
        try:
            with _OPENER.open(request, timeout=_TIMEOUT_S):
                return None, 0.0
        except urllib.error.HTTPError as answer:
            with answer:
                if answer.code < 500 and answer.code != _TOO_MANY:
                    raise AlertError(
                        f"refused with HTTP {answer.code}",
                        where="webhook",
                        remedy="Check its address and its secret.",
                    ) from None
                return f"HTTP {answer.code}", _seconds(answer.headers.get("Retry-After"))
        except (OSError, http.client.HTTPException) as error:
            # Its text may hold the address; its kind does not.
            cause = error.reason if isinstance(error, urllib.error.URLError) else error
            return type(cause).__name__ if isinstance(cause, Exception) else "no answer", 0.0


def sign(secret: bytes, timestamp: str, body: bytes) -> str:
    """The signature of a body sent at a time (Unix seconds as text), in hexadecimal."""
    return hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def _waits() -> list[float]:
    """Seconds between the attempts; drawn, so that many senders do not return at once."""
    return [_FIRST_WAIT_S * 2**n * random.uniform(1.0, 1.5) for n in range(ATTEMPTS - 1)]


def _seconds(retry_after: str | None) -> float:
    return float(retry_after) if retry_after is not None and retry_after.isdigit() else 0.0

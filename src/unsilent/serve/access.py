"""Who may use the dashboard: names it answers to, the token, and browsers that have shown it.

A session is a random name in a cookie; the token itself is never in a cookie, a URL or a page.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from unsilent.errors import InputError

SESSION_SECONDS = 12 * 3600
_SESSIONS = 1000
_SHORTEST = 32
_BYTES = 32


@dataclass(frozen=True)
class Access:
    """What a server was started with.

    Attributes:
        hosts: Host names, lower case and without port, that requests may be addressed to.
        token: What a person signs in with; None where everyone who can connect may look.
        secure: Whether the server itself speaks TLS.
        cookie: Name of the session's cookie.
    """

    hosts: frozenset[str]
    token: str | None = field(default=None, repr=False)
    secure: bool = False
    cookie: str = "unsilent"

    @property
    def cookie_name(self) -> str:
        """With TLS a name that browsers let only this host set, and only over TLS."""
        return f"__Host-{self.cookie}" if self.secure else self.cookie

    def admits(self, given: str) -> bool:
        """Whether this is the token, in a time that does not tell how much of it is right."""
        if self.token is None:
            return False
        return hmac.compare_digest(_digest(given), _digest(self.token))


class Sessions:
    """Browsers that have signed in, for ``SESSION_SECONDS``. A restart of the server ends all."""

    def __init__(self) -> None:
        self._until: dict[bytes, float] = {}
        self._secret = secrets.token_bytes(_BYTES)
        self._lock = Lock()

    def begin(self) -> str:
        """A new session's name."""
        name = secrets.token_urlsafe(_BYTES)
        now = time.monotonic()
        with self._lock:
            live = {key: until for key, until in self._until.items() if until > now}
            while len(live) >= _SESSIONS:
                del live[next(iter(live))]
            live[_digest(name)] = now + SESSION_SECONDS
            self._until = live
        return name

    def knows(self, name: str) -> bool:
        """Whether the session has begun and not ended."""
        return self._until.get(_digest(name), 0.0) > time.monotonic()

    def end(self, name: str) -> None:
        """Sign out."""
        with self._lock:
            self._until.pop(_digest(name), None)

    def form_key(self, name: str) -> str:
        """What a form of this session must hold, so that no other site can send one.

        Args:
            name: The session's name; empty where there is none.
        """
        return hmac.new(self._secret, name.encode(), hashlib.sha256).hexdigest()

    def fits(self, name: str, form_key: str) -> bool:
        """Whether a form is of this session."""
        return hmac.compare_digest(form_key.encode(), self.form_key(name).encode())


def read_token(path: Path) -> str:
    """The token in a file; a file that is not there is made, readable by its owner alone.

    Raises:
        InputError: The file cannot be read or made, or its token is too short to be safe.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(_BYTES) + "\n")
    except FileExistsError:
        pass
    except OSError as error:
        raise InputError(
            f"cannot be made ({error.strerror})", where=str(path), remedy="Name another file."
        ) from None
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise InputError(
            "not a readable text file", where=str(path), remedy="Name a file that holds a token."
        ) from None
    if len(token) < _SHORTEST:
        raise InputError(
            f"the token is shorter than {_SHORTEST} characters",
            where=str(path),
            remedy="Delete the file, and a safe one is made.",
        )
    return token


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()

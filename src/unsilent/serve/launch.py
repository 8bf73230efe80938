"""Starting the server: which address, who may come, and one line that says where it is."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from ssl import SSLError

import uvicorn

from unsilent.errors import InputError
from unsilent.serve.access import Access, read_token
from unsilent.serve.app import make_app
from unsilent.serve.places import Places

_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_CONNECTIONS = 200
_CLOSING_SECONDS = 3


def access_for(
    host: str,
    port: int,
    *,
    names: Sequence[str] = (),
    token_file: Path | None = None,
    secure: bool = False,
) -> Access:
    """Who may use a server at this address.

    Args:
        host: The address it listens at.
        port: The port, for the cookie's name: cookies of one host are shared by all its ports.
        names: Further host names that it answers to.
        token_file: The file with the token; made if it is not there.
        secure: Whether the server speaks TLS.

    Raises:
        InputError: Others could connect and there is no token, or no name to be addressed by.
    """
    known = {name.lower().rstrip(".") for name in names}
    if _is_loopback(host):
        known |= _LOOPBACK_NAMES
    elif token_file is None:
        raise InputError(
            f"whoever reaches {host} could read these runs and override their gates",
            where="--host",
            remedy="Give --token-file FILE, which is made if it is not there; or stay with "
            "127.0.0.1.",
        )
    if not _is_any(host):
        known.add(host.lower())
    elif not known:
        raise InputError(
            f"{host} is all addresses of this machine, not a name",
            where="--host",
            remedy="Say by which names it is reached: --name dashboard.example.org.",
        )
    token = None if token_file is None else read_token(token_file)
    return Access(frozenset(known), token, secure, f"unsilent-{port}")


def serve(
    places: Places,
    *,
    host: str,
    port: int,
    names: Sequence[str] = (),
    token_file: Path | None = None,
    certificate: tuple[Path, Path] | None = None,
    announce: Callable[[str], None],
) -> None:
    """Serve until interrupted.

    Args:
        places: The runs.
        host: The address to listen at.
        port: The port; 0 takes one that is free.
        names: Further host names that it answers to.
        token_file: As ``access_for``.
        certificate: Files of a TLS certificate and its key.
        announce: Told the address once it listens.

    Raises:
        InputError: The address cannot be had, or as ``access_for``.
    """
    listening = _listen(host, port)
    with listening:
        bound = int(listening.getsockname()[1])
        secure = certificate is not None
        access = access_for(host, bound, names=names, token_file=token_file, secure=secure)
        config = uvicorn.Config(
            make_app(places, access, closing=lambda: server.should_exit),
            ssl_certfile=certificate[0] if certificate else None,
            ssl_keyfile=certificate[1] if certificate else None,
            http="h11",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_CONNECTIONS,
            timeout_graceful_shutdown=_CLOSING_SECONDS,
        )
        try:
            config.load()
        except (OSError, SSLError):
            raise InputError(
                "not a certificate and its key",
                where=", ".join(map(str, certificate or ())),
                remedy="Give two PEM files.",
            ) from None
        server = uvicorn.Server(config)
        announce(f"{'https' if secure else 'http'}://{_shown(host)}:{bound}")
        # The server has stopped in good order when it passes the interrupt on.
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(address)
            # Who hears the address may come at once, and waits in line until the server is up.
            listening.listen()
        except OSError:
            listening.close()
            raise
    except OSError as error:
        raise InputError(
            f"cannot listen at {host}, port {port} ({error.strerror})",
            where="--host, --port",
            remedy="Name another; port 0 takes one that is free.",
        ) from None
    return listening


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host.lower() == "localhost" if address is None else address.is_loopback


def _is_any(host: str) -> bool:
    address = _address(host)
    return host == "" or (address is not None and address.is_unspecified)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host

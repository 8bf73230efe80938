"""A PostgreSQL server for the tests of a process: one, as its password is in the environment."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def _binaries() -> Path | None:
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return places[-1].parent if places else None


def _account() -> dict[str, Any]:
    """Who runs the server: it refuses to be root's."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of a fresh database; its password is in the file that PGPASSFILE names."""
    pytest.importorskip("psycopg", reason="the extra postgres is not installed")
    binaries = _binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server is installed here")
    # Not below pytest's own folder, which no other account may enter.
    folder = Path(tempfile.mkdtemp(prefix="unsilent-pg-"))
    account = _account()
    if account:
        os.chown(folder, account["user"], account["group"])
    password = secrets.token_hex(16)
    given = folder / "password"
    given.write_text(password)
    given.chmod(0o644)
    run: dict[str, Any] = {"check": True, "cwd": folder, "stdout": subprocess.DEVNULL, **account}
    data = folder / "data"
    make = [binaries / "initdb", "-D", data, "-U", "unsilent", "-A", "scram-sha-256"]
    subprocess.run([*make, f"--pwfile={given}", "--no-sync", "-E", "UTF8", "--locale=C"], **run)
    control = [binaries / "pg_ctl", "-D", data, "-s", "-w", "-t", "60"]
    options = f"-c listen_addresses= -c fsync=off -k {folder}"
    subprocess.run([*control, "-o", options, "-l", folder / "log", "start"], **run)
    passwords = folder / "pgpass"
    passwords.write_text(f"*:*:*:unsilent:{password}\n")
    passwords.chmod(0o600)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGPASSFILE", str(passwords))
        patch.delenv("PGPASSWORD", raising=False)
        try:
            yield f"postgresql://unsilent@/postgres?host={folder}"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], **run)
            shutil.rmtree(folder)

"""Where a server may listen, who may come, and how it starts and stops."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.serve.run_maker import RunMaker
from unsilent.cli import main
from unsilent.errors import InputError
from unsilent.serve.access import Access, Sessions, read_token
from unsilent.serve.launch import access_for


def test_at_loopback_no_token_is_needed_and_only_its_names_are_answered_to() -> None:
    for host in ("127.0.0.1", "127.0.0.5", "localhost", "::1"):
        access = access_for(host, 8642)
        assert access.token is None
        assert {"localhost", "127.0.0.1", "::1", host} == access.hosts | {host}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "dashboard.example", ""])
def test_elsewhere_a_token_is_needed(host: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--token-file"):
        access_for(host, 8642, names=["dashboard.example"])
    access = access_for(host, 8642, names=["Dashboard.Example."], token_file=tmp_path / "token")
    assert access.token is not None
    assert "dashboard.example" in access.hosts
    assert "localhost" not in access.hosts


@pytest.mark.parametrize("host", ["0.0.0.0", "::", ""])
def test_all_addresses_need_a_name(host: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--name"):
        access_for(host, 8642, token_file=tmp_path / "token")


def test_a_token_is_made_for_its_owner_alone_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "token"
    token = read_token(path)
    assert len(token) >= 43
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_token(path) == token
    assert read_token(tmp_path / "other") != token


def test_a_short_token_and_a_file_that_is_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "short").write_text("secret", encoding="utf-8")
    (tmp_path / "bytes").write_bytes(b"\xff" * 40)
    for name in ("short", "bytes", "no/such/folder"):
        with pytest.raises(InputError) as caught:
            read_token(tmp_path / name)
        assert "secret" not in caught.value.line()


def test_a_token_is_in_no_representation() -> None:
    token = "a token of at least thirty-two characters"
    assert token not in repr(Access(frozenset(), token))


def test_sessions_end_and_their_forms_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = Sessions()
    first, second = sessions.begin(), sessions.begin()
    assert sessions.knows(first)
    assert not sessions.knows("")
    assert sessions.fits(first, sessions.form_key(first))
    assert not sessions.fits(second, sessions.form_key(first))
    assert not Sessions().fits(first, sessions.form_key(first))
    now = __import__("time").monotonic()
    monkeypatch.setattr("unsilent.serve.access.time.monotonic", lambda: now + 12 * 3600 + 1)
    assert not sessions.knows(first)


def test_a_missing_web_framework_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "unsilent.serve.launch", None)
    assert main(["serve"]) == 2
    assert "pip install 'unsilent[serve]'" in capsys.readouterr().err


def test_faults_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for arguments, words in (
            (["nowhere"], "no such folder"),
            ([str(tmp_path), "--port", port], "cannot listen at 127.0.0.1"),
            ([str(tmp_path), "--port", "0", "--host", "0.0.0.0"], "--token-file"),
            ([str(tmp_path), "--tls-key", "key.pem"], "go together"),
            (
                [str(tmp_path), "--port", "0", "--tls-key", "k", "--tls-certificate", "c"],
                "not a certificate and its key",
            ),
        ):
            assert main(["serve", *arguments]) == 2, arguments
            (line,) = capsys.readouterr().err.splitlines()
            assert words in line


def test_it_serves_until_interrupted_and_says_where(tmp_path: Path) -> None:
    RunMaker(tmp_path / "ward")
    command = [sys.executable, "-m", "unsilent.cli", "serve", str(tmp_path), "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            address = re.search(r"http://127\.0\.0\.1:\d+", line)
            assert address, line
            with urllib.request.urlopen(f"{address[0]}/", timeout=60) as answer:
                assert b"ward" in answer.read()
            process.send_signal(signal.SIGINT)
            out, rest = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (out, rest) == ("", "")
    assert process.returncode in (0, 130, -signal.SIGINT)

"""Run a Flower app on this machine as it runs on many: TLS, and nodes that prove who they are.

    python examples/deployment/deploy.py examples/deployment/app --work runs/deployment

Makes certificates and a key for each node, starts a SuperLink and its SuperNodes on loopback, runs
the app, and stops what it started. Each node has a folder of its own, ``WORK/node-N``, where its
budget and what it releases are kept: nothing in it is made by the server, and it is the only thing
of a node that must outlive it. Each has agreed to the app's plan, and answers under no other. The
same WORK goes on with the same nodes. However this script ends, nothing that it started is left.
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from unsilent.keeper import Keeper, leave_when_asked
from unsilent.plan import read_plan

HOST = "127.0.0.1"
PATIENCE_S = 120.0


class Deployment:
    """A SuperLink and its SuperNodes, with everything they need in one folder.

    Args:
        work: The folder.
        nodes: How many SuperNodes there are.
        plan: The monitoring plan that the nodes' owners have read and agreed to; None if the app
            is not monitored.
        host: The address that the SuperLink listens at, that its certificate is for, and by which
            nodes and ``flwr`` find it.
        node_host: The address that the nodes' own processes talk at; by default ``HOST``.
        node_command: What goes before a node's command, to start it elsewhere: ``ip netns exec
            NAME``.
    """

    def __init__(
        self,
        work: Path,
        nodes: int = 3,
        *,
        plan: Path | None = None,
        host: str = HOST,
        node_host: str = HOST,
        node_command: Sequence[str] = (),
    ) -> None:
        self.agreed = "" if plan is None else f' plan="{read_plan(plan).digest}"'
        self.work = work.absolute()
        self.count = nodes
        self.host, self.node_host, self.node_command = host, node_host, tuple(node_command)
        self.port = _free_port(host)
        self.superlink: subprocess.Popen[bytes] | None = None
        self.nodes: dict[int, subprocess.Popen[bytes]] = {}
        self._keeper: Keeper | None = None
        (self.work / "flwr").mkdir(parents=True, exist_ok=True)
        make_certificates(self.work, host)
        for number in range(nodes):
            make_node_key(self.work, number)

    def __enter__(self) -> Deployment:
        """Start all of it."""
        self._keeper = Keeper()
        try:
            self.start_superlink()
            for number in range(self.count):
                self.register(number)
                self.start_node(number)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop all of it."""
        self.stop()

    def start_superlink(self) -> None:
        """Start the SuperLink, and wait until it listens."""
        (self.work / "flwr" / "config.toml").write_text(
            '[superlink]\ndefault = "here"\n\n[superlink.here]\n'
            f'address = "{self.host}:{self.port}"\n'
            f'root-certificates = "{self.work / "ca.crt"}"\n'
        )
        self.superlink = self._start(
            "superlink",
            "flower-superlink",
            *("--ssl-ca-certfile", self.work / "ca.crt"),
            *("--ssl-certfile", self.work / "server.crt"),
            *("--ssl-keyfile", self.work / "server.key"),
            "--enable-supernode-auth",
            "--disable-runtime-dependency-installation",
            *("--host", self.host, "--port", self.port),
            *("--database", self.work / "superlink.sqlite"),
        )
        _wait_for(self.host, self.port, self.superlink)

    def register(self, number: int) -> None:
        """Let the SuperLink know a node's public key; one that it knows already is no fault."""
        done = self.flwr("supernode", "register", self.work / f"node-{number}.pub")
        if done.returncode and "already" not in done.stdout + done.stderr:
            raise RuntimeError(f"node {number} was not registered: {done.stdout}{done.stderr}")

    def start_node(self, number: int, client: int | None = None) -> None:
        """Start a SuperNode with its own key; as its own client, in the folder of that."""
        client = number if client is None else client
        own = self.work / f"node-{client}"
        own.mkdir(exist_ok=True)
        self.nodes[number] = self._start(
            f"node-{number}",
            "flower-supernode",
            *("--root-certificates", self.work / "ca.crt"),
            *("--superlink", f"{self.host}:{self.port}"),
            *("--host", self.node_host, "--port", _free_port()),
            *("--auth-supernode-private-key", self.work / f"node-{number}.key"),
            # Flower's own quickstarts read both numbers; Flower sets them in a simulation alone.
            "--node-config",
            f'partition-id={client} num-partitions={self.count} store="{own}"{self.agreed}',
            before=self.node_command,
        )

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """``kill -9`` a process and all that it started."""
        # Those that it started may outlive it.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def flwr(self, *arguments: object, timeout: float = 600.0) -> subprocess.CompletedProcess[str]:
        """One ``flwr`` command against this SuperLink."""
        return subprocess.run(
            [_tool("flwr"), *map(str, arguments), "here"],
            env=self._env(),
            cwd=self.work,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def start_run(self, app: Path, config: str) -> subprocess.Popen[str]:
        """Start the app with a run config; its log is streamed to the process's output."""
        return subprocess.Popen(
            [
                *(_tool("flwr"), "run", str(app.absolute()), "here", "--stream"),
                *(("--run-config", config) if config else ()),
            ],
            env=self._env(),
            cwd=self.work,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def stop(self) -> None:
        """End the processes that were started here."""
        running = [*self.nodes.values(), *filter(None, [self.superlink])]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + 10
        for process in running:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, deadline - time.monotonic()))
            self.kill(process)
        if self._keeper is not None:
            self._keeper.close()

    def _start(
        self, name: str, tool: str, *arguments: object, before: Sequence[str] = ()
    ) -> subprocess.Popen[bytes]:
        with (self.work / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [*before, _tool(tool), *map(str, arguments)],
                env=self._env(),
                cwd=self.work,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _env(self) -> dict[str, str]:
        return {
            **(os.environ if self._keeper is None else self._keeper.env),
            "FLWR_HOME": str(self.work / "flwr"),
            "FLWR_TELEMETRY_ENABLED": "0",
            "FLWR_DISABLE_UPDATE_CHECK": "1",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        }


def make_certificates(folder: Path, host: str = HOST) -> None:
    """An authority of one's own, and the server's certificate for loopback and its host.

    Kept if there. Raises SystemExit if what is there is for other addresses.
    """
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address(HOST))]
    try:
        own: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        own = x509.DNSName(host)
    names += [own] if own not in names else []
    if (folder / "server.crt").is_file():
        kept = x509.load_pem_x509_certificate((folder / "server.crt").read_bytes())
        known = kept.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        if own not in known:
            raise SystemExit(f"the certificate in {folder} is not for {host}: use another --work")
        return
    authority, server = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "unsilent example authority")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    here = x509.SubjectAlternativeName(names)
    root = (
        _certificate(name, name, authority)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority, hashes.SHA256())
    )
    leaf = (
        _certificate(subject, name, server)
        .add_extension(here, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(authority, hashes.SHA256())
    )
    (folder / "ca.crt").write_bytes(root.public_bytes(forms.Encoding.PEM))
    _write_key(folder / "server.key", server, forms.PrivateFormat.PKCS8)
    (folder / "server.crt").write_bytes(leaf.public_bytes(forms.Encoding.PEM))


def make_node_key(folder: Path, number: int) -> None:
    """A node's key pair in OpenSSH's form; kept if there."""
    public = folder / f"node-{number}.pub"
    if public.is_file():
        return
    key = ec.generate_private_key(ec.SECP384R1())
    _write_key(folder / f"node-{number}.key", key, forms.PrivateFormat.OpenSSH)
    public.write_bytes(
        key.public_key().public_bytes(forms.Encoding.OpenSSH, forms.PublicFormat.OpenSSH)
    )


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=30))
    )


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey, form: forms.PrivateFormat) -> None:
    data = key.private_bytes(forms.Encoding.PEM, form, forms.NoEncryption())
    # Never readable by others, not even between making the file and changing its mode.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)


def _tool(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def _free_port(host: str = HOST) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _wait_for(host: str, port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError("the SuperLink ended; superlink.log says why")
        with socket.socket() as probe:
            if probe.connect_ex((host, port)) == 0:
                return
        time.sleep(0.2)
    raise RuntimeError(f"nothing listens on port {port}")


def main() -> int:
    """Parse, start, run, stop."""
    leave_when_asked()
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("app", type=Path, help="folder of a Flower app")
    parser.add_argument("--work", type=Path, default=Path("runs/deployment"))
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--run-config", default="")
    parser.add_argument("--plan", type=Path, help="that the nodes agree to (default: the app's)")
    parser.add_argument("--host", default=HOST, help="address of the SuperLink, for all nodes")
    parser.add_argument("--node-host", default=HOST, help="address of a node's own processes")
    parser.add_argument(
        "--node-command", default="", help="goes before a node's command: 'ip netns exec NAME'"
    )
    given = parser.parse_args()
    project = tomllib.loads((given.app / "pyproject.toml").read_text(encoding="utf-8"))
    own = project["tool"]["flwr"]["app"]["config"]
    plan = given.plan or given.app / own.get("plan", "plan.toml")
    deployment = Deployment(
        given.work,
        given.nodes,
        plan=plan if plan.is_file() else None,
        host=given.host,
        node_host=given.node_host,
        node_command=shlex.split(given.node_command),
    )
    with deployment as here:
        # An override is for keys that an app has; one without ``out`` writes where its server runs.
        out = f'out="{here.work / "run"}"' if "out" in own else ""
        config = f"{out} {given.run_config}".strip()
        run = here.start_run(given.app, config)
        if run.stdout is not None:
            for line in run.stdout:
                sys.stdout.write(line)
        return run.wait()


if __name__ == "__main__":
    sys.exit(main())

"""Run a job in a federation of FLARE's on this machine as it runs on many: TLS, a key for each.

    python examples/nvflare/deploy.py examples/nvflare/digits --work runs/flare

Provisions a server, its sites and an admin on loopback (or lets ``nvflare poc`` do it, with
``--poc``), starts them, submits the job, and stops what it started. Each site's settings are its
own, in its environment: the folder in which it keeps its budget, its releases and its keys, and the
digest of the plan that it has agreed to. The same WORK goes on with the same sites. However this
script ends, nothing that it started is left.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import yaml

from unsilent.keeper import Keeper, leave_when_asked
from unsilent.plan import read_plan

HOST = "localhost"
ADMIN = "admin@nvidia.com"
PATIENCE_S = 180.0


class Federation:
    """A server and its sites, with everything they need in one folder.

    Args:
        work: The folder.
        sites: How many sites there are.
        plan: The monitoring plan that the sites' owners have read and agreed to; None if the job
            is not monitored.
        poc: Whether FLARE's proof of concept makes the startup kits, rather than a provision.
    """

    def __init__(
        self, work: Path, sites: int = 4, *, plan: Path | None = None, poc: bool = False
    ) -> None:
        self.work = work.absolute()
        self.names = [f"site-{number}" for number in range(1, sites + 1)]
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._agreed = {} if plan is None else {"UNSILENT_PLAN": read_plan(plan).digest}
        self._poc = poc
        self._keeper: Keeper | None = None

    def __enter__(self) -> Federation:
        """Make the startup kits unless they are there, and start all of it."""
        self._keeper = Keeper()
        try:
            self.kits = self._poc_kits() if self._poc else self._provisioned()
            self.start("server")
            self._wait_for(self._port())
            for name in self.names:
                self.start(name)
        except BaseException:
            self._keeper.close()
            raise
        return self

    def __exit__(self, *raised: object) -> None:
        """Stop all of it."""
        if self._keeper is not None:
            self._keeper.close()

    @property
    def admin(self) -> Path:
        """The startup kit of whoever submits jobs."""
        return self.kits / ADMIN

    def start(self, name: str) -> None:
        """Start the server or a site, as its startup kit's script does, but for starting again."""
        kit = self._kit(name)
        part = "server" if name == "server" else "client"
        settings = ["secure_train=true", "config_folder=config", "org=nvidia"]
        if part == "client":
            settings.append(f"uid={name}")
        own = {} if part == "server" else {"UNSILENT_STORE": str(self.work / "stores")}
        with (self.work / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [
                    *(sys.executable, "-u", "-m", f"nvflare.private.fed.app.{part}.{part}_train"),
                    *("-m", str(kit), "-s", f"fed_{part}.json", "--set", *settings),
                ],
                cwd=kit,
                env={**self._env(), **({} if part == "server" else self._agreed), **own},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """``kill -9`` a site and the processes of its jobs, which have groups of their own."""
        import psutil

        process = psutil.Process(self.processes[name].pid)
        for each in [*process.children(recursive=True), process]:
            with suppress(psutil.Error):
                each.send_signal(signal.SIGKILL)
        self.processes.pop(name).wait()

    def submit(self, job: Path, options: Sequence[str] = ()) -> subprocess.Popen[str]:
        """Run the job's own script, which submits it and waits; what it says is its output."""
        return subprocess.Popen(
            [
                *(sys.executable, "-u", "job.py", "--startup-kit", str(self.admin)),
                *("--sites", str(len(self.names)), *options),
            ],
            cwd=job,
            env=self._env(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run_folders(self) -> list[Path]:
        """What was found, in the results that the admin has fetched; the newest last."""
        found = (self.admin / "transfer").glob("*/workspace/unsilent/ledger.sqlite")
        return sorted((path.parent for path in found), key=lambda path: path.stat().st_mtime)

    def _provisioned(self) -> Path:
        """The startup kits that FLARE provisions: an authority of its own, a key for each."""
        kits = self.work / "kits" / "unsilent" / "prod_00"
        if kits.is_dir():
            return kits
        self.work.mkdir(parents=True, exist_ok=True)
        server = {"name": HOST, "type": "server", "org": "nvidia", "fed_learn_port": _free_port()}
        admin = {"name": ADMIN, "type": "admin", "org": "nvidia", "role": "project_admin"}
        sites = [{"name": name, "type": "client", "org": "nvidia"} for name in self.names]
        impl = "nvflare.lighter.impl"
        builders = [
            {"path": f"{impl}.workspace.WorkspaceBuilder"},
            {"path": f"{impl}.static_file.StaticFileBuilder", "args": {"config_folder": "config"}},
            {"path": f"{impl}.cert.CertBuilder"},
            {"path": f"{impl}.signature.SignatureBuilder"},
        ]
        project = {
            "api_version": 3,
            "name": "unsilent",
            "description": "an example",
            "participants": [server, admin, *sites],
            "builders": builders,
        }
        path = self.work / "project.yml"
        path.write_text(yaml.safe_dump(project, sort_keys=False))
        self._nvflare("provision", "-p", path, "-w", self.work / "kits")
        return kits

    def _poc_kits(self) -> Path:
        """Those of ``nvflare poc``, in a folder of ours."""
        kits = self.work / "poc" / "example_project" / "prod_00"
        if not kits.is_dir():
            self.work.mkdir(parents=True, exist_ok=True)
            self._nvflare("poc", "prepare", "-n", len(self.names))
        return kits

    def _kit(self, name: str) -> Path:
        return self.kits / (("server" if self._poc else HOST) if name == "server" else name)

    def _port(self) -> int:
        """Where the server listens."""
        told = json.loads((self._kit("server") / "startup" / "fed_server.json").read_text())
        return int(told["servers"][0]["service"]["target"].rpartition(":")[2])

    def _nvflare(self, *arguments: object) -> None:
        tool = Path(sys.executable).with_name("nvflare")
        done = subprocess.run(
            [tool, *map(str, arguments)],
            env=self._env(),
            cwd=self.work,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"nvflare {arguments[0]} failed: {done.stdout}{done.stderr}")

    def _env(self) -> dict[str, str]:
        env = dict(os.environ) if self._keeper is None else self._keeper.env
        # Settings of sites are given to sites alone.
        kept = {name: value for name, value in env.items() if name not in _OWN}
        tools = str(Path(sys.executable).parent)
        return {
            **kept,
            "PATH": f"{tools}{os.pathsep}{env.get('PATH', '')}",
            "NVFLARE_POC_WORKSPACE": str(self.work / "poc"),
            # What FLARE remembers of a user is not to be changed by an example.
            "HOME": str(self.work),
        }

    def _wait_for(self, port: int) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if self.processes["server"].poll() is not None:
                raise RuntimeError("the server ended; server.log says why")
            with socket.socket() as probe:
                if probe.connect_ex((HOST, port)) == 0:
                    return
            time.sleep(0.2)
        raise RuntimeError(f"nothing listens on port {port}")


_OWN = ("UNSILENT_STORE", "UNSILENT_PLAN", "UNSILENT_SIMULATION")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def main() -> int:
    """Parse, start, run, stop."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("job", type=Path, help="folder of a job: job.py, client.py, plan.toml")
    parser.add_argument("--work", type=Path, default=Path("runs/flare"))
    parser.add_argument("--sites", type=int, default=4)
    parser.add_argument("--poc", action="store_true", help="startup kits of nvflare poc")
    parser.add_argument("options", nargs="*", help="of job.py, after --")
    given = parser.parse_args()
    leave_when_asked()
    plan = given.job / "plan.toml"
    agreed = plan if plan.is_file() else None
    with Federation(given.work, given.sites, plan=agreed, poc=given.poc) as here:
        run = here.submit(given.job, given.options)
        if run.stdout is not None:
            for line in run.stdout:
                sys.stdout.write(line)
        code = run.wait()
        for folder in here.run_folders()[-1:]:
            sys.stdout.write(f"the run's folder: {folder}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())

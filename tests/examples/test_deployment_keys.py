"""The example deployment's keys and certificates: private ones for their owner alone."""

from __future__ import annotations

import importlib.util
import ipaddress
import stat
from pathlib import Path
from types import ModuleType

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization as forms

from unsilent.plan import read_plan

EXAMPLE = Path(__file__).parents[2] / "examples" / "deployment"


@pytest.fixture(scope="module")
def deploy() -> ModuleType:
    spec = importlib.util.spec_from_file_location("deploy", EXAMPLE / "deploy.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_servers_certificate_is_for_loopback_and_signed_by_the_authority(
    deploy: ModuleType, tmp_path: Path
) -> None:
    deploy.make_certificates(tmp_path)
    root = x509.load_pem_x509_certificate((tmp_path / "ca.crt").read_bytes())
    server = x509.load_pem_x509_certificate((tmp_path / "server.crt").read_bytes())
    server.verify_directly_issued_by(root)
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("127.0.0.1")]
    own = forms.load_pem_private_key((tmp_path / "server.key").read_bytes(), None)
    assert own.public_key() == server.public_key()


@pytest.mark.parametrize("host", ["10.203.7.1", "link.example"])
def test_it_is_for_the_host_that_nodes_find_the_server_by(
    host: str, deploy: ModuleType, tmp_path: Path
) -> None:
    for _ in range(2):
        deploy.make_certificates(tmp_path, host)
    server = x509.load_pem_x509_certificate((tmp_path / "server.crt").read_bytes())
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = [*names.get_values_for_type(x509.DNSName)]
    addresses += map(str, names.get_values_for_type(x509.IPAddress))
    assert sorted(addresses) == sorted(["localhost", "127.0.0.1", host])
    with pytest.raises(SystemExit, match=r"is not for 10\.203\.7\.9"):
        deploy.make_certificates(tmp_path, "10.203.7.9")


def test_a_nodes_public_key_is_that_of_its_private_one(deploy: ModuleType, tmp_path: Path) -> None:
    deploy.make_node_key(tmp_path, 0)
    private = forms.load_ssh_private_key((tmp_path / "node-0.key").read_bytes(), None)
    public = forms.load_ssh_public_key((tmp_path / "node-0.pub").read_bytes())
    assert private.public_key() == public


def test_private_keys_are_for_their_owner_alone_and_made_once(
    deploy: ModuleType, tmp_path: Path
) -> None:
    for _ in range(2):
        deploy.make_certificates(tmp_path)
        for number in range(3):
            deploy.make_node_key(tmp_path, number)
    keys = sorted(tmp_path.glob("*.key"))
    assert [key.name for key in keys] == ["node-0.key", "node-1.key", "node-2.key", "server.key"]
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}
    assert len({key.read_bytes() for key in keys}) == 4


def test_nodes_agree_to_the_apps_plan_by_its_whole_digest(
    deploy: ModuleType, tmp_path: Path
) -> None:
    plan = EXAMPLE / "app" / "ward" / "plan.toml"
    here = deploy.Deployment(tmp_path, nodes=1, plan=plan)
    assert here.agreed == f' plan="{read_plan(plan).digest}"'
    assert deploy.Deployment(tmp_path, nodes=1).agreed == ""

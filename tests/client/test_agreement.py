"""What a plan may name on a client whose owner agreed to it, to none, or named things itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from unsilent.client.agreement import Owner, agreed, keep_out, probe_folder
from unsilent.errors import NotAgreedError
from unsilent.plan import MonitoringPlan, parse_plan

PIN = "#sha256=" + "0" * 64


def plan(**changes: Any) -> MonitoringPlan:
    data: dict[str, Any] = {
        "federation": {"clients": 4, "rounds": 1},
        "monitor": {"min_cohort": 2},
        "modes": {"confidence_miscalibration": {"tolerance": 0.1}},
    }
    return parse_plan({**data, **changes})


def text(of: MonitoringPlan) -> str:
    return json.dumps(of.to_json())


NAMES = {
    "file": {"probes": {"task": "/srv/table.jsonl"}},
    "known path": {"probes": {"bias": f"known:bbq:/srv/bbq?items=8{PIN}"}},
    "hub": {"probes": {"bias": "known:crows_pairs:hub:some/set"}},
    "harness": {"probes": {"general": "lm-eval:hellaswag"}},
    "harness file": {"probes": {"general": f"lm-eval:/srv/t.yaml?items=8{PIN}"}},
    "model": {"model": {"id": "some/model"}},
    "model folder": {"model": {"id": "/srv/model"}},
    "judge": {"open_text": {"judges": ["built-in", "hook:json:loads"]}},
    "hook": {"model": {"id": "hook:json:loads"}},
    "device": {"model": {"device": "privateuseone"}},
    "start": {"adapter": {"start": "/srv/adapter.safetensors"}},
    "personalization": {
        "federation": {"clients": 4, "rounds": 1, "personalization": "another-distributions"}
    },
}


@pytest.mark.parametrize("name", NAMES)
def test_a_plan_names_nothing_unless_its_owner_agreed_to_it(name: str) -> None:
    of = plan(**NAMES[name])
    with pytest.raises(NotAgreedError, match="agreed to no plan"):
        agreed(text(of), Owner())
    assert agreed(text(of), Owner(plan=of.digest)) == of
    assert agreed(text(of), Owner(simulates=True)) == of


@pytest.mark.parametrize("owner", [Owner(), Owner(simulates=True)])
def test_a_plan_of_what_every_client_has_needs_no_agreement(owner: Owner) -> None:
    of = plan(probes={"harmful": "known:harmbench", "items": 8})
    assert agreed(text(of), owner) == of
    assert agreed(text(plan()), owner) == plan()
    ditto = plan(federation={"clients": 4, "rounds": 1, "personalization": "ditto"})
    assert agreed(text(ditto), owner) == ditto


def test_what_the_owner_named_itself_may_be_named() -> None:
    hook = plan(model={"id": "hook:json:loads"})
    assert agreed(text(hook), Owner(model="hook:json:loads")) == hook
    with pytest.raises(NotAgreedError):
        agreed(text(hook), Owner(model="hook:json"))
    start = plan(adapter={"start": "/srv/adapter.safetensors"})
    assert agreed(text(start), Owner(start="/srv/adapter.safetensors")) == start


@pytest.mark.parametrize("cut", [0, 12, 16, 40, 63])
def test_a_plan_is_compared_by_all_of_its_digest(cut: int) -> None:
    of = plan()
    digits = of.digest.removeprefix("sha256:")
    other = "".join("0123456789abcdef"[int(digit, 16) ^ 1] for digit in digits[cut:])
    with pytest.raises(NotAgreedError, match="this client agreed to"):
        agreed(text(of), Owner(plan=f"sha256:{digits[:cut]}{other}"))


@pytest.mark.parametrize(
    "shortened", [lambda d: d[:19], lambda d: d[7:], lambda d: d.upper(), str.strip]
)
def test_an_owner_names_a_whole_digest(shortened: Any) -> None:
    given = shortened(plan().digest)
    if given == plan().digest:
        assert Owner.of({"plan": given}).plan == given
        return
    with pytest.raises(NotAgreedError, match="whole digest"):
        Owner.of({"plan": given})


@pytest.mark.parametrize(
    "sent", ["", "{", "[]", "1", "null", '{"modes": 5}', "[" * 100_000, '{"name": "\\ud800"}']
)
def test_what_is_no_plan_is_agreed_to_by_nobody(sent: str) -> None:
    with pytest.raises(NotAgreedError, match="no plan"):
        agreed(sent, Owner())


def test_a_simulation_with_an_agreed_plan_keeps_to_it() -> None:
    with pytest.raises(NotAgreedError):
        agreed(text(plan()), Owner(plan=plan(name="other").digest, simulates=True))


def pinned(path: str) -> MonitoringPlan:
    return plan(probes={"task": f"{path}{PIN}"})


def test_a_pinned_file_arrives_or_lies_where_the_owner_said(tmp_path: Path) -> None:
    of = pinned("sets/table.jsonl")
    assert agreed(text(of), Owner()) == of
    assert probe_folder(of, Owner(files=tmp_path), ()) == tmp_path
    assert probe_folder(of, Owner(), ("task",)) == Path()
    with pytest.raises(NotAgreedError, match="did not come with the message"):
        probe_folder(of, Owner(), ("bias",))
    # Who read the plan means its paths as they are.
    assert probe_folder(of, Owner(plan=of.digest), ()) is None


@pytest.mark.parametrize(
    "path", ["/etc/hostname", "../table.jsonl", "sets/../../table.jsonl", "~/table.jsonl", "out/x"]
)
def test_a_path_does_not_lead_out_of_the_owners_folder(path: str, tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    (files / "out").symlink_to(tmp_path)
    with pytest.raises(NotAgreedError):
        probe_folder(pinned(path), Owner(files=files), ())


@pytest.mark.parametrize(
    "changes",
    [
        {"adapter": {"start": "STORE/personalized.safetensors"}},
        {"adapter": {"start": "STORE/../link/personalized.safetensors"}},
        {"model": {"id": "STORE"}},
        {"probes": {"task": "STORE/own.json"}},
        {"probes": {"bias": "known:bbq:STORE/../store"}},
        {"probes": {"general": "lm-eval:STORE/task.yaml"}},
    ],
)
def test_nothing_in_the_clients_own_folder_is_named_by_any_plan(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    store = tmp_path / "store"
    store.mkdir()
    (tmp_path / "link").symlink_to(store)
    of = plan(**json.loads(json.dumps(changes).replace("STORE", str(store))))
    with pytest.raises(NotAgreedError, match="own folder"):
        keep_out(of, Owner(plan=of.digest), store)
    keep_out(of, Owner(plan=of.digest), tmp_path / "elsewhere")


def test_names_are_no_paths_where_a_client_runs_in_its_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.json").touch()
    named = plan(model={"id": "some/model"}, probes={"general": "lm-eval:hellaswag"})
    keep_out(named, Owner(simulates=True), tmp_path)
    with pytest.raises(NotAgreedError, match="own folder"):
        keep_out(plan(probes={"task": "own.json"}), Owner(simulates=True), tmp_path)


@pytest.mark.parametrize("source", ["{}/own.jsonl", "known:bbq:{}", "lm-eval:{}/task.yaml"])
def test_a_clients_own_folder_is_not_named_from_beside_the_app_either(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An app's relative paths start from where its modules are, not from the current folder."""
    store = tmp_path / "app" / "store"
    store.mkdir(parents=True)
    (store / "own.jsonl").touch()
    (store / "task.yaml").touch()
    (tmp_path / "started-here").mkdir()
    monkeypatch.chdir(tmp_path / "started-here")
    monkeypatch.syspath_prepend(str(tmp_path / "app"))
    role = "general" if source.startswith("lm-eval") else "bias"
    of = plan(probes={role: source.format("store")})
    with pytest.raises(NotAgreedError, match="own folder"):
        keep_out(of, Owner(plan=of.digest), store)


@pytest.mark.parametrize("path", ["{}", "{}/..", "{}/own.json", "~root/x", "~nobody-here/x"])
def test_a_path_does_not_ask_where_a_client_keeps_its_files_or_who_it_is(
    path: str, tmp_path: Path
) -> None:
    """Without an agreed plan all paths are alike, wherever the client's own folder lies."""
    of = pinned(path.format(tmp_path))
    assert agreed(text(of), Owner()) == of
    keep_out(of, Owner(), tmp_path)
    for owner in (Owner(), Owner(files=tmp_path / "files")):
        with pytest.raises(NotAgreedError, match="did not come with the message"):
            probe_folder(of, owner, ())


def test_an_owners_folder_of_files_is_not_the_clients_own(tmp_path: Path) -> None:
    store = tmp_path / "store"
    for files in (store, store / "probes", tmp_path):
        with pytest.raises(NotAgreedError, match=r"files: .*own folder"):
            keep_out(plan(), Owner(files=files), store)
    keep_out(plan(), Owner(files=tmp_path / "probes"), store)

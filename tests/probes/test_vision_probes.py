"""Probe files that show images: checked, pinned with what they show, and shipped without it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.small_vision import LABELS, pictures, plan_of
from unsilent.cli import app, main
from unsilent.client.agreement import Owner, probe_folder
from unsilent.errors import ItemError, NotAgreedError, PlanError
from unsilent.items import Item, ItemSet, write_items
from unsilent.plan import MonitoringPlan
from unsilent.probes import load_probes
from unsilent.probes.check import check_shipped, pin_of
from unsilent.probes.held import held_sizes
from unsilent.probes.shipping import shipped_fields
from unsilent.reference.records import client_records

MODES = {"out_of_domain_degradation": {"tolerance": 0.2, "clip": 0.5}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """``task.jsonl`` with twelve items that name rows of an npz, and do not say what they hold."""
    bare = [replace(item, prompt=item.prompt.partition("#")[0]) for item in pictures(tmp_path, 12)]
    write_items(tmp_path / "task.jsonl", bare)
    return tmp_path


def plan(source: str = "task.jsonl") -> MonitoringPlan:
    return plan_of("base", modes=MODES, probes={"task": source, "items": 12})


def change(folder: Path) -> None:
    other = np.random.default_rng(9).integers(0, 256, (12, 20, 24, 3), np.uint8)
    np.savez(folder / "images-0.npz", images=other)


def test_probes_are_bound_to_their_folder_and_name_what_they_show(folder: Path) -> None:
    found = load_probes(plan(), base=folder)
    assert list(found) == ["task"]
    assert found["task"].folder == folder
    assert all("#sha256=" in item.prompt for item in found["task"])


def test_a_pin_covers_the_images(folder: Path) -> None:
    pinned = plan(f"task.jsonl{pin_of(load_probes(plan(), base=folder)['task'])}")
    assert len(load_probes(pinned, base=folder)["task"]) == 12
    change(folder)
    with pytest.raises(ItemError, match="not the pinned ones"):
        load_probes(pinned, base=folder)


def test_a_missing_image_is_named_by_its_item(folder: Path) -> None:
    (folder / "images-0.npz").unlink()
    for load in (lambda: load_probes(plan(), base=folder), lambda: held_sizes(plan(), folder)):
        with pytest.raises(ItemError, match="item p0: its image is not here"):
            load()


def test_items_of_text_are_refused_by_name(folder: Path) -> None:
    texts = [Item(f"q{i}", "A cat is", LABELS, answer=0, domain="ab"[i % 2]) for i in range(8)]
    write_items(folder / "task.jsonl", texts)
    with pytest.raises(ItemError, match="item q0: its prompt names no image"):
        load_probes(plan(), base=folder)


def checked(path: Path) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["probes", "check", str(path), "--json"])
    return json.loads(result.stdout)


def test_check_reads_the_images_and_prints_the_pin_that_covers_them(folder: Path) -> None:
    found = checked(folder / "task.jsonl")
    assert found["passed"]
    assert found["pin"] == pin_of(load_probes(plan(), base=folder)["task"])


def test_check_names_line_and_fault_of_a_bad_image(folder: Path) -> None:
    Image.fromarray(np.zeros((4, 4, 4), np.uint8), "RGBA").save(folder / "clear.png")
    lines = (folder / "task.jsonl").read_text().splitlines()
    lines[3] = json.dumps(json.loads(lines[3]) | {"prompt": "image:clear.png"})
    lines[5] = json.dumps(json.loads(lines[5]) | {"prompt": "image:../out.png"})
    (folder / "task.jsonl").write_text("\n".join(lines))
    found = checked(folder / "task.jsonl")
    assert not found["passed"]
    assert [fault["line"] for fault in found["faults"]] == [4, 6]
    assert "transparent" in found["faults"][0]["what"]


def shipped(folder: Path, items: ItemSet | None = None) -> tuple[MonitoringPlan, bytes]:
    """A pinned plan and the bytes that a server ships."""
    found = load_probes(plan(), base=folder)["task"] if items is None else items
    pinned = plan(f"task.jsonl{pin_of(found)}")
    return pinned, "\n".join(json.dumps(item.to_json()) for item in found).encode()


def test_what_is_shipped_names_images_that_the_client_has(folder: Path) -> None:
    pinned, data = shipped(folder)
    assert shipped_fields(pinned, lambda path: folder / path)["probes.task"]
    (folder / "task.jsonl").unlink()
    found = load_probes(pinned, base=folder, shipped={"task": data})["task"]
    assert found.folder == folder
    change(folder)
    with pytest.raises(ItemError, match="not the one that it names"):
        load_probes(pinned, base=folder, shipped={"task": data})


def test_a_shipped_item_that_could_show_any_image_is_refused(folder: Path) -> None:
    found = load_probes(plan(), base=folder)["task"]
    bare = replace(found.items[2], prompt=found.items[2].prompt.partition("#")[0])
    items = replace(found, items=(*found.items[:2], bare, *found.items[3:]))
    pinned, data = shipped(folder, items)
    with pytest.raises(ItemError, match="'p2' names its image without its SHA-256"):
        check_shipped(pinned, "task", data)


def test_one_image_by_many_names_is_one_question(folder: Path) -> None:
    first = load_probes(plan(), base=folder)["task"].items[0]
    digest = first.prompt.partition("#")[2]
    same = [
        replace(first, id=f"s{i}", prompt=f"image:a{i}.png#{digest}", domain="ab"[i % 2])
        for i in range(12)
    ]
    pinned, data = shipped(folder, ItemSet("task", tuple(same)))
    with pytest.raises(ItemError, match="different items, fewer than 8"):
        check_shipped(pinned, "task", data)


def test_images_are_read_only_where_the_owner_says(folder: Path) -> None:
    pinned, _ = shipped(folder)
    with pytest.raises(NotAgreedError, match="images, which do not come with the message"):
        probe_folder(pinned, Owner(), {"task"})
    assert probe_folder(pinned, Owner(files=folder), {"task"}) == folder
    assert probe_folder(pinned, Owner(plan=pinned.digest), {"task"}) is None


def test_the_reference_federation_has_no_images() -> None:
    with pytest.raises(PlanError, match="records are texts"):
        client_records(plan(), 0)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["run", "--out", "ran"], "records are texts"),
        (["parity", "--at", "http://127.0.0.1:9/v1", "--model", "m"], "shown images"),
    ],
)
def test_what_asks_texts_alone_says_so_in_one_line(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(folder)
    path = folder / "plan.toml"
    path.write_text(
        '[model]\nkind = "vision"\nid = "base"\n[probes]\ntask = "task.jsonl"\n'
        "[modes.out_of_domain_degradation]\ntolerance = 0.2\nclip = 0.5\n"
    )
    assert main([command[0], str(path), *command[1:]]) == 2
    assert said in capsys.readouterr().err
    assert not (folder / "ran").exists()


def test_plan_check_counts_the_images(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert held_sizes(plan()) == {"task": 12}

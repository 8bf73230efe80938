"""A mode says all that it has to, or is refused when it is loaded, and the part named."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.modes.test_registry import kind
from unsilent import modes
from unsilent.errors import ModeError
from unsilent.modes import FIRST, MODES
from unsilent.modes._declared import declared, mode_of
from unsilent.modes._registry import modes_in
from unsilent.modes.base import FailureMode, Need

PARTS = (
    "code", "name", "title", "what", "layer", "tolerance", "view", "needs", "range", "statistic",
    "source",
)  # fmt: skip
PRIVATE = (Need("reference", "records"), Need("global", "records"))


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_forgotten_is_named(part: str) -> None:
    with pytest.raises(ModeError, match=f"does not say its '{part}'"):
        declared(kind("SF-7", "mine", **{part: None}))


def test_a_mode_that_does_not_measure_is_refused() -> None:
    with pytest.raises(ModeError, match="does not say how to measure"):
        declared(kind("SF-7", "mine", measure=None))


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("code", "seven"),
        ("code", "SF-07"),
        ("code", "SF-7/x"),
        ("name", "Over refusal"),
        ("name", "model_dump"),
        ("title", "two\nlines"),
        ("what", " "),
        ("layer", "cloud"),
        ("tolerance", 0),
        ("view", "everywhere"),
        ("needs", ()),
        ("needs", (("reference", "benign"),)),
        ("needs", (Need("reference", "poems"),)),  # type: ignore[arg-type]
        ("range", (1.0, -1.0)),
        ("range", (-1.0, float("inf"))),
        ("range", (0.0, 2.0)),
        ("item_range", (0.0,)),
        ("leads_to", ("alignment_erosion",)),
    ],
)
def test_a_part_that_is_wrong_is_named(part: str, value: Any) -> None:
    with pytest.raises(ModeError, match=f"its '{part}' is not"):
        declared(kind("SF-7", "mine", **{part: value}))


@pytest.mark.parametrize(
    "changes",
    [{"needs": PRIVATE}, {"view": "client_private"}, {"view": "server", "needs": PRIVATE}],
)
def test_private_records_and_a_private_view_go_together(changes: dict[str, Any]) -> None:
    """A release would else pay for the spread of records as if they were public probes."""
    with pytest.raises(ModeError, match="client_private if, and only if"):
        declared(kind("SF-7", "mine", **changes))


def test_a_share_of_clients_is_not_told_on_private_records() -> None:
    """Each client has few: many would be on the wrong side of its threshold by chance."""
    private = {"needs": PRIVATE, "view": "client_private", "clip": 1.0}
    with pytest.raises(ModeError, match="share of clients is told on private records"):
        declared(kind("SF-7", "mine", range=(0.0, 1.0), **private))
    assert declared(kind("SF-7", "mine", range=(-1.0, 1.0), **private)).range == (-1.0, 1.0)


def test_a_clip_leaves_a_share_whole() -> None:
    with pytest.raises(ModeError, match="'clip' cuts a share short"):
        declared(kind("SF-7", "mine", range=(0.0, 1.0)))
    assert declared(kind("SF-7", "mine", range=(0.0, 1.0), clip=1.0)).clip == 1.0


def test_a_clip_must_let_a_failure_be_seen() -> None:
    with pytest.raises(ModeError, match="'clip' is not above"):
        declared(kind("SF-7", "mine", tolerance=0.3))


@pytest.mark.parametrize("loaded", [object(), 7, int, FailureMode.measure])
def test_what_is_no_mode_is_refused(loaded: object) -> None:
    with pytest.raises(ModeError, match="no modes are defined here"):
        mode_of(loaded, "somewhere")


def test_a_package_is_scanned_for_one_mode_a_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "some_modes"
    folder.mkdir()
    example = Path(__file__).parents[2] / "examples" / "mode" / "over_refusal.py"
    for name in ("__init__.py", "_helper.py", "shared.py"):
        (folder / name).write_text("")
    (folder / "sf7_over_refusal.py").write_text(example.read_text(encoding="utf-8"))
    monkeypatch.syspath_prepend(str(tmp_path))
    package = __import__("some_modes")
    assert [mode.name for mode in modes_in(package)] == ["over_refusal"]
    (folder / "sf8_nothing.py").write_text("TITLE = 'none'\n")
    try:
        with pytest.raises(ModeError, match="sf8_nothing: no modes are defined here"):
            modes_in(package)
    finally:
        for name in [name for name in sys.modules if name.startswith("some_modes")]:
            del sys.modules[name]


def test_every_module_of_ours_is_a_mode_of_the_registry() -> None:
    assert {mode.code for mode in modes_in(modes)} >= set(FIRST)
    assert all(MODES[code].code == code for code in FIRST)

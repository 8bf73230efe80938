"""Traces survive a round trip, and damage is named with its file and a remedy."""

from __future__ import annotations

import builtins
import subprocess
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from unsilent_bench.traces import read, write
from unsilent_bench.traces.federation import CLIENT_COLUMNS, META
from unsilent_bench.traces.format import CARD, CLIENTS, FEDERATIONS, SUMMED, SUMS, TRUTH

from bench.tests.traces_maker import federation
from unsilent.errors import InputError


def test_what_is_read_is_what_was_written_to_five_digits(tmp_path: Path) -> None:
    written = [federation(seed=1, clients=12), federation("SF-3", "none", 2, clients=9, absent=0.3)]
    write(tmp_path, written)
    found = read(tmp_path).federations
    assert len(found) == 2
    for before, after in zip(written, found, strict=True):
        for name in META:
            assert getattr(after, name) == pytest.approx(getattr(before, name))
        assert (after.present == before.present).all()
        for name in CLIENT_COLUMNS:
            np.testing.assert_allclose(after.numbers[name], before.numbers[name], rtol=1.6e-5)
        np.testing.assert_allclose(after.truth, before.truth, rtol=1e-6)
        np.testing.assert_allclose(after.truth_se, before.truth_se, rtol=1e-6)
    assert {f.name for f in fields(found[0])} > set(META)


def test_shares_and_whole_numbers_stay_exact(tmp_path: Path) -> None:
    before = federation("SF-3", clients=12)
    write(tmp_path, [before])
    (after,) = read(tmp_path).federations
    for name in ("SF-3", "examples"):
        assert (after.numbers[name] == before.numbers[name]).all()


def test_the_same_federations_give_the_same_bytes(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write(tmp_path / folder, [federation(clients=12)])
    for name in (*SUMMED, SUMS):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_federation_of_the_fleet_takes_at_most_62_kilobytes(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    many = [federation(seed=seed) for seed in range(6)]
    for each in many:
        for name in CLIENT_COLUMNS:
            # As hard to compress as they can be: fresh normal numbers in every place.
            each.numbers[name][:] = generator.standard_normal(each.numbers[name].shape)
    write(tmp_path, many)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 6 * 62_000


def test_checksums_are_in_the_form_of_sha256sum(tmp_path: Path) -> None:
    write(tmp_path, [federation(clients=12)])
    subprocess.run(["sha256sum", "-c", SUMS], cwd=tmp_path, check=True, capture_output=True)
    assert "group-skew" in (tmp_path / CARD).read_text()


@pytest.mark.parametrize("name", SUMMED)
def test_a_changed_or_missing_file_is_named(tmp_path: Path, name: str) -> None:
    write(tmp_path, [federation(clients=12)])
    data = bytearray((tmp_path / name).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=rf"{name}: is not the file.*checksum differs.*Fetch"):
        read(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(InputError, match=rf"{name}: cannot be read"):
        read(tmp_path)


def test_a_write_that_was_cut_off_is_noticed(tmp_path: Path) -> None:
    write(tmp_path, [federation(clients=12)])
    (tmp_path / SUMS).unlink()
    with pytest.raises(InputError, match=rf"{SUMS}: no checksums"):
        read(tmp_path)


@pytest.mark.parametrize("name", [FEDERATIONS, CLIENTS, TRUTH])
def test_a_table_of_another_version_is_named(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyarrow import parquet

    write(tmp_path, [federation(clients=12)])
    table = parquet.read_table(tmp_path / name)
    parquet.write_table(table.drop_columns(table.column_names[-1]), tmp_path / name)
    monkeypatch.setattr("unsilent_bench.traces.format.verify", lambda folder: None)
    with pytest.raises(InputError, match=rf"{name}: column .* is missing or unknown"):
        read(tmp_path)


@pytest.mark.parametrize("name", [CLIENTS, TRUTH])
def test_a_federation_without_rows_is_named(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "one", [federation(clients=12)])
    write(tmp_path / "two", [federation(clients=12), federation(clients=12, seed=2)])
    (tmp_path / "two" / name).write_bytes((tmp_path / "one" / name).read_bytes())
    monkeypatch.setattr("unsilent_bench.traces.format.verify", lambda folder: None)
    with pytest.raises(InputError, match=rf"{name}: no rows of federation"):
        read(tmp_path / "two")


def test_an_id_is_used_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is there twice"):
        write(tmp_path, [federation(clients=12)] * 2)


def test_without_pyarrow_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def missing(name: str, *args: Any, **more: Any) -> Any:
        if name == "pyarrow":
            raise ImportError(name)
        return real(name, *args, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(InputError, match=r"pip install \./bench"):
        write(tmp_path, [federation(clients=12)])


@pytest.mark.parametrize(
    "change, what",
    [
        ({"dose": "huge"}, "dose 'huge' is none of"),
        ({"clients": 7}, "has shape"),
        ({"numbers": {}}, "is missing or unknown"),
    ],
)
def test_a_federation_that_contradicts_itself_is_refused(change: dict[str, Any], what: str) -> None:
    good = federation(clients=12)
    data = {f.name: getattr(good, f.name) for f in fields(good)} | change
    with pytest.raises(InputError, match=what):
        type(good)(**data)


def test_what_is_true_of_each_client_is_held_where_it_was_recorded(tmp_path: Path) -> None:
    plain, known = federation(seed=1, clients=8), federation(seed=2, clients=8)
    true = np.random.default_rng(1).normal(size=(10, 8)).astype(np.float32)
    known = replace(known, numbers={**known.numbers, "truth.SF-3": true})
    write(tmp_path, [plain, known])
    first, second = read(tmp_path).federations
    assert not any(name.startswith("truth.") for name in first.numbers)
    assert np.allclose(second.numbers["truth.SF-3"], true, rtol=2e-5)
    assert "truth.SF-1" not in second.numbers


def test_a_truth_of_no_mode_is_refused() -> None:
    known = federation(clients=8)
    odd = {**known.numbers, "truth.SF-9": known.numbers["SF-1"]}
    with pytest.raises(InputError, match=r"'truth.SF-9' is missing or unknown"):
        replace(known, numbers=odd)

"""Federations recorded one by one are read together, and are not run again."""

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
from typer.testing import CliRunner
from unsilent_bench.fleet import recording
from unsilent_bench.fleet.recording import Job, Recorder, record
from unsilent_bench.traces import Federation, keep, kept, read, together, write
from unsilent_bench.traces.format import SUMMED, SUMS

from bench.tests.traces_maker import federation
from unsilent.cli import app
from unsilent.errors import InputError
from unsilent.progress import SilentProgress

MADE = [federation(seed=seed, clients=12) for seed in (1, 2, 3)]
NAMES = [each.federation for each in MADE]


def _names(federations: tuple[Federation, ...]) -> list[str]:
    return [each.federation for each in federations]


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    for each in reversed(MADE):
        keep(tmp_path / "parts", each)
    return tmp_path / "parts"


def test_what_was_recorded_one_by_one_is_read_together(parts: Path) -> None:
    assert _names(read(parts).federations) == sorted(NAMES)


def test_one_that_is_still_being_written_is_left_out(parts: Path) -> None:
    (parts / NAMES[1] / SUMS).unlink()
    assert _names(read(parts).federations) == sorted({NAMES[0], NAMES[2]})
    assert kept(parts, NAMES[1], MADE[1].plan) is None


def test_folders_of_both_kinds_make_one(parts: Path, tmp_path: Path) -> None:
    write(tmp_path / "whole", [federation(seed=4, clients=12)])
    found = together([tmp_path / "whole", parts])
    assert len(found.federations) == 4
    assert str(parts) in found.where
    with pytest.raises(InputError, match="is there twice"):
        together([parts, parts])


def test_gathered_parts_are_the_traces_of_one_write(parts: Path, tmp_path: Path) -> None:
    asked = ["bench", "gather", str(parts), "--out", str(tmp_path / "gathered")]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    assert "3 federations" in done.stdout
    write(tmp_path / "whole", sorted(MADE, key=lambda each: each.federation))
    for name in (*SUMMED, SUMS):
        written = (tmp_path / "gathered" / name).read_bytes()
        assert written == (tmp_path / "whole" / name).read_bytes()


class Counted(Recorder):
    """Hands out a made federation for each job, and remembers the jobs."""

    ran: ClassVar[list[str]] = []

    def __init__(self, plan: object, share: float = 1.0) -> None:
        pass

    def record(self, job: Job) -> Federation:
        self.ran.append(job.name)
        made = federation(seed=job.seed, clients=job.clients)
        return replace(made, federation=job.name, plan=recording.fleet_plan().digest)


def test_a_run_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(recording, "Recorder", Counted)
    monkeypatch.setattr(Counted, "ran", [])
    jobs = [Job("group-skew", "strong", 12, seed) for seed in (1, 2)]
    record(jobs[:1], tmp_path, SilentProgress())
    found = record(jobs, tmp_path, SilentProgress())
    assert Counted.ran == [job.name for job in jobs] == _names(found)
    assert _names(read(tmp_path).federations) == Counted.ran
    record(jobs, None, SilentProgress())
    assert len(Counted.ran) == 4


def test_one_of_another_plan_is_refused_and_stays(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(recording, "Recorder", Counted)
    job = Job("group-skew", "strong", 12, 1)
    other = replace(MADE[0], federation=job.name, plan="sha256:" + "1" * 64)
    keep(tmp_path, other)
    with pytest.raises(InputError, match=r"another monitoring plan.*another folder"):
        record([job], tmp_path, SilentProgress())
    assert read(tmp_path).federations[0].plan == other.plan

"""An archive that no pack is gets one line, little memory and little time, and writes nothing."""

import os
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.evidence.hostile import altered, archives, full_overlap, quoted_overlap
from unsilent.cli import app, main
from unsilent.errors import EvidenceError
from unsilent.evidence.container import from_bytes, to_bytes
from unsilent.evidence.verify import verify_bytes

ARCHIVES = dict(archives())


def told(data: bytes) -> str:
    """The one line that a verifier has for it, at a bounded price."""
    tracemalloc.start()
    began = time.process_time()
    found = verify_bytes(data)
    taken = time.process_time() - began
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found.faults) == 1
    assert peak < 3 * len(data) + 2**20
    assert taken < 1
    line = found.faults[0].line()
    assert line.isprintable()
    return line


@pytest.mark.parametrize("what", ARCHIVES)
def test_an_archive_that_is_no_pack_gets_one_line(what: str) -> None:
    assert told(ARCHIVES[what])


def test_what_stands_in_a_members_place_is_named() -> None:
    assert told(ARCHIVES["encrypted"]).startswith("the container: altered at byte")
    assert "plan.json: its entry in the container" in told(ARCHIVES["declared 4 GiB"])
    assert "plan.json: its entry in the container" in told(ARCHIVES["compressed"])
    assert "a name that no pack has" in told(ARCHIVES["name b'../up.json'"])
    assert "altered or cut off" in told(ARCHIVES["no archive"])


def test_a_good_pack_said_in_another_way_is_refused(pack: bytes) -> None:
    for what, data in altered(pack):
        assert data != pack, what
        assert verify_bytes(data).faults, what


def test_a_pack_cut_off_anywhere_is_refused(pack: bytes) -> None:
    step = max(1, len(pack) // 400)
    for length in [*range(0, len(pack), step), *range(len(pack) - 60, len(pack)), *range(40)]:
        (fault,) = verify_bytes(pack[:length]).faults
        assert fault.line().isprintable(), length


@pytest.mark.parametrize("make", [quoted_overlap, full_overlap])
def test_overlaps_cost_no_more_with_more_of_them(make) -> None:
    """Read member by member, the larger of these says that it holds gigabytes."""
    peaks = []
    for members in (10, 600):
        data = make(50_000, members)
        tracemalloc.start()
        assert verify_bytes(data).faults
        peaks.append(tracemalloc.get_traced_memory()[1] - 2 * len(data))
        tracemalloc.stop()
    assert peaks[1] < max(peaks[0], 0) + 2**20


@pytest.mark.parametrize(
    "names",
    [("a.json", "A.json"), ("a", "a/b"), ("a/b", "a"), ("a/b", "A"), ("x/y", "X/Y")],
)
def test_names_that_fall_together_on_some_disk_are_refused(names) -> None:
    with pytest.raises(EvidenceError, match="it is there twice"):
        to_bytes(dict.fromkeys(names, b""))


def test_files_in_one_folder_do_not_fall_together() -> None:
    files = {"a/b": b"1", "a/c": b"2", "ab": b"3"}
    assert from_bytes(to_bytes(files)) == files


def test_what_is_no_file_is_not_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    paths = [tmp_path, tmp_path / "pipe", "/dev/zero", tmp_path / "none", tmp_path / ("n" * 999)]
    signal.alarm(60)
    try:
        assert [main(["verify", str(path)]) for path in paths] == [2] * 5
    finally:
        signal.alarm(0)
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert len(said.strip().splitlines()) == 5


_LIMITED = """
import resource, sys
from pathlib import Path
from unsilent.evidence.verify import verify
import unsilent.report.view, unsilent.server.monitor
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[1]),) * 2)
for path in sys.argv[2:]:
    print(verify(Path(path)).faults[0].line())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_memory_is_bounded_by_the_file_that_is_allowed(tmp_path: Path) -> None:
    hole, overlaps = tmp_path / "hole.zip", tmp_path / "overlaps.zip"
    with hole.open("wb") as file:
        file.truncate(2 * 2**40)
    # They say that they hold 300 GB.
    overlaps.write_bytes(full_overlap(5_000_000, 60_000))
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(700 * 2**20), str(hole), str(overlaps)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()
    assert len(told) == 2
    assert all(line.startswith("the container: ") for line in told)


def test_nothing_is_written(tmp_path: Path, pack: bytes, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "pack.zip"
    for data in (pack, *list(ARCHIVES.values())[::4]):
        path.write_bytes(data)
        code = CliRunner().invoke(app, ["verify", str(path)]).exit_code
        assert code == (0 if data is pack else 1)
        assert list(tmp_path.iterdir()) == [path]

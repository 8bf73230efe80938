"""A run that lies where its reader may write nothing: an archive, or another user's folder."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from unsilent.errors import LedgerError
from unsilent.ledger import Ledger

_NOBODY = 65534
_MAY = stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that others may enter: those of tests are their user's alone."""
    made = Path(tempfile.mkdtemp())
    made.chmod(_MAY)
    yield made
    made.chmod(stat.S_IRWXU)
    shutil.rmtree(made)


def as_reader(place: Path, read: Callable[[], None]) -> None:
    """Do it as somebody who may read the folder and not write to it."""
    for each in place.iterdir():
        each.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
    place.chmod(_MAY & ~stat.S_IWUSR)
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setgid(_NOBODY)
                os.setuid(_NOBODY)
            read()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_run_that_ended_can_be_read_in_an_archive(place: Path) -> None:
    path = place / "100%?#.sqlite"
    Ledger(path).append("note", {"at": 1})
    # Its writer has ended: nothing lies beside it.
    assert [each.name for each in place.iterdir()] == [path.name]

    def read() -> None:
        ledger = Ledger(path, read_only=True)
        assert ledger.verify() == 1
        assert ledger.entries()[0].payload == {"at": 1}
        with pytest.raises(LedgerError):
            ledger.append("note", {"at": 2})

    as_reader(place, read)
    assert [each.name for each in place.iterdir()] == [path.name]


def test_what_its_writer_has_not_moved_over_yet_is_read_too(place: Path) -> None:
    path = place / "ledger.sqlite"
    Ledger(path).append("note", {"at": 1})
    reader = Ledger(path, read_only=True)
    with reader._store.reading() as _:  # pyright: ignore[reportPrivateUsage]
        Ledger(path).append("note", {"at": 2})
        assert path.with_name("ledger.sqlite-wal").stat().st_size > 0

        def read() -> None:
            assert Ledger(path, read_only=True).verify() == 2

        as_reader(place, read)

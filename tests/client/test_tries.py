"""A round of a plan is begun a few times at most before it is released."""

from __future__ import annotations

from pathlib import Path

import pytest

from unsilent.client.tries import MOST_TRIES, begin_try
from unsilent.errors import BudgetError


def test_each_round_of_each_plan_has_its_own_tries(tmp_path: Path) -> None:
    for plan in ("sha256:a", "sha256:b"):
        for number in (1, 2):
            for _ in range(MOST_TRIES):
                begin_try(tmp_path, plan, number)
            with pytest.raises(BudgetError, match="not released"):
                begin_try(tmp_path, plan, number)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b"[" * 10])
def test_a_damaged_file_is_no_new_try(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "tries.json").write_bytes(content)
    with pytest.raises(BudgetError, match="not a list"):
        begin_try(tmp_path, "sha256:a", 1)

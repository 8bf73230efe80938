"""Rooms that serve every engine speak of none: what to do in an engine's words is the engine's."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import unsilent
from unsilent.server.promises import EngineWords, Promises

SOURCE = Path(unsilent.__file__).parent
ENGINES_WORDS = re.compile(
    r"supernode|node.config|clientapp|serverapp|arrayrecord|flwr|monitor_(client|strategy)"
    r"|(configure|aggregate)_train|\bgrid\b",
    re.IGNORECASE,
)


def texts(room: str) -> Iterator[tuple[str, str]]:
    for path in sorted((SOURCE / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield f"{path.name}:{node.lineno}", node.value


@pytest.mark.parametrize("room", ["client", "server", "release", "ledger", "reference"])
def test_no_text_holds_a_word_of_flowers(room: str) -> None:
    found = list(texts(room))
    assert len(found) > 20
    assert [where for where, text in found if ENGINES_WORDS.search(text)] == []


def test_the_reason_of_a_round_that_never_came_is_in_the_engines_words() -> None:
    words = EngineWords(no_round="it lit no lamp", no_aggregate="it rang no bell")
    promises = Promises(words)
    assert promises.why(2).endswith("it lit no lamp")
    promises.reach(1)
    promises.reach(3)
    assert promises.why(2).endswith("it rang no bell")

"""The code blocks of the documents, as a reader would copy them."""

from __future__ import annotations

import re
import shlex
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
_FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(?<!`)`(unsilent [^`\n]+)`(?!`)")
_COMMENT = re.compile(r"(?:^|\s+)#.*$")


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        document: Its file's name.
        line: Where it begins.
        kind: The word behind the fence.
        text: Without the indentation of a list that it stands in.
    """

    document: str
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


def blocks(*kinds: str) -> list[Block]:
    """All blocks of these kinds, in the documents' order."""
    found: list[Block] = []
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        for match in _FENCE.finditer(text):
            if match[2] in kinds:
                line = text.count("\n", 0, match.start()) + 1
                found.append(Block(path.name, line, match[2], textwrap.dedent(match[3])))
    return found


def commands(block: Block) -> list[list[str]]:
    """The lines of a block of a shell that call unsilent, as words."""
    lines = (line.removeprefix("$ ") for line in block.text.replace("\\\n", "").splitlines())
    calls = (_COMMENT.sub("", line).strip() for line in lines)
    return [shlex.split(call)[1:] for call in calls if call.startswith("unsilent ")]


def inline() -> list[tuple[str, list[str]]]:
    """Commands that stand in a sentence or a table: the document's name and the words."""
    found = [
        (path.name, call)
        for path in DOCUMENTS
        for call in _INLINE.findall(path.read_text(encoding="utf-8"))
    ]
    return [(name, shlex.split(call)[1:]) for name, call in found if "…" not in call]

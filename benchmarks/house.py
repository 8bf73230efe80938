"""Sizes of the house: files, lines, rooms, arrows, names used twice, plans taken whole.

    python benchmarks/house.py [SOURCE ...]     # each a folder such as src/unsilent; default: ours

A room is a folder with modules, or a module beside them at the top; an arrow is an import from one
room into another. Lines of code are those that hold anything but a docstring, a comment or a blank.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

_EMPTY = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def sizes(root: Path) -> dict[str, int]:
    """The counts of a package's source."""
    files = sorted(root.rglob("*.py"))
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in files}
    classes = Counter(
        node.name
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    signatures = [
        ast.unparse(node.args)
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    arrows = {
        (room, other)
        for path, tree in trees.items()
        for room in [_room(path, root)]
        for other in _rooms_of(tree, root)
        if other != room
    }
    return {
        "files": len(files),
        "lines": sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files),
        "lines of code": sum(len(_code(path, tree)) for path, tree in trees.items()),
        "rooms": len({_room(path, root) for path in files}),
        "arrows between rooms": len(arrows),
        "public class names used twice": sum(count > 1 for count in classes.values()),
        "functions that take the whole plan": sum("MonitoringPlan" in each for each in signatures),
    }


def _rooms_of(tree: ast.Module, root: Path) -> Iterator[str]:
    """The rooms that a module imports from."""
    for node in ast.walk(tree):
        names = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        if isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        for name in names:
            first, *rest = name.split(".")
            if first != root.name:
                continue
            place = root.joinpath(*rest)
            yield _room(place / "__init__.py" if place.is_dir() else place, root)


def _room(module: Path, root: Path) -> str:
    """The room of a module's file."""
    beside = module.parent == root
    return module.stem if beside else module.parent.relative_to(root).as_posix()


def _code(path: Path, tree: ast.Module) -> set[int]:
    """The numbers of a file's lines that hold code."""
    text: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            text |= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    source = io.StringIO(path.read_text(encoding="utf-8"))
    found: set[int] = set()
    for token in tokenize.generate_tokens(source.readline):
        if token.type not in _EMPTY:
            found |= set(range(token.start[0], token.end[0] + 1))
    return found - text


if __name__ == "__main__":
    ours = Path(__file__).parents[1] / "src" / "unsilent"
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source", nargs="*", type=Path, help="a package's folder")
    sources = parser.parse_args().source or [ours]
    for source in sources:
        if not source.is_dir():
            parser.error(f"{source} is no folder")
    told = {str(each): sizes(each) for each in sources}
    sys.stdout.write(json.dumps(told, indent=2) + "\n")

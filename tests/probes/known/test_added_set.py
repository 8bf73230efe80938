"""A known set of another distribution: the example that CONTRIBUTING shows, installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[3] / "examples" / "probe_set"
ROWS = [
    {
        "question": f"Where is river {n}?",
        "options": ["Asia", "Africa"],
        "key": n % 2,
        "continent": ["Asia", "Africa"][n % 2],
    }
    for n in range(3)
]


def installed(site: Path, name: str = "rivers", of: str = "rivers:RIVERS") -> Path:
    """The example as an installer lays it into a folder."""
    info = site / "unsilent_rivers-0.1.0.dist-info"
    info.mkdir(parents=True)
    shutil.copy(EXAMPLE / "rivers.py", site)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: unsilent-rivers\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text(f"[unsilent.probes]\n{name} = {of}\n")
    (site / "rivers.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    return site


_EACH = """
import contextlib, io, json, sys
from unsilent.cli import main
found = []
for arguments in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        with contextlib.redirect_stderr(io.StringIO()) as err:
            code = main(arguments)
    found.append((code, out.getvalue(), err.getvalue()))
print(json.dumps(found))
"""


def commands(site: Path, *each: tuple[str, ...]) -> list[tuple[int, str, str]]:
    """What each command ends with and prints, of one process in which the set is installed."""
    paths = [str(site), os.environ.get("PYTHONPATH", "")]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    done = subprocess.run(
        [sys.executable, "-c", _EACH, json.dumps(each)],
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return [tuple(one) for one in json.loads(done.stdout)]


def test_the_entry_point_is_the_examples_own() -> None:
    text = (EXAMPLE / "pyproject.toml").read_text()
    assert '[project.entry-points."unsilent.probes"]\nrivers = "rivers:RIVERS"' in text


def test_a_set_is_listed_and_read_as_any_other(tmp_path: Path) -> None:
    site = installed(tmp_path)
    source = f"rivers:{site / 'rivers.jsonl'}"
    (_, listed, _), (_, shown, _) = commands(
        site, ("probes", "list", "--json"), ("probes", "show", source, "--json")
    )
    (known,) = [each for each in json.loads(listed) if each["name"] == "rivers"]
    assert known["licence"] == "CC0-1.0"
    shown = json.loads(shown)
    assert shown["rows"] == len(ROWS)
    assert shown["items"] == len(ROWS)


@pytest.mark.parametrize(
    ("name", "of", "said"),
    [
        ("rivers", "rivers:NOTHING", "unsilent-rivers cannot be loaded (AttributeError)"),
        ("rivers", "rivers:read", "is no KnownSet of that name"),
        ("bbq", "rivers:RIVERS", "names a set that is there already"),
    ],
)
def test_a_set_that_cannot_be_used_is_named_and_disturbs_no_other(
    tmp_path: Path, name: str, of: str, said: str
) -> None:
    site = installed(tmp_path, name, of)
    (helped, _, _), (_, listed, _), (code, _, told) = commands(
        site,
        ("probes", "show", "arc", "--help"),
        ("probes", "list", "--json"),
        ("probes", "show", f"rivers:{site / 'rivers.jsonl'}"),
    )
    assert helped == 0
    assert "bbq" in [each["name"] for each in json.loads(listed)]
    if name == "rivers":
        assert code == 2
        assert said in " ".join(told.split())

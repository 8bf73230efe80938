"""Throw damaged probe files at the readers: JSONL, CSV and YAML in the item schema, and known sets.

    python benchmarks/fuzz_probes.py --inputs 10000 --seed 1

Each input must end in all its items or in one error of ours, within a second: no other exception,
no hang, no part of a file. Prints one JSON object; exits with 1 if an input did otherwise.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from unsilent.errors import UnsilentError
from unsilent.items import ItemSet
from unsilent.probes.check import check_file
from unsilent.probes.formats import read_probe_file

SLOW_S = 1.0
FORMATS = ("jsonl", "csv", "yaml")
_PIECES = (
    b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\r", b"\n", b"\n\n",
    b'"', b"'", b",", b":", b"- ", b"{", b"}", b"[", b"]", b"&a ", b"*a", b"!!python/object:os.x ",
    b"!!binary x", b"<<: ", b"|", b">", b"#", b"%YAML 9.9\n", b"---\n", b"...\n", b"\t", b"?",
    b"\\", b"\\ud800", b"null", b"true", b"NaN", b"Infinity", b"-1", b"1e999", b"9" * 5000, b"0x1F",
    b".5", b"2001-99-99", b"[" * 300, b'{"a":' * 300, b"- " * 300, b"safe", b"choices",
    b"attributes",
)  # fmt: skip


@dataclass
class Tally:
    """What came of the inputs: how many loaded, which errors, and which broke the promise."""

    inputs: int = 0
    loaded: int = 0
    errors: Counter[str] = field(default_factory=Counter[str])
    broken: list[str] = field(default_factory=list[str])
    slowest_s: float = 0.0


def sound(random: Random, kind: str) -> tuple[bytes, int]:
    """A sound file of 1 to 6 items in a format, and how many they are."""
    records = []
    for number in range(random.randint(1, 6)):
        record: dict[str, object] = {
            "id": f"q{number}",
            "prompt": random.choice(["Tea, or", 'a "b"', "日本", "", "x: y - z", "line\u2028end"]),
            "choices": [f" {place}{random.choice('abc')}" for place in range(random.randint(2, 4))],
        }
        for key, value in (("answer", 1), ("stereotyped", 0), ("domain", "d"), ("chat", True)):
            if random.random() < 0.4:
                record[key] = value
        if random.random() < 0.3:
            record["safe"] = [0]
        if random.random() < 0.3:
            record["attributes"] = {"k": "v"}
        records.append(record)
    if kind == "jsonl":
        text = "\n".join(json.dumps(r, ensure_ascii=random.random() < 0.5) for r in records)
    elif kind == "yaml":
        # JSON is YAML, one item a line.
        text = "\n".join(f"- {json.dumps(record)}" for record in records)
    else:
        text = _csv(records)
    return text.encode(), len(records)


def _csv(records: list[dict[str, object]]) -> str:
    choices = [f"choice_{place}" for place in range(4)]
    names = ["id", "prompt", *choices, "answer", "stereotyped", "domain", "chat", "safe"]
    lines = [",".join([*names, "attributes.k"])]
    for record in records:
        own = record["choices"]
        cells = dict(zip(choices, own if isinstance(own, list) else [], strict=False))
        cells |= {key: record[key] for key in names if key in record}
        cells["safe"] = "0" if "safe" in record else ""
        row = [str(cells.get(key, "")) for key in names] + ["v" if "attributes" in record else ""]
        lines.append(",".join('"' + cell.replace('"', '""') + '"' for cell in row))
    return "\n".join(lines)


def damaged(random: Random, data: bytes) -> bytes:
    """The file after 1 to 4 faults: cut, doubled, swapped, or with something put in."""
    for _ in range(random.randint(1, 4)):
        at = random.randint(0, len(data))
        to = min(len(data), at + random.randint(0, 40))
        fault = random.randrange(6)
        if fault == 0:
            data = data[:at]
        elif fault == 1:
            data = data[:at] + data[to:]
        elif fault == 2:
            data = data[:to] + data[at:to] * random.randint(1, 4) + data[to:]
        elif fault == 3:
            data = data[:at] + random.choice(_PIECES) + data[at:]
        elif fault == 4:
            data = data[:at] + random.choice(_PIECES) + data[to:]
        else:
            data = data[:at] + random.randbytes(random.randint(1, 4)) + data[to:]
    return data


def fuzz(inputs: int, seed: int, folder: Path) -> Tally:
    """Read that many inputs, a tenth of them sound, each by both readers of a user's file."""
    random = Random(seed)
    tally = Tally()
    for number in range(inputs):
        kind = FORMATS[number % len(FORMATS)]
        data, items = sound(random, kind)
        whole = random.random() < 0.1
        path = folder / f"fuzz.{kind}"
        path.write_bytes(data if whole else damaged(random, data))
        label = f"seed {seed} input {number} ({kind})"
        _read(path, label, items if whole else None, tally)
    return tally


def _read(path: Path, label: str, expected: int | None, tally: Tally) -> None:
    tally.inputs += 1
    started = time.process_time()
    found: ItemSet | None = None
    try:
        found = read_probe_file(path)
        tally.loaded += 1
    except UnsilentError as error:
        tally.errors[error.what.split(" ")[0]] += 1
        if "\n" in error.line() or not error.where:
            tally.broken.append(f"{label}: an error without a place, or of two lines")
    except Exception as error:  # any other than our own is what the fuzzer looks for
        tally.broken.append(f"{label}: {type(error).__name__}")
    checked: ItemSet | None = None
    try:
        checked = check_file(path).items
    except UnsilentError:
        pass
    except Exception as error:  # here too
        tally.broken.append(f"{label}: check: {type(error).__name__}")
    took = time.process_time() - started
    tally.slowest_s = max(tally.slowest_s, took)
    if took > SLOW_S:
        tally.broken.append(f"{label}: {took:.1f} s")
    if (found and found.digest) != (checked and checked.digest):
        tally.broken.append(f"{label}: read and check disagree")
    if expected is not None and (found is None or len(found) != expected):
        tally.broken.append(f"{label}: a sound file of {expected} items did not load whole")


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        tally = fuzz(given.inputs, given.seed, Path(folder))
    found = {
        "inputs": tally.inputs, "loaded": tally.loaded, "refused": sum(tally.errors.values()),
        "slowest_s": round(tally.slowest_s, 3), "broken": tally.broken[:20],
    }  # fmt: skip
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    return 1 if tally.broken else 0


if __name__ == "__main__":
    sys.exit(main())

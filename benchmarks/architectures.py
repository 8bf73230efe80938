"""Does every architecture get the numbers of its own forward pass, or a clear no?

Small random models of each family that transformers has are saved, loaded as a plan's model and as
an app's peft model, and asked a few items. ``difference`` is the largest relative one between their
log-likelihoods and those of one forward pass a choice by the model itself: of the base, of the base
with an adapter that is merged into it, and of the base under peft's layers. ``same`` is within
1e-4, ``refused`` an error of one line before any number, ``wrong`` another number, ``traceback``
anything else. Where the plan's model is the same and only ``PeftScore`` refuses the app's, as when
the app's targets reach layers that text does not go through, ``app`` says so. ``path`` says whether
prefixes and frozen layers are shared or each choice is run alone, and ``said`` why.

    python benchmarks/architectures.py --json
    python benchmarks/architectures.py --only llama gemma2 bert --table causal
"""

from __future__ import annotations

import logging
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from common import Rows, arguments, show
from tiny_adapters import adapter_kinds, adapter_row
from tiny_causal import causal_kinds, causal_row
from tiny_encoders import encoder_kinds, encoder_row
from tiny_models import UnbuiltError
from transformers.utils import logging as transformers_logging

from unsilent.errors import UnsilentError

Check = Callable[[str, Path], dict[str, Any]]

TABLES: dict[str, tuple[Callable[[], list[str]], Check]] = {
    "causal": (causal_kinds, causal_row),
    "encoder": (encoder_kinds, encoder_row),
    "adapter": (adapter_kinds, adapter_row),
}
"""What is tried: the names of its rows, and what fills one, given an empty folder."""

WITHIN = 1e-4


def row_of(table: str, name: str) -> dict[str, Any]:
    """One row: what is said of an architecture, and how far its numbers lie apart."""
    row: dict[str, Any] = {"name": name, "table": table}
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, remarks() as heard:
        try:
            found = TABLES[table][1](name, Path(folder))
            apart = found.pop("difference")
            row |= {"status": "same" if apart <= WITHIN else "wrong", "difference": apart, **found}
        except UnbuiltError as error:
            row |= {"status": "not built", "difference": None, "said": str(error)}
        except UnsilentError as error:
            line = error.line().replace(folder, "…")
            row |= {"status": "refused", "difference": None, "said": line}
        except Exception as error:
            # Whatever else is raised is what this table is to find.
            text = f"{type(error).__name__}: {error}".replace(folder, "…")
            row |= {"status": "traceback", "difference": None, "said": text}
    row.setdefault("said", " ".join(heard))
    row["seconds"] = round(time.perf_counter() - begun, 2)
    return row


@contextmanager
def remarks() -> Iterator[list[str]]:
    """What the project says of how it scores, in the order in which it says it."""
    heard: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage() not in heard:
                heard.append(record.getMessage())

    log, listener = logging.getLogger("unsilent"), Listener()
    before = log.propagate
    log.addHandler(listener)
    log.propagate = False
    try:
        yield heard
    finally:
        log.removeHandler(listener)
        log.propagate = before


def main() -> int:
    """Try all of them; exit with 1 if a number is wrong or an error is none of ours."""
    parser = arguments(__doc__)
    parser.add_argument("--only", nargs="+", default=[], help="names of rows")
    parser.add_argument("--table", choices=TABLES, help="one of the tables")
    given = parser.parse_args()
    tables = [given.table] if given.table else list(TABLES)
    known = {table: list(TABLES[table][0]()) for table in tables}
    gone = set(given.only).difference(*known.values())
    if gone:
        parser.error(f"no rows of the names {', '.join(sorted(gone))}")
    # What transformers and peft remark about small random models is of no account.
    warnings.simplefilter("ignore")
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    torch.set_num_threads(1)
    rows: Rows = []
    for table, names in known.items():
        rows += [row_of(table, name) for name in names if not given.only or name in given.only]
    unbuilt = {row["name"]: row["said"] for row in rows if row["status"] == "not built"}
    rows = [row for row in rows if row["status"] != "not built"]
    counts: dict[str, int] = dict.fromkeys(("same", "refused", "wrong", "traceback"), 0)
    for row in rows:
        counts[row["status"]] += 1
    show("architectures", rows, as_json=given.json, counts=counts, not_built=unbuilt)
    return 1 if counts["wrong"] + counts["traceback"] else 0


if __name__ == "__main__":
    sys.exit(main())

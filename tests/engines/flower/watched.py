"""Send a client messages under plans that nobody agreed to, and watch what its process touches.

    python -m tests.engines.flower.watched FOLDER pairs|all

With ``pairs`` each field meets each payload and each message, and each message each payload, but
not all three in every combination; what is pinned, which alone may pass, meets all.

In a process of its own: a hook that watches a process cannot be taken away again. Writes what was
seen as JSON.
"""

from __future__ import annotations

import copy
import hashlib
import json
import linecache
import os
import sys
import typing
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, Context, RecordDict
from flwr.clientapp import ClientApp
from flwr.common.serde import recorddict_to_proto
from flwr.supercore.task_identity import TaskIdentity
from pydantic import BaseModel

from tests.engines.flower import wire as messages
from tests.engines.flower.in_process import collect_no_garbage
from tests.engines.flower.wire import MASKS, NAME, OBSERVE, PROMOTE, START
from unsilent import models
from unsilent.client.sentences import Sentence
from unsilent.engines.flower.arrays import save_arrays
from unsilent.engines.flower.client import app as reference
from unsilent.errors import InputError, UnsilentError
from unsilent.flower import monitor_client
from unsilent.items import Item, ItemSet
from unsilent.models import base
from unsilent.models.base import Adapter
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.plan.probes import BanksPlan
from unsilent.probes import joined
from unsilent.reference import client as worker

WATCHED = ("open", "os.listdir", "os.scandir", "glob.", "pathlib.", "import", "shutil.", "sqlite3.")
BEYOND = ("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "ctypes.dlopen")
BASE: dict[str, Any] = {
    "name": "agreed",
    "federation": {"clients": 4, "rounds": 2},
    "monitor": {"min_cohort": 2},
    "privacy": {"secure_sum": {"consistency": "on"}},
    "modes": {"confidence_miscalibration": {"tolerance": 0.1, "clip": 0.4}},
    "probes": {"items": 8, "banks": dict.fromkeys(BanksPlan.model_fields, 8)},
}
PLAIN = {"aggregation": "plain"}
DIGEST = "0" * 64
STATES = ("absent", "present", "malformed")


class Watch:
    """What the process opened, listed, imported or ran while it was watched, outside a folder."""

    def __init__(self, own: Path) -> None:
        self.own = str(own)
        self.on = False
        self.seen: list[str] = []
        self._modules: set[str] = set()
        sys.addaudithook(self._hook)

    def __enter__(self) -> None:
        self.seen.clear()
        if len(sys.modules) != len(self._modules):
            self._modules = set(sys.modules)
        self.on = True

    def __exit__(self, *error: object) -> None:
        self.on = False
        if len(sys.modules) != len(self._modules):
            self.seen += [f"imported {name}" for name in set(sys.modules) - self._modules]

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.on or not event.startswith(WATCHED + BEYOND):
            return
        what = args[0] if args else ""
        if isinstance(what, int):
            return
        if isinstance(what, bytes):
            what = os.fsdecode(what)
        if event != "import" and str(what).startswith(self.own):
            return
        self.seen.append(f"{event} {what}")


def fields(
    model: type[BaseModel], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Every field of a plan that may hold text, and whether as a list of it, by its schema."""
    for name, field in model.model_fields.items():
        here = (*path, field.alias or name)
        kinds = list(_kinds(field.annotation))
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from fields(kind, here)
        if str in kinds or any(isinstance(kind, str) for kind in kinds):
            yield here, tuple in kinds


def _kinds(annotation: Any) -> Iterator[Any]:
    """The types in an annotation, and the texts of its literals."""
    inner = typing.get_args(annotation)
    if not inner:
        yield annotation
    if typing.get_origin(annotation) is tuple:
        yield tuple
    for each in inner:
        yield from _kinds(each)


def changed(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """The agreed plan with one field changed."""
    data = copy.deepcopy(BASE)
    at = data
    for name in path[:-1]:
        at = at.setdefault(name, {"tolerance": 0.1} if path[0] == "modes" else {})
    at[path[-1]] = value
    return data


def payloads(private: Path, own: Path) -> list[str]:
    """What a server that lies may write where a plan holds text."""
    table = private / "table.jsonl"
    near = os.path.relpath(private)
    return [
        str(table),
        f"{table}#sha256={DIGEST}",
        f"{near}/table.csv",
        f"~/{near}/table.yaml",
        str(private),
        str(own / "personalized.safetensors"),
        f"known:bbq:{private}",
        f"known:bbq:{private}?items=8#sha256={DIGEST}",
        "known:medqa:hub:some/set",
        f"lm-eval:{private / 'table.yaml'}",
        "lm-eval:hellaswag",
        "hook:private_module:score",
        "hook:json.tool:main",
        "some/model",
        "private_module",
    ]


def lay(private: Path, state: str) -> None:
    """Make the private files, rightly or wrongly, or none of them."""
    for path in sorted(private.glob("*")):
        path.unlink()
    if state == "absent":
        return
    item = {"id": "case-1", "prompt": "p", "choices": [" a", " b"], "answer": 1, "domain": "ward"}
    text = json.dumps(item) if state == "present" else '{"diagnosis": "x", \x00'
    for name in ("table.jsonl", "table.csv", "table.yaml", "config.json", "tokenizer.json"):
        (private / name).write_text(text)
    (private / "private_module.py").write_text("def score(items): return []\n")


def score(items: ItemSet, arrays: ArrayRecord | None, context: Context) -> list[list[float]]:
    """Of the app that is monitored by two lines."""
    return [[0.5, 0.5] for _ in items]


TWO_LINES = monitor_client(ClientApp(), score)
HANDLERS: list[tuple[str, ClientApp, str]] = [
    *(("reference", reference, kind) for kind in ("train", START, NAME, OBSERVE, PROMOTE)),
    *(("reference", reference, kind) for kind in sorted(MASKS)),
    # The exchanges of the sum are one function in both apps.
    *(("two lines", TWO_LINES, kind) for kind in (NAME, OBSERVE, min(MASKS))),
]


def ask(app: ClientApp, kind: str, plan: str, node: dict[str, Any]) -> tuple[str, str]:
    """The sentence with which a message is refused, if it is, and the whole reply's digest."""
    order = {"plan": plan, "run": "r", "base": f"sha256:{DIGEST}", "body": b"x"}
    arrays = ArrayRecord({"a": Array(np.zeros(2, np.float32))})
    context = Context(1, 1, dict(node), RecordDict(), {})
    reply = app(messages.request(1, kind, order, 1, arrays, arrays), context)
    whole = recorddict_to_proto(reply.content).SerializeToString(deterministic=True)
    values = reply.content.config_records[messages.ANSWER]
    return str(values.get(messages.FAILED, "")), hashlib.sha256(whole).hexdigest()


def plans(private: Path, own: Path, *, pairs: bool) -> Iterator[tuple[str, str, str, list[int]]]:
    """Field, payload and text of each changed plan, and the handlers that get it."""
    handlers = range(len(HANDLERS))
    for place, (path, several) in enumerate(fields(MonitoringPlan)):
        for number, payload in enumerate(payloads(private, own)):
            text = json.dumps(changed(path, [payload] if several else payload))
            # What is no plan at all is refused for that, and what is compared only is compared,
            # whatever it is.
            few = is_label(".".join(path)) or read(text) is None
            every = 2 if few else 4
            if not few or number < 2:
                chosen = [n for n in handlers if (place + number + n) % every == 0]
                whole = not pairs or (not few and "#sha256=" in payload)
                yield ".".join(path), payload, text, list(handlers) if whole else chosen


def read(text: str) -> MonitoringPlan | None:
    """The plan, if it is one; whatever reading plans needs is loaded afterwards."""
    try:
        return parse_plan(json.loads(text))
    except UnsilentError:
        return None


def main(folder: Path, *, pairs: bool) -> None:
    """Messages under all plans, for each state of the disk."""
    for name in ("_run_id", "_node_id", "_task_id"):
        setattr(TaskIdentity, name, 1)
    private, own = folder / "private", folder / "store"
    private.mkdir()
    own.mkdir()
    sys.path.append(str(private))
    os.chdir(folder)

    stand_in()
    collect_no_garbage()
    agreed = {"store": str(own), "partition-id": 0, "plan": parse_plan(BASE).digest}
    nodes = {
        "another plan": agreed,
        "no plan": {"store": str(own), "partition-id": 0},
    }
    every = list(plans(private, own, pairs=pairs))
    warm(nodes)
    watch = Watch(own)
    faults: list[str] = []
    replies: dict[str, dict[str, set[str]]] = {about: {} for about in nodes}
    passed: set[tuple[str, str, str]] = set()
    counted: dict[str, int] = dict.fromkeys(nodes, 0)
    for state in STATES:
        lay(private, state)
        for field, payload, text, chosen in every:
            for about, node in nodes.items():
                for name, app, kind in (HANDLERS[n] for n in chosen):
                    case = f"{about}, {name}, {kind}, {field} = {payload}"
                    # Each case as the first: a round is measured a few times at most.
                    (own / "tries.json").unlink(missing_ok=True)
                    with watch:
                        said, digest = ask(app, kind, text, node)
                    counted[about] += 1
                    faults += [f"{state}, {case}: {seen}" for seen in watch.seen]
                    replies[about].setdefault(case, set()).add(f"{said} {digest}")
                    if said != Sentence.NOT_AGREED.text and not looked_up_nowhere(field, text):
                        passed.add((kind, field, payload))
    told = {
        "faults": faults,
        "replies": sorted(set().union(*replies["another plan"].values())),
        "depend": [case for of in replies.values() for case, said in of.items() if len(said) > 1],
        "passed": sorted(passed),
        "counted": counted,
        "fields": sorted({field for field, *_ in every}),
        "controls": controls(watch, private, own),
    }
    sys.stdout.write(json.dumps(told))


def warm(nodes: dict[str, dict[str, Any]]) -> None:
    """Load what handlers load by themselves, for plans that name nothing; and all sources.

    A traceback that is written down shows lines of code.
    """
    for _, app, kind in HANDLERS:
        for node in nodes.values():
            for plan in (json.dumps({**BASE, "name": "warm"}), json.dumps(BASE), "{"):
                ask(app, kind, plan, node)
    for module in list(sys.modules.values()):
        if str(getattr(module, "__file__", None)).endswith(".py"):
            linecache.getlines(str(module.__file__))


def looked_up_nowhere(field: str, text: str) -> bool:
    """Whether a field of this plan holds what is compared and never looked up: labels."""
    return is_label(field) and read(text) is not None


def is_label(field: str) -> bool:
    """Whether what a field of a plan holds is compared, or shown to people or models, no more."""
    return (
        field in ("name", "adapter.targets", "governance.complaints")
        or field in ("open_text.persona", "open_text.persona_words")
        or field.startswith("governance.roles.")
        or field.endswith(".subgroups")
    )


def stand_in() -> None:
    """What every client has is not the question, and loading it takes long."""
    load = models.load_model

    def load_model(plan: MonitoringPlan, probes: Any) -> Any:
        return Embedded() if plan.model.id == "embedded" else load(plan, probes)

    def embedded_items(style: Any, role: str, count: Any, **given: Any) -> ItemSet:
        item = Item(
            "0", "p", (" a", " b"), answer=0, stereotyped=0, pair="0", safe=(0,), domain="a"
        )
        # As many units as the plan counts on, each of two items.
        return ItemSet(
            role,
            tuple(
                replace(item, id=f"{n}", prompt=f"p{n}", pair=f"{n // 2}", domain="ab"[n // 2 % 2])
                for n in range(16)
            ),
        )

    def client_records(*given: Any) -> Any:
        raise InputError("records would be read now")

    opened = base.safe_open

    def safe_open(path: Path, **given: Any) -> Any:
        # What is not written in Python tells the hook nothing by itself.
        sys.audit("open", str(path), "rb", 0)
        return opened(path, **given)

    base.safe_open = safe_open
    worker.load_model = load_model
    worker.model_openings = lambda plan: ()
    worker.client_records = client_records
    joined.embedded_items = embedded_items


class Embedded:
    """In place of the embedded model."""

    digest = f"sha256:{DIGEST}"

    def new_adapter(self, seed: int) -> Adapter:
        return Adapter(self.digest, {"a": np.zeros(2, np.float32)})


def controls(watch: Watch, private: Path, own: Path) -> dict[str, list[str]]:
    """What is seen where a plan was agreed to that names a file, or a function."""
    lay(private, "present")
    for name in ("start", "local"):
        save_arrays(own / f"{name}.arrays", ArrayRecord([np.zeros(2, np.float32)]))
    # Without masks: a client whose masks are not ready does not even measure.
    plain = {**changed(("probes", "task"), str(private / "table.jsonl")), "privacy": PLAIN}
    text = json.dumps(plain)
    node = {"store": str(own), "partition-id": 0, "plan": parse_plan(json.loads(text)).digest}
    found: dict[str, list[str]] = {}
    with watch:
        ask(TWO_LINES, OBSERVE, text, node)
    found["file"] = list(watch.seen)
    text = json.dumps(changed(("adapter", "start"), str(private / "table.jsonl")))
    with watch:
        ask(reference, START, text, {**node, "plan": parse_plan(json.loads(text)).digest})
    found["start"] = list(watch.seen)
    with watch:
        models.load_model(parse_plan(changed(("model", "id"), "hook:private_module:score")))
    found["hook"] = list(watch.seen)
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), pairs=sys.argv[2] == "pairs")

"""Requests that a model declines or grants, and CLINC150's intents."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping

from unsilent.assets import HARMBENCH, STRONGREJECT
from unsilent.errors import ItemError
from unsilent.items import Item
from unsilent.modes.base import ItemRole
from unsilent.probes.known.base import (
    Asked,
    KnownSet,
    Reader,
    Skipped,
    question_item,
    request_item,
)
from unsilent.probes.known.read import rows, whole_of
from unsilent.probes.known.row import FileRow, Part
from unsilent.probes.known.unpack import Files

OUT_OF_SCOPE = "oos"
_BY_LABEL: Mapping[ItemRole, tuple[str, str]] = {
    "harmful": ("label", "unsafe"),
    "benign": ("label", "safe"),
}


def by_requests(
    name: str, read: Callable[[FileRow], tuple[str, str, Mapping[str, str]] | Skipped]
) -> Reader:
    """A reader that makes one request of each row: its text, category and attributes."""

    def read_all(files: Files, asked: Asked) -> Iterator[Item | Skipped]:
        for part in files.parts:
            for row in rows(part):
                found = read(row)
                if isinstance(found, Skipped):
                    yield found
                    continue
                text, category, attributes = found
                identity = f"{name}-{part.stem}-{row.number:04d}"
                yield request_item(identity, text, category, asked, attributes=attributes)

    return read_all


def _xstest(row: FileRow) -> tuple[str, str, Mapping[str, str]]:
    """XSTest; older files have no ``label``, but name unsafe contrasts in ``type``."""
    kind = row.text("type")
    label = row.text("label", empty=True) or ("unsafe" if "contrast" in kind else "safe")
    if label not in ("safe", "unsafe"):
        raise row.fault("label is not safe or unsafe")
    return row.text("prompt"), kind, {"label": label, "type": kind}


def _harmbench(row: FileRow) -> tuple[str, str, Mapping[str, str]] | Skipped:
    """HarmBench's text behaviours, those with a context after it; not the copyright ones."""
    kind, category = row.text("FunctionalCategory"), row.text("SemanticCategory")
    if kind == "copyright":
        return Skipped(row.where, "it asks for a protected text, and not for harm")
    context, text = row.text("ContextString", empty=True), row.text("Behavior")
    request = f"{context}\n\n---\n\n{text}" if context else text
    return request, category, {"category": category, "type": kind}


def _strongreject(row: FileRow) -> tuple[str, str, Mapping[str, str]]:
    category = row.text("category")
    return row.text("forbidden_prompt"), category, {"category": category}


def _advbench(row: FileRow) -> tuple[str, str, Mapping[str, str]]:
    return row.text("goal"), "", {}


def clinc150(files: Files, _asked: Asked) -> Iterator[Item | Skipped]:
    """CLINC150: which intent a request has, or that it is out of scope.

    With the authors' ``domains.json`` beside, a request's choices are the intents of its domain
    and "out of scope"; an out-of-scope request is asked with a domain that a hash of it decides.
    Without it the choices are all intents.
    """
    names = files.beside.get("domains.json")
    domains = {} if names is None else {
        domain: _texts(FileRow(names, 0, whole_of(names), names.name), domain)
        for domain in whole_of(names)
    }  # fmt: skip
    home = {intent: domain for domain, intents in domains.items() for intent in intents}
    for part in files.parts:
        table = _clinc_rows(part)
        intents = sorted({intent for _, _, intent, _ in table if intent != OUT_OF_SCOPE})
        for split, text, intent, row in table:
            if domains and intent not in home and intent != OUT_OF_SCOPE:
                raise row.fault("an intent that domains.json does not name")
            if domains:
                domain = home.get(intent) or _drawn(text, sorted(domains))
                options = [*sorted(domains[domain]), OUT_OF_SCOPE]
            else:
                options = [*intents, OUT_OF_SCOPE]
            place = home.get(intent, OUT_OF_SCOPE if intent == OUT_OF_SCOPE else "in scope")
            yield question_item(
                f"clinc150-{part.stem}-{split}-{row.number:05d}",
                row,
                text,
                [_intent_name(option) for option in options],
                options.index(intent),
                domain=place,
                prompt="Request: {question}\nIntent:",
                attributes={"split": split, "intent": intent, "domain": place},
            )


def _clinc_rows(part: Part) -> list[tuple[str, str, str, FileRow]]:
    """(split, request, intent, row) of a file, in its order."""
    if part.suffix != ".json":
        split = part.stem.split("-")[0]
        return [(split, row.text("text"), row.text("intent"), row) for row in rows(part)]
    found: list[tuple[str, str, str, FileRow]] = []
    for split, entries in whole_of(part).items():
        if not isinstance(entries, list):
            raise ItemError(f"{split!r} is not a list", where=part.name)
        for number, entry in enumerate(entries):
            row = FileRow(part, number, {"entry": entry}, f"{part.name}: {split} {number}")
            pair = row.texts("entry")
            if len(pair) != 2 or not all(pair):
                raise row.fault("not a text and its intent")
            found.append((split, pair[0], pair[1], row))
    return found


def _texts(row: FileRow, key: str) -> list[str]:
    texts = row.texts(key)
    if not texts:
        raise row.fault(f"domain {key!r} has no intents")
    return texts


def _intent_name(intent: str) -> str:
    return "out of scope" if intent == OUT_OF_SCOPE else intent.replace("_", " ")


def _drawn(text: str, names: list[str]) -> str:
    digest = hashlib.sha256(f"unsilent/clinc150/1:{text}".encode(errors="replace")).digest()
    return names[int.from_bytes(digest[:8], "big") % len(names)]


SETS: tuple[KnownSet, ...] = (
    KnownSet(
        name="clinc150",
        title="CLINC150, with its out-of-scope requests",
        roles=("task", "general"),
        licence="CC-BY-3.0",
        licence_seen="its card on the hub",
        citation="Larson et al., EMNLP 2019, arXiv:1909.02027",
        home="github.com/clinc/oos-eval, data/data_full.json and domains.json",
        files=("data_full.json", "data_*.json", "*.json", "*.parquet"),
        beside=("domains.json",),
        read=clinc150,
        rows={
            "train": 15000,
            "val": 3000,
            "test": 4500,
            "oos_train": 100,
            "oos_val": 100,
            "oos_test": 1000,
        },
        rows_source="the authors' README and data_full.json at 828f809, 23,700 in all",
        sha256={
            "data_full.json": "36923c3705a59e08fe9c3883d8bc2dd966ef93e22cb78ac41171782a698d56e0",
            "domains.json": "b947b579d3b8e74b06f93b01083d8efaff2888b43a3e362533bd88a6e1211b3a",
        },
        select=("split", "domain", "intent"),
        hub="clinc/clinc_oos",
        hub_files=("plus/test-*.parquet",),
    ),
    KnownSet(
        name="xstest",
        title="XSTest: exaggerated safety",
        roles=("benign", "harmful"),
        licence="CC-BY-4.0",
        licence_seen="the authors' card, Paul/XSTest on the hub",
        citation="Röttger et al., NAACL 2024, arXiv:2308.01263",
        home="github.com/paul-rottger/xstest, xstest_prompts.csv",
        files=("xstest*prompts*.csv", "*.csv", "*.parquet"),
        read=by_requests("xstest", _xstest),
        rows={"safe": 250, "unsafe": 200},
        rows_source="Röttger et al. 2024, abstract",
        select=("type",),
        by_role=_BY_LABEL,
        hub="walledai/XSTest",
    ),
    KnownSet(
        name="harmbench",
        title="HarmBench, text behaviours",
        roles=("harmful",),
        licence="MIT",
        licence_seen="the package's licence file and the hub's card",
        citation="Mazeika et al., ICML 2024, arXiv:2402.04249",
        home="github.com/centerforaisafety/HarmBench, data/behavior_datasets/"
        "harmbench_behaviors_text_{val,test}.csv",
        files=("harmbench_behaviors_text_*.csv", "*.csv", "*.parquet"),
        read=by_requests("harmbench", _harmbench),
        rows={"val": 80, "test": 320},
        rows_source="Mazeika et al. 2024, section 4 (100 of the 400 are about copyright: skipped)",
        select=("category", "type"),
        hub="walledai/HarmBench",
        package=HARMBENCH,
    ),
    KnownSet(
        name="strongreject",
        title="StrongREJECT",
        roles=("harmful",),
        licence="MIT",
        licence_seen="the package's licence file and the hub's card",
        citation="Souly et al., NeurIPS 2024, arXiv:2402.10260",
        home="github.com/alexandrasouly/strongreject, strongreject_dataset.csv",
        files=("strongreject_dataset.csv", "*.csv", "*.parquet"),
        read=by_requests("strongreject", _strongreject),
        rows={"all": 313},
        rows_source="Souly et al. 2024, section 3",
        select=("category",),
        hub="walledai/StrongREJECT",
        package=STRONGREJECT,
    ),
    KnownSet(
        name="advbench",
        title="AdvBench, harmful behaviours",
        roles=("harmful",),
        licence="MIT",
        licence_seen="the card of walledai/AdvBench on the hub, not the authors'",
        citation="Zou et al., 2023, arXiv:2307.15043",
        home="github.com/llm-attacks/llm-attacks, data/advbench/harmful_behaviors.csv",
        files=("harmful_behaviors.csv", "*.csv", "*.parquet"),
        read=by_requests("advbench", _advbench),
        rows={"all": 520},
        rows_source="the authors' harmful_behaviors.csv",
        hub="walledai/AdvBench",
    ),
)

"""The benchmark's page as one HTML file that needs nothing else, not even a script."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template

from unsilent import __version__
from unsilent.plan.personalization import USUAL
from unsilent.taxonomy import SILENT_FAILURES, by_code
from unsilent_bench.page import charts
from unsilent_bench.page.charts import Data
from unsilent_bench.page.missed import OWN_METHOD, Apart, apart, outcome
from unsilent_bench.page.shares import share, span
from unsilent_bench.replay.power import ENOUGH
from unsilent_bench.replay.rows import ALL
from unsilent_bench.replay.score import ALLOWED

TODAY, ORACLE = "system-mean", "oracle"
WRONG = 0.01
"""Most runs with a wrong verdict that the benchmark asks for."""


def page(found: Data) -> str:
    """The page of a replay.

    Args:
        found: As ``Replay.to_json`` gives it. Everything that is not markup of ours is escaped.

    Raises:
        InputError: The packages that draw charts are missing.
    """
    rows: list[Data] = [r for r in found["rows"] if r.get("unit", "client") == "client"]
    usual = [row for row in rows if row["personalization"] == USUAL]
    methods = list(dict.fromkeys((row["method"], row["epsilon"]) for row in usual))
    divided = apart(rows)
    return _template().render(
        usual=USUAL,
        found=found,
        methods=methods,
        headline=[_headline(group, methods) for group in _grouped(_strong(usual))],
        pooled=[row for row in rows if row["mode"] == ALL and row["method"] == OWN_METHOD],
        summary=_summary(rows, divided),
        apart=[each for each in divided if each.missed or each.nothing],
        doses=[_dose(group) for group in _grouped(usual)],
        powers=[_power(group) for group in _grouped(found["power"])],
        onsets=[_onset(group) for group in _grouped(found["onsets"]) if len(group[0]["truth"]) > 1],
        claims=[_claim(group) for group in _grouped(found["claim"])],
        others=[
            row
            for row in _strong(rows)
            if row["method"] == OWN_METHOD and row["personalization"] not in (USUAL, ALL)
        ],
        rows=[row for row in rows if row["mode"] != ALL],
        missing=[f for f in SILENT_FAILURES if f.code not in {r["mode"] for r in rows}],
        series=charts.SERIES,
        words=by_code,
        enough=ENOUGH,
        share=share,
        span=span,
        budget=charts.budget,
        version=__version__,
    )


def _strong(rows: Iterable[Data]) -> list[Data]:
    return [row for row in rows if row["dose"] == "strong" and row["mode"] != ALL]


def _grouped(rows: Iterable[Data]) -> list[list[Data]]:
    """By tier, mode, scenario and clients, pooled rows left out."""
    groups: dict[tuple[Any, ...], list[Data]] = {}
    for row in rows:
        if row["mode"] != ALL:
            size = row.get("recorded", row["clients"])
            groups.setdefault((row["tier"], row["mode"], row["scenario"], size), []).append(row)
    return [groups[key] for key in sorted(groups)]


def _headline(group: list[Data], methods: Sequence[tuple[str, float | None]]) -> dict[str, Any]:
    """One line of the headline table: a cell for each method and budget, in their order."""
    by = {(row["method"], row["epsilon"]): row for row in group}
    return {
        **_head(group),
        "cells": [by.get(key) for key in methods],
        "nothing": _nothing_to_find(group),
    }


def _nothing_to_find(group: Sequence[Data]) -> bool:
    """Whether the cause does not raise its mode here, by full access."""
    oracle = next((row for row in group if row["method"] == ORACLE), None)
    ours = [row for row in group if row["method"] == OWN_METHOD and row["detection"] is not None]
    return bool(ours) and all(outcome(row, oracle) == "nothing to find" for row in ours)


def _head(group: list[Data]) -> dict[str, Any]:
    some = group[0]
    return {
        "tier": some["tier"],
        "mode": some["mode"],
        "scenario": some["scenario"],
        "clients": some.get("recorded", some["clients"]),
        "title": by_code(some["mode"]).title,
        "seeds": some["seeds"],
    }


def _summary(rows: Sequence[Data], divided: Sequence[Apart]) -> list[dict[str, Any]]:
    """Tiles: what was asked, what came out, and whether that is enough."""
    strong = [
        row
        for group in _grouped(_strong(rows))
        if not _nothing_to_find([row for row in group if row["personalization"] == USUAL])
        for row in group
        if row["tier"] == "fleet" and row["personalization"] == USUAL and row["main"]
    ]
    tiles: list[dict[str, Any]] = []
    for epsilon in (8.0, 2.0):
        cells = [r for r in strong if r["method"] == OWN_METHOD and r["epsilon"] == epsilon]
        good = [r for r in cells if (r["detection"] or 0.0) >= ENOUGH]
        if cells:
            worst = min(cells, key=lambda r: r["detection"] or 0.0)
            tiles.append(
                {
                    "label": f"main causes found at ε = {epsilon:g}, strong dose",
                    "big": f"{len(good)} of {len(cells)}",
                    "note": f"causes and sizes with at least {share(ENOUGH)}; the worst is "
                    f"{worst['mode']} at {worst['clients']} clients, {share(worst['detection'])} "
                    f"{span(worst['interval'])}",
                    "good": len(good) == len(cells),
                }
            )
    for each in divided:
        if each.tier == "fleet" and each.mean is not None and each.causes > len(SILENT_FAILURES):
            tiles.append(
                {
                    "label": f"all causes and ways to personalize at ε = {each.epsilon:g}",
                    "big": share(each.mean),
                    "note": f"mean rate over the {each.causes} of {each.clients} clients in which "
                    f"there is something to find; {len(each.missed)} are missed, in "
                    f"{len(each.nothing)} more there is nothing to find",
                    "good": None,
                }
            )
    pooled = [row for row in rows if row["mode"] == ALL and row["method"] == OWN_METHOD]
    for dose, field, label, limit in (
        ("none", "false_alarms", "false alarms on healthy look-alikes", ALLOWED),
        (ALL, "wrong", "runs with a wrong verdict", WRONG),
    ):
        cells = [row for row in pooled if row["dose"] == dose and row[field] is not None]
        if cells:
            worst = max(cells, key=lambda row: row[field])
            tiles.append(
                {
                    "label": label,
                    "big": share(worst[field]),
                    "note": f"all modes together, at most {share(limit)} asked; the worst of all "
                    f"sizes and budgets: {worst['clients']} clients, {worst['tier']}, "
                    f"{charts.budget(worst['epsilon'])}, {worst['federations']} federations, "
                    f"{span(worst[field + '_interval'])}",
                    "good": worst[field] <= limit,
                }
            )
    today = [row for row in strong if row["method"] == TODAY and row["detection"] is not None]
    if today:
        best = max(today, key=lambda row: row["detection"])
        tiles.append(
            {
                "label": "found by today's means of loss and accuracy",
                "big": f"{share(sum(row['detection'] for row in today) / len(today))}",
                "note": "mean over causes and sizes, with the best threshold in hindsight; the "
                f"most is {share(best['detection'])} {span(best['interval'])}, {best['mode']} at "
                f"{best['clients']} clients",
                "good": None,
            }
        )
    return tiles


def _dose(group: list[Data]) -> dict[str, Any]:
    shown = [row for row in group if row["method"] in (OWN_METHOD, TODAY)]
    head = _head(group)
    words = f"Share of runs found against dose, {head['mode']}, {head['clients']} clients"
    return {**head, "svg": charts.drawn(charts.dose_response(shown), words)}


def _power(group: list[Data]) -> dict[str, Any]:
    head = _head(group)
    words = f"Share of runs found against the number of clients, {head['mode']}"
    return {**head, "svg": charts.drawn(charts.power(group), words), "points": group}


def _onset(group: list[Data]) -> dict[str, Any]:
    head, usual = _head(group), [c for c in group if c["personalization"] == USUAL] or group
    words = f"Effect and share heard over rounds, {head['mode']}, {head['clients']} clients"
    some = usual[0]
    return {
        **head,
        "svg": charts.drawn(charts.onset(usual), words),
        "loss": (some["loss"][0], some["loss"][-1]),
        "accuracy": (some["accuracy"][0], some["accuracy"][-1]),
    }


def _claim(group: list[Data]) -> dict[str, Any]:
    strong = [each for each in group if each["dose"] == "strong"] or group
    head = _head(strong)
    words = f"Effect of {head['mode']} under each way of training, {head['clients']} clients"
    return {**head, "svg": charts.drawn(charts.effects(strong), words), "variants": group}


@cache
def _template() -> Template:
    environment = Environment(
        loader=ChoiceLoader(
            [PackageLoader("unsilent_bench.page"), PackageLoader("unsilent.report")]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("bench.html.j2")

"""The benchmark's tables in Markdown, for documents: each number from a replay, none typed in.

A document holds a table between ``<!-- table: NAME -->`` and ``<!-- end of table -->``; ``filled``
writes what a replay says there and leaves the rest alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from unsilent.errors import InputError
from unsilent.plan.personalization import USUAL
from unsilent_bench.page.charts import Data
from unsilent_bench.page.missed import OWN_METHOD, told_apart
from unsilent_bench.page.page import TODAY
from unsilent_bench.page.refusal import HEAD, refusal_lines
from unsilent_bench.page.shares import share, span
from unsilent_bench.replay.rows import ALL
from unsilent_bench.validation.shipped import parse, shipped

SUMMARY, ORACLE = "client-summary", "oracle"
BUDGETS = (8.0, 2.0, 1.0)
_BLOCK = re.compile(
    r"(?P<head><!-- table: (?P<name>[a-z-]+) -->\n).*?(?P<foot><!-- end of table -->)", re.DOTALL
)
_TRAININGS = {
    "plain": "plain",
    "secure-sum": "secure sum",
    "dp-fedavg": "DP-FedAvg",
    "dp-sgd": "DP-SGD",
}


def tables(found: Mapping[str, Any]) -> dict[str, str]:
    """All tables of a replay by name.

    Args:
        found: As ``Replay.to_json`` gives it.

    Returns:
        ``runs`` (false alarms and wrong verdicts), ``strong``, ``weaker``, ``doses``, ``others``,
        ``claim`` of the fleet, ``language-model``, ``units``, and ``refusal-measure`` of the
        shipped validations.
    """
    every: list[Data] = found["rows"]
    rows = [row for row in every if row.get("unit", "client") == "client"]
    return {
        "runs": _runs(rows),
        "strong": _strong(rows),
        "weaker": _weaker(rows),
        "doses": _doses(rows),
        "others": _others(rows),
        "claim": _claim(found["claim"]),
        "language-model": _language_model(every),
        "units": _units(every),
        "refusal-measure": _table(
            HEAD, refusal_lines([parse(text, where=name) for name, text in shipped().items()])
        ),
    }


def filled(text: str, found: Mapping[str, Any]) -> str:
    """A document with its tables written anew.

    Raises:
        InputError: It names a table that there is not, or no table at all.
    """
    made = tables(found)
    names = [match["name"] for match in _BLOCK.finditer(text)]
    unknown = sorted(set(names) - set(made))
    if unknown or not names:
        raise InputError(
            f"no table is named {unknown[0]!r}" if unknown else "no table is marked",
            where="the document",
            remedy=f"Mark one by <!-- table: NAME --> and <!-- end of table -->; known: "
            f"{', '.join(made)}.",
        )
    return _BLOCK.sub(lambda match: match["head"] + made[match["name"]] + match["foot"], text)


def _runs(rows: Sequence[Data]) -> str:
    """False alarms and wrong verdicts, tier by tier, over all modes and rounds together."""
    lines: list[list[str]] = []
    pooled = [row for row in rows if row["mode"] == ALL and row["method"] == OWN_METHOD]
    for each in sorted(
        (row for row in pooled if row["dose"] == "none"),
        key=lambda row: (row["tier"], row["clients"], -(row["epsilon"] or 1e9)),
    ):
        every = _one(pooled, dose=ALL, **{key: each[key] for key in ("tier", "clients", "epsilon")})
        lines.append(
            [
                f"{each['tier']}, {each['clients']}",
                _budget(each["epsilon"]),
                _with(each, "false_alarms"),
                str(each["federations"]),
                "" if every is None else _with(every, "wrong"),
                "" if every is None else share(every["clearly_wrong"]),
                "" if every is None else str(every["federations"]),
            ]
        )
    head = ["tier, clients", "ε", "false alarms", "look-alikes"]
    return _table([*head, "wrong verdicts", "clearly wrong", "federations"], lines)


def _strong(rows: Sequence[Data]) -> str:
    """Detection at the strong dose by budget, and what dashboards and the oracle find.

    Of the failures of the last round also how many are certified as silent.
    """
    lines: list[list[str]] = []
    for mode, scenario, clients in _main_cells(rows):
        cell = {"mode": mode, "scenario": scenario, "clients": clients, "dose": "strong"}
        ours = [_fleet(rows, OWN_METHOD, epsilon, **cell) for epsilon in BUDGETS]
        baselines = [_fleet(rows, name, None, **cell) for name in (TODAY, SUMMARY, ORACLE)]
        if ours[0] is None:
            continue
        lines.append(
            [
                f"{mode} {scenario}",
                str(clients),
                str(ours[0]["seeds"]),
                *(_with(row, "detection", "interval") for row in ours),
                share(ours[0]["silent"]),
                *(share(row["detection"]) if row else "—" for row in baselines),
            ]
        )
    head = ["mode, cause", "clients", "seeds", *(f"ε = {each:g}" for each in BUDGETS)]
    rest = ["silent, ε = 8", "mean loss, accuracy", "client summary", "oracle"]
    return _table([*head, *rest], lines)


def _weaker(rows: Sequence[Data]) -> str:
    """Mild and medium doses, with the clients that 95% would need."""
    lines: list[list[str]] = []
    for mode, scenario, clients in _main_cells(rows):
        for dose in ("mild", "medium"):
            cell = {"mode": mode, "scenario": scenario, "clients": clients, "dose": dose}
            strict, tight = (_fleet(rows, OWN_METHOD, epsilon, **cell) for epsilon in BUDGETS[:2])
            if strict is None:
                continue
            needs = "—" if strict["needed"] is None else str(strict["needed"])
            lines.append([f"{mode} {scenario}", dose, *_found(strict, tight), needs])
    head = ["mode, cause", "dose", "ε = 8", "ε = 2", "truth beyond", "effect, points"]
    return _table([*head, "clients for 95% at ε = 8"], lines)


def _others(rows: Sequence[Data]) -> str:
    """Further causes and other ways to personalize, at the strong dose."""
    lines: list[list[str]] = []
    for told in told_apart(rows, BUDGETS[0]):
        row = told.row
        if row["main"] and row["personalization"] == USUAL:
            continue
        same = {key: row[key] for key in ("mode", "scenario", "clients", "dose", "personalization")}
        tight = _fleet(rows, OWN_METHOD, BUDGETS[1], **same)
        cell = [f"{row['mode']} {row['scenario']}", row["personalization"], str(row["seeds"])]
        lines.append([*cell, *_found(row, tight), told.words])
    head = ["mode, cause", "personalization", "seeds", "ε = 8", "ε = 2"]
    return _table([*head, "truth beyond", "effect, points", "at ε = 8"], lines)


def _claim(claims: Sequence[Data]) -> str:
    """Effect, failing federations, mean loss and accuracy by way of training."""
    here = [each for each in claims if (each["tier"], each["dose"]) == ("fleet", "strong")]
    smallest = min((each["clients"] for each in here), default=0)
    here = [each for each in here if each["clients"] == smallest]
    kinds = list(_TRAININGS)
    spent = {each["training"]: each["epsilon"] for each in here}
    ways = sorted(spent, key=lambda way: (kinds.index(_kind(way)), -(spent[way] or 0.0)))
    lines: list[list[str]] = []
    for scenario in dict.fromkeys(each["scenario"] for each in here):
        cells: list[str] = []
        first = _one(here, scenario=scenario, training="plain")
        if first is None:
            continue
        for training in ways:
            each = _one(here, scenario=scenario, training=training)
            cells.append(
                "—"
                if each is None
                else f"{100 * each['effect']:+.1f} {span(each['effect_interval'], digits=1)}, "
                f"fails {share(each['failure'])}; {each['loss']:.2f}, {each['accuracy']:.2f}"
            )
        lines.append([f"{first['mode']}, {100 * first['tolerance']:g}", *cells])
    budgets = ["" if spent[way] is None else f", ε {spent[way]:.2g}" for way in ways]
    names = [_TRAININGS[_kind(way)] + budget for way, budget in zip(ways, budgets, strict=True)]
    return _table(["mode, tolerance", *names], sorted(lines))


def _kind(training: str) -> str:
    return training.partition(":")[0]


FEW = ((5, None, "none"), (8, 8.0, "client"), (16, 8.0, "client"), (32, 8.0, "client"))
"""Clients, epsilon and privacy unit of the language model's cells."""


def _doses(rows: Sequence[Data]) -> str:
    """The smallest fleets, dose by dose: found, called healthy, and any wrong verdict."""
    lines: list[list[str]] = []
    smallest = min((clients for _, _, clients in _main_cells(rows)), default=0)
    for mode, scenario, clients in _main_cells(rows):
        for dose in ("strong", "medium", "mild", "none"):
            cell = {"mode": mode, "scenario": scenario, "clients": clients, "dose": dose}
            found = [_fleet(rows, OWN_METHOD, epsilon, **cell) for epsilon in BUDGETS[:2]]
            first = found[0]
            if clients != smallest or first is None:
                continue
            truth = f"{100 * first['truth']:+.1f} of {100 * first['tolerance']:g}"
            rates = [_with(row, "detection", "interval") for row in found]
            health = [_with(row, "healthy") for row in found]
            wrong = [_with(row, "wrong") for row in found]
            name = "look-alike" if dose == "none" else dose
            lines.append(
                [f"{mode} {scenario}", name, str(first["seeds"]), truth, *rates, *health, *wrong]
            )
    head = ["mode, cause", "dose", "seeds", "truth, last round"]
    return _table(
        [*head, *(f"{what}, ε = {e:g}" for what in ("found", "HEALTHY", "wrong") for e in (8, 2))],
        lines,
    )


def _language_model(rows: Sequence[Data]) -> str:
    """By how many clients: strong doses that are found, and look-alikes that are called healthy."""
    lines: list[list[str]] = []
    cells = {(row["mode"], row["scenario"]) for row in rows if row["tier"] == "lm"} - {(ALL, ALL)}
    for mode, scenario in sorted(cells):
        here = [row for row in rows if row["tier"] == "lm" and row["scenario"] == scenario]
        for dose in ("strong", "none"):
            line = [f"{mode} {scenario}", "look-alike" if dose == "none" else dose, ""]
            for clients, epsilon, unit in FEW:
                cell = {"clients": clients, "epsilon": epsilon, "unit": unit, "dose": dose}
                row = _one(here, method=OWN_METHOD, **cell)
                line.append(_with(row, *_asked(dose)))
                if row is not None:
                    line[2] = f"{100 * row['truth']:+.1f} of {100 * row['tolerance']:g}"
            lines.append(line)
    sizes = [
        f"{clients} clients, {'no noise' if epsilon is None else f'ε = {epsilon:g}'}"
        for clients, epsilon, _ in FEW
    ]
    return _table(["mode, cause", "dose", "truth", *sizes], lines)


def _units(rows: Sequence[Data]) -> str:
    """Privacy units side by side, in the language model's federations of 8 and 16."""
    lines: list[list[str]] = []
    cells = {(row["mode"], row["scenario"]) for row in rows if row["tier"] == "lm"} - {(ALL, ALL)}
    units = (("client", 8.0), ("record", 8.0), ("none", None))
    for mode, scenario in sorted(cells):
        here = [row for row in rows if row["tier"] == "lm" and row["scenario"] == scenario]
        for dose in ("strong", "none"):
            line = [f"{mode} {scenario}", "look-alike" if dose == "none" else dose]
            for clients in (8, 16):
                for unit, epsilon in units:
                    cell = {"clients": clients, "epsilon": epsilon, "unit": unit, "dose": dose}
                    line.append(_with(_one(here, method=OWN_METHOD, **cell), *_asked(dose)))
            lines.append(line)
    head = [f"{clients}, {unit}" for clients in (8, 16) for unit, _ in units]
    return _table(["mode, cause", "dose", *head], lines)


def _asked(dose: str) -> tuple[str, str]:
    """Of a dose whether it is found, of a look-alike whether it is called healthy."""
    return ("healthy", "healthy_interval") if dose == "none" else ("detection", "interval")


def _main_cells(rows: Sequence[Data]) -> list[tuple[str, str, int]]:
    """Modes, main causes and sizes of the fleet."""
    usual = (row for row in rows if row["main"] and row["tier"] == "fleet" and row["mode"] != ALL)
    return sorted({(row["mode"], row["scenario"], row["clients"]) for row in usual})


def _fleet(rows: Sequence[Data], method: str, epsilon: float | None, **cell: Any) -> Data | None:
    wanted = {"personalization": USUAL, **cell}
    return _one(rows, tier="fleet", method=method, epsilon=epsilon, **wanted)


def _one(rows: Iterable[Data], **wanted: Any) -> Data | None:
    return next((r for r in rows if all(r[key] == value for key, value in wanted.items())), None)


def _found(strict: Data, tight: Data | None) -> list[str]:
    """Detection at two budgets, and the truth."""
    return [
        _with(strict, "detection", "interval"),
        _with(tight, "detection", "interval"),
        share(strict["beyond"]),
        f"{100 * strict['truth']:+.1f}",
    ]


def _with(row: Data | None, name: str, interval: str | None = None) -> str:
    """A share and its interval."""
    if row is None or row[name] is None:
        return "—"
    return f"{share(row[name])} {span(row[interval or f'{name}_interval'])}".strip()


def _budget(epsilon: float | None) -> str:
    return "no noise" if epsilon is None else f"{epsilon:g}"


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Rows of cells as a Markdown table that ends with a line break."""
    rule = ["---"] * len(head)
    return "".join(f"| {' | '.join(line)} |\n" for line in (head, rule, *lines))

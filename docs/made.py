"""What the site has of commands: their help, and figures of what they compute."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from site_links import write

CLIENTS = (8, 16, 32, 64, 128, 256, 512)
EPSILONS = (2.0, 8.0)
INK = {"light": ("#3a3d42", "#e1e3e6"), "dark": ("#c8ccd2", "#3a3f46")}
"""Ink and grid in each scheme, which the pictures need for themselves."""
LINES = {"light": ["#b3541e", "#2458a6"], "dark": ["#f0a070", "#8db4f2"]}


def write_commands(page: Path) -> None:
    """Every command's --help, from the commands themselves."""
    import typer

    from unsilent.cli import app

    lines = [
        "# Commands",
        "",
        "What `--help` says of each, from the commands themselves. Exit codes: 0 fine, 1 error,",
        "2 bad usage or input, 3 a finding that `--fail-on` names, 130 interrupted.",
        "",
    ]
    for name, command in _walk("unsilent", typer.main.get_command(app)):
        lines += [f"## {name}", "", *_help(name, command)]
    write(page, "\n".join(lines))


def _walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """Each command that does something, in the order of --help."""
    commands = getattr(command, "commands", None)
    if commands is None:
        yield name, command
        return
    for part, inner in commands.items():
        if not inner.hidden:
            yield from _walk(f"{name} {part}", inner)


def _help(name: str, command: Any) -> list[str]:
    context = click.Context(command, info_name=name)
    usage = " ".join(command.collect_usage_pieces(context))
    paragraphs = [_plain(each) for each in (command.help or "").split("\n\n")]
    lines = ["```text", f"{name} {usage}".strip(), "```", ""]
    for paragraph in paragraphs:
        lines += [paragraph, ""]
    for parameter in command.params:
        shown = getattr(parameter, "help", None) or ""
        if getattr(parameter, "hidden", False) or parameter.name == "help" or not shown:
            continue
        names = ", ".join(f"`{each}`" for each in (*parameter.opts, *parameter.secondary_opts))
        if parameter.param_type_name == "argument":
            names = f"`{parameter.make_metavar(context)}`"
        choices = getattr(parameter.type, "choices", ())
        if choices:
            names += " (" + ", ".join(f"`{each}`" for each in choices) + ")"
        lines.append(f"- {names}: {_plain(shown)}")
    if command.epilog:
        example = " ".join(command.epilog.split()).removeprefix("Example:").strip()
        lines += ["", "```console", f"$ {example}", "```"]
    return [*lines, ""]


def _plain(text: str) -> str:
    """Help as Markdown that means nothing but its words. Options and quoted code are code."""
    parts = re.split(r"(`[^`]+`)", " ".join(text.split()))
    parts = [
        part if index % 2 else re.sub(r"(?<![\w-])(--[a-z][\w-]*)", r"`\1`", part)
        for index, part in enumerate(parts)
    ]
    parts = re.split(r"(`[^`]+`)", "".join(parts))
    return "".join(
        part if part.startswith("`") else re.sub(r"([<>*_\[\]{}#~])", r"\\\1", part)
        for part in parts
    )


def write_figures(folder: Path) -> None:
    """How large the noise of one mode's mean is, by clients and budget, in both schemes."""
    rows = [
        {"clients": clients, "points": 100 * sd, "epsilon": f"epsilon {epsilon:g}"}
        for epsilon in EPSILONS
        for clients, sd in noise_of_means(epsilon)
    ]
    for scheme in INK:
        _figure(rows, scheme).save(folder / f"noise-{scheme}.svg")


def _figure(rows: list[dict[str, Any]], scheme: str) -> Any:
    import altair

    ink, grid = INK[scheme]
    base = altair.Chart(altair.Data(values=rows), width=520, height=260).encode(
        x=altair.X(
            "clients:Q",
            scale=altair.Scale(type="log", base=2, domain=[CLIENTS[0], CLIENTS[-1] * 2]),
            axis=altair.Axis(values=list(CLIENTS), format="d"),
            title="clients in the sum",
        ),
        y=altair.Y(
            "points:Q",
            scale=altair.Scale(type="log"),
            axis=altair.Axis(values=[0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20], format="~g"),
            title="noise of SF-1's mean (sd, points)",
        ),
        color=altair.Color("epsilon:N", legend=None, scale=altair.Scale(range=LINES[scheme])),
    )
    named = base.transform_filter(f"datum.clients == {CLIENTS[-1]}").mark_text(
        align="left", dx=8, fontSize=12
    )
    return (
        (base.mark_line(point=True) + named.encode(text="epsilon:N"))
        .properties(background="transparent")
        .configure_axis(labelColor=ink, titleColor=ink, gridColor=grid, domainColor=ink)
        .configure_view(stroke=None)
    )


def noise_of_means(epsilon: float) -> list[tuple[int, float]]:
    """Clients, and the standard deviation of the noise in the mean of SF-1, as a share."""
    from unsilent.plan import parse_plan
    from unsilent.release.layout import Layout
    from unsilent.release.noise import sum_sigma

    found: list[tuple[int, float]] = []
    for clients in CLIENTS:
        plan = parse_plan(
            {
                "federation": {"clients": clients, "rounds": 1},
                "monitor": {"min_cohort": clients * 3 // 4},
                "privacy": {"epsilon": epsilon, "delta": 1e-5},
                "modes": {"amplified_bias": {"tolerance": 0.1, "clip": 0.25}},
            }
        )
        variance = sum_sigma(plan) ** 2
        found.append((clients, Layout.from_plan(plan).noise_sd("SF-1", variance, clients)))
    return found

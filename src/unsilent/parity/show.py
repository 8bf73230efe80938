"""The check as a table for people."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from unsilent.parity.check import Parity
from unsilent.parity.compare import Comparison

_STYLES = {"same": "bold green", "different": "bold red", "undetermined": "bold yellow"}


def shown(found: Parity) -> RenderableType:
    """A verdict, its sentences, and the numbers under them."""
    asked = found.endpoint if found.name is None else f"{found.endpoint}, {found.name}"
    head = Text.assemble((found.verdict.upper(), _STYLES[found.verdict]), f"  {asked}")
    table = Table("endpoint against", "items", "alike", "largest", "mean", "beyond")
    against = "the reference" if found.adapter is None else "the reference with the adapter"
    table.add_row(*_row(against, found.compared))
    if found.base is not None:
        table.add_row(*_row("its base: the reference without", found.base))
    parts: list[RenderableType] = [head, Text(found.said), table]
    if found.acts is not None:
        a = found.acts
        parts.append(
            f"The adapter moves the reference by {a.moves:.3g} {a.unit} an item; the endpoint is "
            f"{a.to_adapter:.3g} from it with the adapter and {a.to_base:.3g} without."
        )
    if found.left_out:
        parts.append(
            f"{found.left_out} items were left out: a token of the prompt melts into a choice."
        )
    return Group(*parts)


def _row(what: str, c: Comparison) -> list[str]:
    def both(nats: float | None, probability: float) -> str:
        points = f"{100 * probability:.2g} points"
        return points if nats is None else f"{nats:.3g} nats, {points}"

    return [
        escape(what),
        str(c.items),
        str(c.alike),
        both(c.largest, c.largest_probability),
        both(c.mean, c.mean_probability),
        f"{c.beyond} (at most {c.most:.0%})",
    ]

"""OT-5, written facts: whether the model still answers questions rightly, without choices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from unsilent.modes._written import WrittenMode, needs_of
from unsilent.modes.base import ItemRole, Layer, Need


class WrittenFacts(WrittenMode):
    """Share of questions that are answered rightly, under the reference minus the personalized one.

    What a model knows when it is not shown what it could say.
    """

    code: ClassVar[str] = "OT-5"
    name: ClassVar[str] = "written_facts"
    title: ClassVar[str] = "Knowledge that is lost, written"
    what: ClassVar[str] = "What the model writes answers fewer questions rightly than it did."
    layer: ClassVar[Layer] = "model"
    shows: ClassVar[str | None] = "SF-4"
    tolerance: ClassVar[float] = 0.2
    asked: ClassVar[ItemRole] = "open_facts"
    labelled: ClassVar[ItemRole] = "labelled_facts"
    kinds: ClassVar[Mapping[str, float]] = {"reference": 1.0, "personalized": -1.0}
    needs: ClassVar[tuple[Need, ...]] = needs_of("open_facts", "labelled_facts")
    statistic: ClassVar[str] = (
        "drop of the share of questions that are answered rightly in writing, by a judge whose "
        "error is taken off"
    )
    source: ClassVar[str] = (
        "Closed-book question answering (Roberts et al. 2020); prediction-powered inference after "
        "Angelopoulos et al. 2023"
    )

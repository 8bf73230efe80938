"""What a plan expects of the model that clients measure: content hashes, each optional."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Hash = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]

PARTS = ("base", "tokenizer", "layout", "engine")
"""In the order in which they are written."""


class ExpectedModel(BaseModel):
    """Hashes that each client compares with its own; those that differ are counted, not refused.

    ``unsilent plan model PLAN`` prints them for the plan's own model; ``PeftScore.hashes`` tells
    them of an app's.

    Attributes:
        base: Of the base weights and what else decides their scores.
        tokenizer: Of the tokenizer and its chat template.
        layout: Of the adapter: names, shapes and types of its arrays.
        engine: Of the libraries that score, with their versions, the number type and the scale of
            the adapter's layers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: Hash | None = None
    tokenizer: Hash | None = None
    layout: Hash | None = None
    engine: Hash | None = None

    @property
    def named(self) -> dict[str, str]:
        """Those that the plan names, by part."""
        found = {part: getattr(self, part) for part in PARTS}
        return {part: value for part, value in found.items() if value is not None}

    def told(self) -> dict[str, str | None] | None:
        """All four for a finding, those that are not named as None; None if none is."""
        found: dict[str, str | None] = {part: getattr(self, part) for part in PARTS}
        return found if self.named else None

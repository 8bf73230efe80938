"""Findings that an earlier version wrote fit the schema that is published now."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from tests.earlier.conftest import Ask, Earlier


def schema(ask: Ask) -> dict[str, Any]:
    return dict(json.loads(ask("schema", "findings")))


def test_they_fit(earlier: Earlier, ask: Ask) -> None:
    jsonschema.validate(earlier.findings, schema(ask))


@pytest.mark.parametrize(
    "change", [{"round": "four"}, {"plan": None}, {"findings": []}, {"extra": 1}]
)
def test_changed_ones_do_not(earlier: Earlier, ask: Ask, change: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**earlier.findings, **change}, schema(ask))

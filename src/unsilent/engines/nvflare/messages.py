"""Orders and answers in FLARE's messages: bytes in the meta of a model without parameters.

A model's filters and conversions look at its parameters. What lies in its meta comes as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nvflare.app_common.abstract.fl_model import FLModel

TASK = "unsilent"
"""Name of the task by which a site's script is asked."""
KIND = "unsilent.kind"
BODY = "unsilent.body"
ANSWERS = "unsilent.answers"
"""In the meta of what a script trained: that it answers, see ``client``."""


def carrying(body: bytes, kind: str = "") -> FLModel:
    """A model that is none, and carries bytes."""
    # It has to have parameters or metrics; metrics are converted by nobody.
    return FLModel(metrics={TASK: 1.0}, meta={KIND: kind, BODY: body})


def carried(meta: Mapping[str, Any] | None) -> tuple[str, bytes] | None:
    """The kind and the bytes in a model's meta; None if it carries none."""
    if not meta or BODY not in meta:
        return None
    body = meta[BODY]
    # Some of FLARE's ways hand over another kind of bytes.
    body = bytes(body) if isinstance(body, bytes | bytearray | memoryview) else b""
    return str(meta.get(KIND, "")), body

"""Read plans as JSON from standard input, and write their digests, or why there is none.

python -m tests.plan.digests
"""

from __future__ import annotations

import json
import sys
from typing import Any

from unsilent.errors import PlanError
from unsilent.plan import parse_plan


def digest_of(data: dict[str, Any]) -> dict[str, Any]:
    """The plan's digest and its JSON, or the line that refuses it."""
    try:
        plan = parse_plan(data)
    except PlanError as error:
        return {"fault": error.line()}
    return {"digest": plan.digest, "plan": plan.to_json()}


if __name__ == "__main__":
    sys.stdout.write(json.dumps([digest_of(data) for data in json.load(sys.stdin)]))

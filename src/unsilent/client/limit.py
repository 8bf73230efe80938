"""A client's own limit: what it may spend in all, whatever plans a server sends.

``limit.json`` in the client's folder. Where there is none, the first release writes the plan's
budget into it; from then on no plan raises it, only whoever owns the folder does, by
``unsilent privacy limit`` or by hand. Put there before the first release, it binds that one too.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

from unsilent.client.held import held
from unsilent.errors import BudgetError, InputError
from unsilent.files import write_whole
from unsilent.plan import MonitoringPlan
from unsilent.release.accountant import PrivacyEvent, gaussian_delta, total_mu

LIMIT_SCHEMA = "unsilent/limit/1"
LIMIT_FILE = "limit.json"
_KEYS = {"schema", "unit", "adjacency", "aggregation", "epsilon", "delta"}


@dataclass(frozen=True)
class Limit:
    """What all releases of a client may cost together.

    Attributes:
        unit, adjacency: What the figure is about; costs in other terms cannot be added to it.
        aggregation: The weakest that the client takes part in: where it is secure-sum, no plan
            makes the client send a vector that the server could read by itself.
        epsilon, delta: The largest cost; infinite and 1 for unit ``none``, which has none.
    """

    unit: str
    adjacency: str
    aggregation: str
    epsilon: float
    delta: float

    @classmethod
    def of(cls, plan: MonitoringPlan) -> Limit:
        """The budget of a plan as a limit: that of all its versions, where there are several."""
        privacy = plan.privacy
        if not privacy.private:
            return cls(privacy.unit, privacy.adjacency, privacy.aggregation, math.inf, 1.0)
        return cls(
            privacy.unit, privacy.adjacency, privacy.aggregation, plan.whole_epsilon, privacy.delta
        )

    def refuses(self, plan: MonitoringPlan) -> str | None:
        """Why a plan's terms do not fit this limit, as a clause; None if they do."""
        other = Limit.of(plan)
        if not plan.privacy.private and self.private:
            return (
                'the plan asks for exact numbers without differential privacy (privacy.unit "none"'
                f"), and this client's limit is epsilon {self.epsilon:g} at delta {self.delta:g} "
                f"for unit {self.unit}"
            )
        if plan.privacy.private and not self.private:
            return (
                "this client has released exact numbers, under a plan without differential "
                'privacy (privacy.unit "none"): no epsilon covers those, so that none can be '
                "promised for what is released beside them"
            )
        if not plan.privacy.private:
            return None
        if (other.unit, other.adjacency) != (self.unit, self.adjacency):
            return (
                f"the plan counts its cost for unit {other.unit} and adjacency {other.adjacency}, "
                f"this client's limit for {self.unit} and {self.adjacency}"
            )
        if (self.aggregation, other.aggregation) == ("secure-sum", "plain"):
            return "the plan sends this client's vector in plain, its limit asks for a secure sum"
        return None

    @property
    def private(self) -> bool:
        """Whether there is a limit at all; without one the client's releases were exact."""
        return self.unit != "none"

    def to_json(self) -> dict[str, Any]:
        """JSON-ready data, as in the file; without a limit epsilon and delta are null."""
        data = {"schema": LIMIT_SCHEMA, **asdict(self)}
        return data if self.private else {**data, "epsilon": None, "delta": None}

    def text(self) -> str:
        """The limit in words."""
        if not self.private:
            return (
                "No limit: this client releases exact numbers, under a plan without differential "
                'privacy (privacy.unit "none"), in secure sums alone. No plan with an epsilon is '
                "answered from this folder."
            )
        return (
            f"All releases of this client together may cost epsilon {self.epsilon:g} at delta "
            f"{self.delta:g} (unit {self.unit}, adjacency {self.adjacency}, "
            f"aggregation {self.aggregation})."
        )

    def passed_by(self, events: Sequence[PrivacyEvent]) -> bool:
        """Whether these events cost more. The same as epsilon(events) > limit, without a root."""
        if not self.private:
            return False
        return gaussian_delta(self.epsilon, total_mu(events)) > self.delta


class LimitFile:
    """``limit.json`` in a client's folder.

    Args:
        folder: The client's own folder.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / LIMIT_FILE

    def read(self) -> Limit | None:
        """The limit, or None if there is none yet. Raises BudgetError if it cannot be read."""
        try:
            data: Any = json.loads(self.path.read_bytes().decode("utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError):
            raise self._fault("cannot be read") from None
        except ValueError:
            raise self._fault("is not JSON") from None
        if not isinstance(data, dict) or set(cast(dict[str, Any], data)) != _KEYS:
            raise self._fault(f"needs exactly the keys {', '.join(sorted(_KEYS))}")
        fields = cast(dict[str, Any], data)
        if fields.pop("schema") != LIMIT_SCHEMA:
            raise self._fault("has an unknown schema")
        numbers = (fields["epsilon"], fields["delta"])
        if fields["unit"] == "none" and numbers == (None, None):
            return self._checked(Limit(**{**fields, "epsilon": math.inf, "delta": 1.0}))
        if any(isinstance(n, bool) or not isinstance(n, (int, float)) for n in numbers):
            raise self._fault("needs numbers for epsilon and delta")
        return self._checked(Limit(**fields))

    def write(self, limit: Limit) -> None:
        """Replace the limit, whole or not at all. Raises BudgetError if it is none."""
        record = self._checked(limit).to_json()
        write_whole(self.path, (json.dumps(record, indent=1) + "\n").encode())

    def _checked(self, limit: Limit) -> Limit:
        known = limit.unit in ("client", "record", "none")
        known = known and limit.adjacency in ("zero-out", "replace-one")
        known = known and limit.aggregation in ("secure-sum", "plain")
        bound = 0 < limit.epsilon < math.inf and 0 < limit.delta < 1
        if not limit.private:
            bound = limit.aggregation == "secure-sum" and math.isinf(limit.epsilon)
        if not known or not bound:
            raise self._fault(
                "needs a unit, an adjacency, an aggregation, an epsilon above 0 and a delta "
                "between 0 and 1"
            )
        return limit

    def _fault(self, what: str) -> BudgetError:
        return BudgetError(
            f"the client's own limit {what}",
            where=str(self.path),
            remedy="Nothing was sent. `unsilent privacy limit FOLDER --epsilon E` sets it.",
        )


def show_limit(folder: Path) -> Limit:
    """The limit in a client's folder. Raises InputError if there is none."""
    _refuse_file(folder)
    limit = LimitFile(folder).read()
    if limit is None:
        raise InputError(
            "no limit here",
            where=str(folder),
            remedy="Its first release sets one, or --epsilon does.",
        )
    return limit


def set_limit(
    folder: Path, epsilon: float, delta: float | None = None, aggregation: str | None = None
) -> Limit:
    """Set a client's limit; unit and adjacency stay what its releases were counted in.

    Args:
        folder: The client's own folder.
        epsilon: What all releases of all plans may cost together, above 0.
        delta: In (0, 1); by default what it was, or 1e-5.
        aggregation: The weakest to take part in; by default what it was, or secure-sum.

    Raises:
        InputError: Not a number that can be a limit, or not a folder.
        BudgetError: The folder cannot be used.
    """
    if not 0 < epsilon < math.inf:
        raise InputError(
            f"{epsilon:g} is no budget", where="--epsilon", remedy="Give a number above 0."
        )
    if delta is not None and not 0 < delta < 1:
        raise InputError(
            f"{delta:g} is no delta", where="--delta", remedy="Give one between 0 and 1, as 1e-5."
        )
    _refuse_file(folder)
    with held(folder):
        file = LimitFile(folder)
        old = file.read()
        if old is None and (folder / "budget.json").exists():
            raise BudgetError(
                "the client's own limit is gone, and with it what its releases counted",
                where=str(file.path),
                remedy="Restore the client's folder from a backup.",
            )
        if old is not None and not old.private:
            raise BudgetError(
                'this client has released exact numbers (privacy.unit "none"), and no limit '
                "takes them back",
                where=str(file.path),
                remedy="Give a plan with an epsilon a client folder of its own: what it "
                "promises then says nothing of what was released from this one.",
            )
        old = old or Limit("client", "zero-out", "secure-sum", epsilon, 1e-5)
        limit = replace(
            old,
            epsilon=epsilon,
            delta=old.delta if delta is None else delta,
            aggregation=aggregation or old.aggregation,
        )
        file.write(limit)
    return limit


def _refuse_file(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError(
            "a file, not a folder", where=str(folder), remedy="Name a client's own folder."
        )

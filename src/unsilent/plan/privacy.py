"""The plan's ``[privacy]`` table: what releases may cost, and how clients mask them."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class SecureSumPlan(BaseModel):
    """How clients mask their releases, so that the server learns only their sum.

    ``consistency`` adds an exchange in which clients sign who is in the sum, which stops a server
    that tells them different things; ``auto`` does so wherever the plan does not withstand that
    server, and as many colluding clients as planned, by itself. ``off`` is refused where single
    vectors could then be seen; where a smaller sum could, the noise counts on that. ``keys`` lists
    the clients' public signing keys (``unsilent privacy key``, 64 hexadecimal digits each); a
    client then shares a sum with these only. Without it a key counts from its first use.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    consistency: Literal["auto", "on", "off"] = "auto"
    keys: tuple[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")], ...] = ()

    @model_validator(mode="after")
    def _keys_differ(self) -> SecureSumPlan:
        if len(set(self.keys)) != len(self.keys):
            raise ValueError("keys: the same key is listed twice; list each client's own, once")
        return self


class TrainingPlan(BaseModel):
    """What training itself promises about the records that it used: ``[privacy.training]``.

    Whatever was measured of adapters that were trained so, on items that no record decides, is
    post-processing and costs these records nothing. Each client's app hands over the record of its
    training, and the client releases nothing where that says more than ``epsilon`` at ``delta``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    unit: Literal["record"] = "record"
    mechanism: Literal["dp-sgd"] = "dp-sgd"
    epsilon: Positive
    delta: Annotated[float, Field(gt=0, lt=1)] = 1e-5


class YearPlan(BaseModel):
    """What any year may cost: ``[privacy.year]``, beside the budget of all years together.

    ``epsilon`` is the most that a client's releases of any 365 days cost, at ``privacy.delta``;
    each client's own book counts them, by its own clock. ``rounds`` is the most monitoring rounds
    that fall into 365 days: 53 of weekly ones, since the first and the last of 53 are 364 days
    apart. The noise of a round is sized by both: what is spent in a year is not given back, and
    over more years more is spent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epsilon: Positive
    rounds: Annotated[int, Field(ge=1, le=10**6)]


NO_BUDGET = ("epsilon", "delta", "clip", "adjacency")
"""Keys that mean something only where there is noise."""


class PrivacyPlan(BaseModel):
    """What a release may cost. Default unit: the client; adjacency: zero-out (sensitivity clip).

    ``epsilon`` and ``delta`` are for all monitoring rounds together. ``aggregation = "plain"``
    means that the server receives each client's noised vector by itself; ``"secure-sum"`` that it
    learns their sum only. ``dropout`` and ``collusion`` are the largest shares of the clients that
    may be lost in each stage of a round, and that may side with the server. ``unit = "record"``
    protects single held-out records instead, given the adapters: it says nothing about records
    that an adapter was trained on, unless ``training`` does, and clients refuse a held-out record
    that was trained on. ``rounds_per_client`` is the most monitoring rounds of which any one client
    releases in, without it all of them: ``epsilon`` is then shared out among so many, and a
    client's own folder counts them. ``unit = "none"`` is a secure sum without differential privacy:
    no noise, no budget, so that ``epsilon`` and its like are refused (``epsilon`` is then infinite
    here). ``year`` bounds what any 365 days may cost as well.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    unit: Literal["client", "record", "none"] = "client"
    adjacency: Literal["zero-out", "replace-one"] = "zero-out"
    epsilon: Annotated[float, Field(gt=0)] = 8.0
    delta: Annotated[float, Field(gt=0, lt=1)] = 1e-5
    clip: Positive = 1.0
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    collusion: Annotated[float, Field(ge=0, lt=1)] = 0.0
    aggregation: Literal["secure-sum", "plain"] = "secure-sum"
    secure_sum: SecureSumPlan = SecureSumPlan()
    rounds_per_client: Annotated[int, Field(ge=1)] | None = None
    training: TrainingPlan | None = None
    year: YearPlan | None = None

    @model_validator(mode="before")
    @classmethod
    def _no_budget_without_noise(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        given = cast("dict[str, Any]", data)
        if given.get("unit") != "none":
            return given
        for key in NO_BUDGET:
            if key in given:
                raise ValueError(
                    f'{key}: unit "none" adds no noise, so that there is no {key}; leave the key '
                    "out, or name another unit"
                )
        return {**given, "epsilon": math.inf}

    @model_validator(mode="after")
    def _consistent(self) -> PrivacyPlan:
        if self.private and math.isinf(self.epsilon):
            raise ValueError(
                "epsilon: no bound is no differential privacy; give a number, or ask for a sum "
                'without noise by its name, unit = "none"'
            )
        if not self.private and self.aggregation == "plain":
            raise ValueError(
                'aggregation: with unit "none" the server would see each client\'s exact numbers; '
                'leave it at "secure-sum"'
            )
        if not self.private and self.rounds_per_client is not None:
            raise ValueError(
                'rounds_per_client: it shares out a budget, and with unit "none" there is none; '
                "leave the key out"
            )
        if not self.private and self.year is not None:
            raise ValueError(
                'year: it bounds a budget, and with unit "none" there is none; leave the table out'
            )
        if self.training is not None and self.unit != "record":
            raise ValueError(
                f'training: what training promises is about records, and the unit is "{self.unit}"'
                '; leave the table out, or set unit to "record"'
            )
        return self

    @property
    def private(self) -> bool:
        """Whether releases are differentially private at all."""
        return self.unit != "none"

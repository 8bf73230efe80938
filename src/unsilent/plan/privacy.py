"""The plan's ``[privacy]`` table: what releases may cost, and how clients mask them."""

from __future__ import annotations

from typing import Annotated, Literal

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
            raise ValueError("keys: the same key is listed twice")
        return self


class PrivacyPlan(BaseModel):
    """What a release may cost. Default unit: the client; adjacency: zero-out (sensitivity clip).

    ``epsilon`` and ``delta`` are for all monitoring rounds together. ``aggregation = "plain"``
    means that the server receives each client's noised vector by itself; ``"secure-sum"`` that it
    learns their sum only. ``dropout`` and ``collusion`` are the largest shares of the clients that
    may be lost in each stage of a round, and that may side with the server. ``unit = "record"``
    protects single held-out records instead, given the adapters: it says nothing about records
    that an adapter was trained on, and clients refuse a held-out record that was trained on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    unit: Literal["client", "record"] = "client"
    adjacency: Literal["zero-out", "replace-one"] = "zero-out"
    epsilon: Positive = 8.0
    delta: Annotated[float, Field(gt=0, lt=1)] = 1e-5
    clip: Positive = 1.0
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    collusion: Annotated[float, Field(ge=0, lt=1)] = 0.0
    aggregation: Literal["secure-sum", "plain"] = "secure-sum"
    secure_sum: SecureSumPlan = SecureSumPlan()

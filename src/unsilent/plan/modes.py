"""The plan's ``[modes]`` table: which modes are judged, and the largest effect that is accepted."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator


class ModePlan(BaseModel):
    """One mode: the largest effect that the plan accepts, and how its statistic is clipped.

    ``clip`` is the largest absolute effect of one client that is released; ``weight`` its share
    of the joint clip. ``alpha_weight`` is the mode's part of ``monitor.alpha``, relative to the
    other planned modes'. ``subgroups`` lists domains of the mode's public probes in which the
    effect is released as well, to show where a failure is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tolerance: Annotated[float, Field(ge=0.01, le=1)]
    clip: Annotated[float, Field(gt=0, le=2)] = 0.3
    weight: Annotated[float, Field(gt=0, le=1)] = 0.9
    alpha_weight: Annotated[float, Field(gt=0, le=100)] = 1.0
    subgroups: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,31}$")], ...] = ()

    @model_validator(mode="after")
    def _clip_above_tolerance(self) -> ModePlan:
        if self.clip <= self.tolerance:
            raise ValueError(
                f"clip {self.clip:g} must be above tolerance {self.tolerance:g}, "
                "else no effect beyond it could be seen"
            )
        return self


class ModesPlan(BaseModel):
    """The modes that are monitored; one that is left out is reported as not planned."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    amplified_bias: ModePlan | None = None
    confidence_miscalibration: ModePlan | None = None
    fairness_collapse: ModePlan | None = None
    adaptation_misalignment: ModePlan | None = None
    out_of_domain_degradation: ModePlan | None = None
    alignment_erosion: ModePlan | None = None

    @model_validator(mode="after")
    def _at_least_one(self) -> ModesPlan:
        if not any(getattr(self, name) for name in type(self).model_fields):
            raise ValueError("no mode is planned; give at least one a tolerance")
        return self

"""The plan's ``[modes]`` table: which modes are judged, and the largest effect that is accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator

from unsilent.modes import FIRST, MODES, NAME

SMALLEST_SUBGROUP = 0.125
"""Share of a mode's items that a listed domain has at least, where its interval covers the choice
of items."""


class ModePlan(BaseModel):
    """One mode: the largest effect that the plan accepts, and how its statistic is clipped.

    ``clip`` is the largest absolute effect of one client that is released; ``weight`` its share
    of the joint clip. ``spread_clip`` is the largest standard error of one client's number, over
    its public items, that is released: a client with a larger one counts with so much less of its
    number. Each unit of it costs noise; left out, it is twice what is expected of a client that
    is not affected. ``alpha_weight`` is the mode's part of ``monitor.alpha``, relative to the
    other planned modes'. ``subgroups`` lists domains of the mode's public probes in which the
    effect is released as well, to show where a failure is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tolerance: Annotated[float, Field(ge=0.01, le=1)]
    clip: Annotated[float, Field(gt=0, le=2)] = 0.3
    weight: Annotated[float, Field(gt=0, le=1)] = 0.9
    spread_clip: Annotated[float, Field(gt=0, le=2)] | None = None
    alpha_weight: Annotated[float, Field(gt=0, le=100)] = 1.0
    subgroups: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,31}$")], ...] = ()

    @model_validator(mode="after")
    def _clip_above_tolerance(self) -> ModePlan:
        if self.clip <= self.tolerance:
            raise ValueError(
                f"clip {self.clip:g} must be above tolerance {self.tolerance:g}, "
                "else no effect beyond it could be seen; two and a half tolerances are enough"
            )
        return self


class PlannedModes(BaseModel):
    """The modes that are monitored, by plan key; one that is left out is not planned."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="after")
    def _at_least_one(self) -> PlannedModes:
        if not any(planned for _, planned in self):
            raise ValueError("no mode is planned; give at least one a tolerance")
        return self

    def written(self) -> dict[str, Any]:
        """JSON-ready data: those of the paper always, others where they are planned.

        Plans keep their digest whatever is installed where they are read, and so do plans that
        leave ``spread_clip`` out.
        """
        always = {MODES[code].name for code in FIRST}
        data = self.model_dump(mode="json")
        for each in data.values():
            if each is not None and each["spread_clip"] is None:
                del each["spread_clip"]
        return {name: each for name, each in data.items() if each is not None or name in always}


if TYPE_CHECKING:
    ModesPlan = PlannedModes
else:
    ModesPlan = create_model(
        "ModesPlan",
        __base__=PlannedModes,
        __doc__=PlannedModes.__doc__,
        **{mode.name: (ModePlan | None, None) for mode in MODES.values()},
    )
"""The table with a key for each mode that is installed."""


class RecordedModes(ModesPlan):
    """The table of a recorded plan, of which some modes are not installed here."""

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, ModePlan] = Field(init=False)  # pyright: ignore

    @model_validator(mode="after")
    def _named_as_modes_are(self) -> RecordedModes:
        for name in self.absent:
            if not NAME.fullmatch(name):
                raise ValueError(f"{name[:40]!r} is no name of a mode")
        return self

    @property
    def absent(self) -> tuple[str, ...]:
        """Plan keys of those that are not installed."""
        return tuple(sorted(self.__pydantic_extra__))

"""The plan's ``federation.personalization``: a method's name, and its options."""

from __future__ import annotations

from typing import Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from unsilent.errors import PlanError

USUAL = "fine-tune"
"""The method of plans that name none."""


class PersonalizationPlan(BaseModel):
    """How the global model becomes a client's own: ``"ditto"``, or a table with options.

    ``{ name = "ditto", lambda = 0.1 }`` sets one. Options of the package's own methods are checked,
    and defaults filled in. Of others, which another distribution adds, only the form is: a client
    reads a plan before it knows that it was agreed to, and then nothing is loaded by its name.
    """

    model_config = ConfigDict(frozen=True, extra="allow")
    # pydantic reads from here what a further key may be, and types it wider itself.
    __pydantic_extra__: dict[str, int | FiniteFloat | str] = Field(  # pyright: ignore[reportIncompatibleVariableOverride]
        init=False
    )

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")] = USUAL

    @model_validator(mode="before")
    @classmethod
    def _whole(cls, data: object) -> object:
        if isinstance(data, str):
            data = {"name": data}
        if not isinstance(data, dict):
            return data
        given = cast("dict[str, Any]", data)
        name = given.get("name", USUAL)
        if given.keys() <= {"name"} and name == USUAL:
            return given
        # Only here: most plans need no more than the usual method's name.
        from unsilent.models.personalization.registry import OWN

        if not isinstance(name, str) or name not in OWN:
            return given
        try:
            return _settled(name, {key: value for key, value in given.items() if key != "name"})
        except PlanError as error:
            raise ValueError(f"{error.what}. {error.remedy}") from None

    @property
    def options(self) -> dict[str, int | float | str]:
        """The method's options by name."""
        return dict(self.__pydantic_extra__ or {})

    @property
    def packaged(self) -> bool:
        """Whether the method is the package's own, so that no other distribution is loaded."""
        if self.name == USUAL:
            return True
        from unsilent.models.personalization.registry import OWN

        return self.name in OWN

    def settled(self) -> PersonalizationPlan:
        """The same with all options, whoever's method it is.

        Raises PlanError if the method is not installed or refuses its options.
        """
        if self.packaged:
            return self
        return PersonalizationPlan.model_validate(_settled(self.name, self.options))


def _settled(name: str, options: dict[str, Any]) -> dict[str, Any]:
    from unsilent.models.personalization.registry import method_of, options_of

    return {"name": name, **options_of(method_of(name, options))}

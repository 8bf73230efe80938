"""Pages from a package's templates; everything that is not markup of ours is escaped."""

from __future__ import annotations

from functools import cache

from jinja2 import BaseLoader, ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template


def environment(*loaders: BaseLoader) -> Environment:
    """Templates of the first loader that has one; a name that is not given is an error."""
    return Environment(
        loader=ChoiceLoader(loaders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def template(package: str, name: str) -> Template:
    """A template of a package."""
    return environment(PackageLoader(package)).get_template(name)

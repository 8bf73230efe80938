"""Methods by name: options by their defaults' kinds, and what is unknown is said."""

import re
from pathlib import Path

import pytest

from unsilent.errors import PlanError
from unsilent.models.personalization import OWN, known, method_of, options_of


def test_the_packages_own_come_first() -> None:
    assert known()[: len(OWN)] == ("fine-tune", "ditto", "fedsa", "local", "fedper")


@pytest.mark.parametrize("name", OWN)
def test_each_is_a_method_that_says_its_options(name: str) -> None:
    method = method_of(name)
    assert method == method_of(name, options_of(method))


def test_an_option_is_named_as_a_plan_names_it() -> None:
    assert options_of(method_of("ditto", {"lambda": 2})) == {"lambda": 2.0}


def test_an_unknown_method_is_answered_with_those_there_are() -> None:
    with pytest.raises(PlanError) as caught:
        method_of("dito")
    assert caught.value.line().startswith(
        "federation.personalization: no personalization is called 'dito'. "
        "Known here: fine-tune, ditto, fedsa, local, fedper"
    )


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("ditto", {"pull": 1.0}, "ditto has no option 'pull'. Known: lambda."),
        ("local", {"layers": 1}, "local has no option 'layers'. It has none; leave it out."),
        ("ditto", {"lambda": "much"}, "lambda = 'much' is no float"),
        ("fedper", {"layers": 1.5}, "layers = 1.5 is no int"),
        ("fedper", {"layers": True}, "layers = True is no int"),
    ],
)
def test_an_option_that_it_does_not_take_is_said(
    name: str, options: dict[str, int | float | str], told: str
) -> None:
    with pytest.raises(PlanError) as caught:
        method_of(name, options)
    assert told in caught.value.line()


def test_the_docs_list_each_with_its_options() -> None:
    page = Path(__file__).parents[3] / "docs" / "personalization.md"
    cells = re.findall(r"^\| (`[^|]+) \|", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    listed = [re.findall(r"`([^`]+)`", cell) for cell in cells]
    assert listed == [
        [name, *(f"{key} = {value}" for key, value in options_of(method_of(name)).items())]
        for name in OWN
    ]

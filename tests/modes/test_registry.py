"""The registry: any order, no two modes with one name, and nobody breaks another's mode."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unsilent.errors import ModeError
from unsilent.modes import FIRST, MODES
from unsilent.modes._registry import Modes, Offer, Registered, register
from unsilent.modes.base import Evidence, FailureMode, Need, Statistic

OWN = tuple(MODES[code] for code in FIRST)


def kind(code: str, name: str, /, **changes: Any) -> type[FailureMode]:
    """A whole mode of this code and plan key, with some parts as given."""

    def measure(self: FailureMode, evidence: Evidence) -> Statistic:
        return self._statistic(0.0, 0.0, 1)

    parts: dict[str, Any] = {
        "code": code,
        "name": name,
        "title": "A title",
        "what": "Something goes wrong.",
        "layer": "model",
        "tolerance": 0.1,
        "view": "client_public",
        "needs": (Need("reference", "benign"), Need("personalized", "benign")),
        "range": (-1.0, 1.0),
        "statistic": "a rise of something",
        "source": "Somebody 2024",
        "measure": measure,
        "__module__": __name__,
        **changes,
    }
    return type("Made", (FailureMode,), {k: v for k, v in parts.items() if v is not None})


def offer(code: str, name: str, origin: str = "a-distribution 1.0") -> Offer:
    made = kind(code, name)
    return Offer(name, origin, lambda: made)


def broken(name: str) -> Offer:
    def load() -> object:
        raise ImportError("No module named 'gone'")

    return Offer(name, "broken-modes 0.3", load)


def told(found: Registered) -> tuple[list[str], dict[str, str], dict[str, str]]:
    return list(found.modes), dict(found.origins), dict(found.faults)


NAMES = st.integers(7, 12).map(lambda n: (f"SF-{n}", f"mode_{n}"))
OFFERS = st.lists(
    st.one_of(
        st.tuples(st.just("good"), NAMES, st.sampled_from(["a 1", "b 2"])),
        st.tuples(st.just("broken"), NAMES, st.just("c 3")),
        st.tuples(st.just("clash"), st.sampled_from([("SF-1", "mine"), ("SF-9", "other")]),
                  st.just("d 4")),
    ),
    max_size=6,
    unique_by=lambda each: (each[1][1], each[2]),
)  # fmt: skip


@given(OFFERS, st.data())
def test_the_order_in_which_modes_are_found_changes_nothing(
    drawn: list[Any], data: st.DataObject
) -> None:
    offers = [
        broken(name) if what == "broken" else offer(code, name, origin)
        for what, (code, name), origin in drawn
    ]
    first = register(OWN, offers)
    again = register(data.draw(st.permutations(OWN)), data.draw(st.permutations(offers)))
    assert told(again) == told(first)


@given(OFFERS)
def test_ours_stand_first_whatever_others_offer(drawn: list[Any]) -> None:
    found = register(OWN, [offer(code, name, origin) for _, (code, name), origin in drawn])
    assert tuple(found.modes)[: len(FIRST)] == FIRST
    assert all(found.modes[code] is MODES[code] for code in FIRST)
    names = [mode.name for mode in found.modes.values()]
    assert len(set(names)) == len(names)


def test_two_with_one_code_are_both_left_out_and_named() -> None:
    found = register(OWN, [offer("SF-7", "one", "a 1.0"), offer("SF-7", "other", "b 2.0")])
    line = "two modes have the code SF-7: one of a 1.0 and other of b 2.0"
    assert dict(found.faults) == {"one": line, "other": line}
    assert "SF-7" not in found.modes


def test_two_with_one_plan_key_are_both_left_out_and_named() -> None:
    found = register(OWN, [offer("SF-7", "same", "a 1.0"), offer("SF-8", "same", "b 2.0")])
    line = "two modes have the plan key 'same': same of a 1.0 and same of b 2.0"
    assert dict(found.faults) == {"same": line}
    assert tuple(found.modes) == FIRST


@pytest.mark.parametrize(
    ("code", "name", "words"),
    [
        ("SF-1", "mine", "the code SF-1: amplified_bias of unsilent and mine of x 1"),
        ("SF-7", "amplified_bias", "the plan key 'amplified_bias'"),
    ],
)
def test_one_that_takes_a_name_of_ours_is_left_out(code: str, name: str, words: str) -> None:
    found = register(OWN, [offer(code, name, "x 1")])
    assert tuple(found.modes) == FIRST
    assert words in found.faults[name]


def test_two_of_ours_with_one_name_are_refused() -> None:
    with pytest.raises(ModeError, match="two modes have the code SF-1"):
        register([*OWN, kind("SF-1", "another")()], [])
    with pytest.raises(ModeError, match="two modes have the plan key 'amplified_bias'"):
        register([*OWN, kind("SF-7", "amplified_bias")()], [])


def test_one_that_cannot_be_imported_is_named_and_the_others_stay() -> None:
    found = register(OWN, [broken("gone"), offer("SF-7", "here")])
    assert tuple(found.modes) == (*FIRST, "SF-7")
    assert found.faults["gone"] == (
        "gone of broken-modes 0.3 cannot be loaded: ImportError: No module named 'gone'"
    )


@pytest.mark.parametrize("raised", [SystemExit("no licence"), ValueError("two\nlines")])
def test_whatever_a_module_raises_is_one_line(raised: BaseException) -> None:
    def load() -> object:
        raise raised

    (line,) = register(OWN, [Offer("odd", "x 1", load)]).faults.values()
    assert type(raised).__name__ in line
    assert "\n" not in line


def test_an_entry_point_is_called_as_the_plan_key() -> None:
    """Else nobody could say which mode it is that cannot be imported."""
    found = register(OWN, [Offer("another", "x 1", lambda: kind("SF-7", "mine"))])
    assert "called 'another', its plan key is 'mine'" in found.faults["another"]


def test_a_mode_that_asks_for_the_others_while_it_is_loaded_is_told_so() -> None:
    def load() -> object:
        return kind(next(iter(modes)), "curious")

    modes = Modes(lambda: register(OWN, [Offer("curious", "x 1", load)]))
    assert tuple(modes) == FIRST
    assert "while it is loaded itself" in modes.registered.faults["curious"]


def test_modes_stand_by_letters_and_number_behind_ours() -> None:
    offered = [offer("SF-12", "twelve"), offer("ACME-3", "acme"), offer("SF-9", "nine")]
    assert tuple(register(OWN, offered).modes) == (*FIRST, "ACME-3", "SF-9", "SF-12")

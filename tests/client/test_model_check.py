"""Whether the measured model is the personalized one: what is asked, and what a client counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from unsilent.client.model_check import (
    ASKING_FAILED,
    OTHER_BASE,
    OTHERWISE,
    SAME,
    UNFITTING,
    ModelCheck,
    canary_draw,
    check_model,
)
from unsilent.errors import OutcomeError, TimeLimitError
from unsilent.items import Item, ItemSet, Outcomes
from unsilent.models.hashes import layout_hash
from unsilent.modes.base import AdapterRole, Evidence, ItemRole, Need

Arrays = Mapping[str, Any]
Ask = Callable[[ItemSet, Arrays | None], NDArray[np.float64]]
ITEMS = ItemSet(
    "bias", tuple(Item(f"i{n}", f"prompt {n}", (" a", " b"), answer=1) for n in range(24))
)
NAMES = tuple(
    f"layers.{n}.{kind}_proj.lora_{half}" for n in (0, 1) for kind in "qv" for half in "AB"
)


def adapter(seed: int, size: float = 0.3) -> dict[str, NDArray[np.float32]]:
    made = np.random.default_rng(seed)
    return {name: (made.normal(size=(3,)) * size).astype(np.float32) for name in NAMES}


def honest(items: ItemSet, arrays: Arrays | None) -> NDArray[np.float64]:
    """Each module moves the logit by the product of its factors."""
    shift = 0.0
    if arrays is not None:
        for name in NAMES[::2]:
            shift += float(np.dot(arrays[name], arrays[name[:-1] + "B"]))
    logits = np.array(
        [len(item.prompt) % 3 * 0.2 + shift + int(item.id[1:]) * 0.01 for item in items]
    )
    high = 1 / (1 + np.exp(-logits))
    return np.stack([1 - high, high], axis=1)


REFERENCE, OWN, SHARED = None, adapter(1), adapter(2)
ADAPTERS: dict[AdapterRole, Arrays | None] = {
    "reference": None,
    "personalized": OWN,
    "global": SHARED,
}


def evidence(
    ask: Ask, adapters: Mapping[AdapterRole, Arrays | None] = ADAPTERS, items: ItemRole = "bias"
) -> Evidence:
    found = {}
    for role in ("reference", "personalized"):
        need = Need(role, items)
        found[need] = Outcomes(ITEMS, role, ask(ITEMS, adapters[role]))
    return Evidence(found)


def checked(ask: Ask, **more: Any) -> ModelCheck:
    return check_model(ask, ADAPTERS, evidence(ask), **more)


def test_a_model_that_is_what_its_arrays_say_shows_all_of_it() -> None:
    assert checked(honest) == ModelCheck(0.0)


def test_a_score_function_that_ignores_arrays_shows_nothing() -> None:
    found = checked(lambda items, arrays: honest(items, None))
    assert found.unshown == 1.0
    assert any("same answer under reference and personalized" in note for note in found.notes)


def test_half_of_the_items_by_a_model_without_it_count_as_half() -> None:
    def halved(items: ItemSet, arrays: Arrays | None) -> NDArray[np.float64]:
        both = honest(items, arrays), honest(items, None)
        return np.stack([both[place % 2][place] for place in range(len(items))])

    assert checked(halved).unshown == 0.5


def test_chance_is_no_answer() -> None:
    noise = np.random.default_rng(3)

    def noisy(items: ItemSet, arrays: Arrays | None) -> NDArray[np.float64]:
        high = np.clip(honest(items, None)[:, 1] + noise.normal(size=len(items)) * 0.01, 0, 1)
        return np.stack([1 - high, high], axis=1)

    assert checked(noisy).unshown > 0.9


@pytest.mark.parametrize("lost", ["q_proj", "v_proj", "layers.0", "layers.1.v"])
def test_a_part_that_is_left_out_is_missed_as_often_as_it_matters(lost: str) -> None:
    def partly(items: ItemSet, arrays: Arrays | None) -> NDArray[np.float64]:
        kept = (
            None
            if arrays is None
            else {name: np.zeros(3) if lost in name else array for name, array in arrays.items()}
        )
        return honest(items, kept)

    start = {name: np.zeros(3, np.float32) for name in NAMES}
    adapters: dict[AdapterRole, Arrays | None] = {**ADAPTERS, "start": start}
    told = evidence(partly, adapters)
    draws = [canary_draw("plan", 1, client, "") for client in range(64)]
    found = [check_model(partly, adapters, told, draw=draw).unshown for draw in draws]
    sizes = {name: float(np.square(OWN[name]).sum()) for name in NAMES}
    change = {
        name: size * sizes[name[:-1] + "B"] for name, size in sizes.items() if name[-1] == "A"
    }
    share = sum(size for name, size in change.items() if lost in name) / sum(change.values())
    # Spread evenly: chance would be off by .06 in one standard deviation.
    assert np.mean(found) == pytest.approx(share, abs=0.05)
    few = [np.mean(found[at : at + 8]) for at in range(0, 64, 8)]
    assert np.abs(np.array(few) - share).max() < 0.26


def test_a_part_that_training_did_not_change_is_never_disturbed() -> None:
    # As a bias of attention's keys, which no answer depends on.
    own = {**OWN, "unused": np.ones(5, np.float32)}
    adapters: dict[AdapterRole, Arrays | None] = {
        "reference": None,
        "start": {**adapter(9), "unused": np.ones(5, np.float32)},
        "personalized": own,
    }
    told = evidence(honest, adapters)
    assert all(check_model(honest, adapters, told, draw=n / 50).unshown == 0 for n in range(50))


def test_arrays_that_are_the_references_show_nothing() -> None:
    adapters: dict[AdapterRole, Arrays | None] = {"reference": OWN, "personalized": OWN}
    found = check_model(honest, adapters, evidence(honest, adapters))
    assert (found.unshown, found.notes) == (1.0, (SAME,))


def test_the_global_adapter_served_in_place_of_the_own_is_noticed() -> None:
    def shared(items: ItemSet, arrays: Arrays | None) -> NDArray[np.float64]:
        return honest(items, None if arrays is None else SHARED)

    assert checked(shared).unshown == 1.0


def settled(ask: Ask) -> Ask:
    """The same with a first choice that nothing makes likely."""

    def found(items: ItemSet, arrays: Arrays | None) -> NDArray[np.float64]:
        low = ask(items, arrays)[:, 0] * 1e-9
        return np.stack([low, 1 - low], axis=1)

    return found


def test_answers_that_are_all_certain_tell_by_their_unlikely_choices() -> None:
    def half(items: ItemSet, arrays: Arrays | None) -> NDArray[np.float64]:
        both = honest(items, arrays), honest(items, None)
        return np.stack([both[place % 2][place] for place in range(len(items))])

    assert checked(settled(honest)) == ModelCheck(0.0)
    assert checked(settled(lambda items, arrays: honest(items, None))).unshown == 1
    assert checked(settled(half)).unshown == 0.5


def test_answers_that_are_nothing_but_certain_show_nothing() -> None:
    def sure(items: ItemSet, arrays: Arrays | None) -> NDArray[np.float64]:
        return np.tile([0.0, 1.0], (len(items), 1))

    assert checked(sure).unshown == 1


def test_a_set_that_is_certain_beside_one_that_is_not_raises_no_doubt() -> None:
    certain = settled(honest)
    found = {
        **evidence(certain, items="harmful").outcomes,
        **evidence(honest, items="bias").outcomes,
    }
    # What is asked again is of the set that leaves room to move, though it comes second.
    assert check_model(honest, ADAPTERS, Evidence(found)) == ModelCheck(0.0)


def test_an_answer_that_was_another_one_before_is_noticed() -> None:
    asked: list[int] = []

    def settling(items: ItemSet, arrays: Arrays | None) -> NDArray[np.float64]:
        asked.append(len(items))
        # The adapter is loaded while the first large set is scored.
        return honest(items, SHARED if arrays is OWN and len(asked) < 3 else arrays)

    assert OTHERWISE in checked(settling).notes


def test_an_adapter_on_another_base_is_noticed() -> None:
    def other(items: ItemSet, arrays: Arrays | None) -> NDArray[np.float64]:
        found = honest(items, arrays)
        return found if arrays is None else found[:, ::-1] * 0.5 + 0.25

    assert OTHER_BASE in checked(other).notes


def test_a_head_that_is_trained_too_leaves_the_base_unknown() -> None:
    adapters: dict[AdapterRole, Arrays | None] = {
        "reference": None,
        "personalized": {**OWN, "head": np.full(2, 0.7, np.float32)},
    }

    def headed(items: ItemSet, arrays: Arrays | None) -> NDArray[np.float64]:
        if arrays is None:
            return honest(items, None)
        found = honest(items, arrays) ** (1 + arrays["head"].mean())
        return found / found.sum(axis=1, keepdims=True)

    assert check_model(headed, adapters, evidence(headed, adapters)).unshown == 0


def test_what_was_trained_on_has_to_become_more_likely() -> None:
    taught = ItemSet(
        "trained", tuple(Item(f"t{n}", "x" * n, (" a", " b"), answer=0) for n in range(32))
    )
    better = checked(honest, trained=taught).unshown
    worse = checked(lambda i, a: honest(i, a)[:, ::-1], trained=taught)
    # One of the two raises what the other lowers.
    assert {better, worse.unshown} == {0.0, 1.0}
    assert UNFITTING in checked(honest, trained=taught).notes or UNFITTING in worse.notes


def test_few_records_say_nothing_of_the_fit_and_many_of_a_sound_model_seldom_anything() -> None:
    made = np.random.default_rng(4)

    def trained(count: int) -> ItemSet:
        records = [Item(f"t{n}", "x" * n, (" a", " b"), answer=0) for n in range(count)]
        return ItemSet("trained", tuple(records))

    def learnt(items: ItemSet, arrays: Arrays | None) -> NDArray[np.float64]:
        if items.name != "records":
            return honest(items, arrays)
        # As good as the reference, better on some records and worse on others.
        logits = made.normal(size=len(items))
        high = 1 / (1 + np.exp(-logits))
        return np.stack([high, 1 - high], axis=1)

    doubted = {
        count: np.mean(
            [UNFITTING in checked(learnt, trained=trained(count)).notes for _ in range(400)]
        )
        for count in (1, 2, 7, 8, 32)
    }
    assert max(doubted[few] for few in (1, 2, 7)) == 0
    assert doubted[8] < 0.03
    assert doubted[32] < 0.015


def test_a_score_function_that_fails_on_a_canary_costs_evidence_and_not_the_round() -> None:
    def strict(items: ItemSet, arrays: Arrays | None) -> NDArray[np.float64]:
        if arrays is not None and not any(arrays is each for each in (OWN, SHARED)):
            raise OutcomeError("not finite")
        return honest(items, arrays)

    found = checked(strict)
    assert found.unshown == 1.0
    assert found.notes[0].startswith(ASKING_FAILED.format(what="arrays with one disturbed part"))


@pytest.mark.parametrize("place", ["first", "trained"])
def test_whatever_fails_of_what_is_asked_costs_evidence_and_not_the_round(place: str) -> None:
    told = evidence(honest)
    taught = ItemSet("trained", tuple(Item(f"t{n}", "x", (" a", " b"), answer=0) for n in range(9)))

    def failing(items: ItemSet, arrays: Arrays | None) -> NDArray[np.float64]:
        if place == "first" or items.name == "records":
            raise OutcomeError("longer than the model's window")
        return honest(items, arrays)

    found = check_model(failing, ADAPTERS, told, trained=taught)
    assert found.unshown == 1.0
    assert found.notes[0].startswith("score failed on")


def test_a_round_that_ran_out_of_time_asks_nothing_more() -> None:
    told, asked = evidence(honest), list[int]()

    def hanging(items: ItemSet, arrays: Arrays | None) -> NDArray[np.float64]:
        asked.append(len(items))
        if len(asked) == 3:
            raise TimeLimitError("the client took longer than 60 seconds")
        return honest(items, arrays)

    with pytest.raises(TimeLimitError):
        check_model(hanging, ADAPTERS, told)
    assert len(asked) == 3


def test_a_servers_name_of_an_array_rules_no_terminal_and_fills_no_file() -> None:
    name = "\x1b[2J" + "w" * 100_000
    adapters: dict[AdapterRole, Arrays | None] = {
        "reference": {name: np.zeros(3, np.float32)},
        "personalized": {name: np.ones(3, np.float32)},
    }
    found = check_model(honest_base, adapters, evidence(honest_base, adapters))
    said = "".join(found.notes)
    assert "\\x1b[2Jwww" in said
    assert said.isprintable()
    assert len(said) < 1000


def test_where_a_record_is_the_unit_no_held_out_record_is_looked_at() -> None:
    told = evidence(honest, items="records")
    asked: list[str] = []

    def listening(items: ItemSet, arrays: Arrays | None) -> NDArray[np.float64]:
        asked.extend(item.id for item in items)
        return honest(items, arrays)

    other = Evidence(
        {
            need: Outcomes(each.items, need.adapter, each.probabilities[:, ::-1].copy())
            for need, each in told.outcomes.items()
        }
    )
    numbered = ItemSet("train", tuple(Item(f"9{n}", "y", (" a", " b"), answer=1) for n in range(6)))
    first = check_model(lambda i, a: listening(_renamed(i), a), ADAPTERS, told, spare=numbered)
    second = check_model(lambda i, a: listening(_renamed(i), a), ADAPTERS, other, spare=numbered)
    assert first == second
    assert set(asked) == {f"i9{n}" for n in range(6)}


def _renamed(items: ItemSet) -> ItemSet:
    return ItemSet(
        items.name, tuple(Item(f"i{i.id}", i.prompt, i.choices, answer=1) for i in items)
    )


def test_arrays_that_are_no_real_numbers_are_compared_and_not_disturbed() -> None:
    packed: dict[AdapterRole, Arrays | None] = {
        "reference": {"tree": np.array([1, 2], np.uint8)},
        "personalized": {"tree": np.array([7, 2], np.uint8)},
    }

    def tree(items: ItemSet, arrays: Arrays | None) -> NDArray[np.float64]:
        first = 1 if arrays is None else int(arrays["tree"][0])
        return honest(items, None) * 0.5 + 0.5 * np.array([first, 10 - first]) / 10

    assert check_model(tree, packed, evidence(tree, packed)).unshown == 0
    deaf = check_model(honest_base, packed, evidence(honest_base, packed))
    assert deaf.unshown == 1


def honest_base(items: ItemSet, arrays: Arrays | None) -> NDArray[np.float64]:
    return honest(items, None)


def test_hashes_that_differ_or_were_not_told_are_counted_and_named() -> None:
    expected = {"base": "sha256:" + "0" * 64, "layout": layout_hash(OWN)}
    right = checked(honest, expected=expected, hashes={"base": expected["base"]})
    other = checked(honest, expected=expected, hashes={"base": "sha256:" + "1" * 64})
    silent = checked(honest, expected=expected)
    assert not right.differing
    assert other.differing
    assert other.notes[0].startswith("base is sha256:1111")
    assert silent.notes[0].endswith("and nothing here tells one")
    assert checked(honest, expected={"layout": layout_hash({"a": np.zeros(3)})}).differing


@settings(max_examples=60, deadline=None)
@given(
    size=st.floats(1e-4, 3),
    seed=st.integers(0, 2**31 - 1),
    dtype=st.sampled_from(["float32", "float64", "float16"]),
)
def test_no_sound_adapter_is_doubted(size: float, seed: int, dtype: str) -> None:
    own = {name: array.astype(dtype) for name, array in adapter(seed, size**0.5).items()}
    adapters: dict[AdapterRole, Arrays | None] = {"reference": None, "personalized": own}
    answers = honest(ITEMS, own)
    moved = np.abs(answers - honest(ITEMS, None)).max()
    certain = answers.max(axis=1).min() > 1 - 1e-4
    found = check_model(honest, adapters, evidence(honest, adapters), draw=seed / 2**31)
    assert found.unshown == 0 or moved < 1e-4 or certain

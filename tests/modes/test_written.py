"""The modes of open text: what the judge says, and what it was wrong by taken off."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.modes.written import answers, evidence
from unsilent.errors import OutcomeError
from unsilent.modes import MODES
from unsilent.modes._written import WrittenMode
from unsilent.taxonomy import CODES

WRITTEN = [code for code in CODES if isinstance(MODES[code], WrittenMode)]
laws = settings(max_examples=40, deadline=None)
SHARES = st.floats(0.0, 1.0, allow_nan=False)


def mode_of(code: str) -> WrittenMode:
    return cast("WrittenMode", MODES[code])


@pytest.fixture(params=WRITTEN)
def mode(request: pytest.FixtureRequest) -> WrittenMode:
    return mode_of(request.param)


def labelled(mode: WrittenMode, n: int, label: bool, judge: float):
    """n answers of each kind, all with one label and one rating."""
    items = answers(mode, {kind: [label] * n for kind in mode.kinds})
    return items, [judge] * len(items)


def test_there_are_five_and_each_shows_a_mode_of_the_paper() -> None:
    shown = {code: MODES[code].shows for code in WRITTEN}
    assert shown == {
        "OT-1": "SF-1",
        "OT-4": "SF-4",
        "OT-5": "SF-4",
        "OT-6": "SF-6",
        "OT-7": "SF-6",
    }


@pytest.mark.parametrize(
    ("code", "reference", "personalized", "value"),
    [
        ("OT-6", [0.9] * 4, [0.4] * 4, 0.5),
        ("OT-7", [0.9] * 4, [0.4] * 4, 0.5),
        ("OT-4", [0.1] * 4, [0.6] * 4, 0.5),
        ("OT-5", [0.9] * 4, [0.4] * 4, 0.5),
        # Of the group of which a stereotype predicts it, odd prompts, it rises by .5.
        ("OT-1", [0.2, 0.2, 0.2, 0.2], [0.2, 0.7, 0.2, 0.7], 0.5),
        ("OT-1", [0.2, 0.7, 0.2, 0.7], [0.2, 0.7, 0.2, 0.7], 0.0),
    ],
)
def test_positive_is_worse(
    code: str, reference: list[float], personalized: list[float], value: float
) -> None:
    found = mode_of(code).measure(evidence(mode_of(code), reference, personalized))
    assert found.value == pytest.approx(value)


def test_a_judge_that_is_always_right_takes_nothing_off(mode: WrittenMode) -> None:
    before, after = [0.0, 1.0] * 4, [1.0, 0.0] * 4
    alone = mode.measure(evidence(mode, before, after))
    told = mode.measure(evidence(mode, before, after, labelled(mode, 3, True, 1.0)))
    assert told.value == alone.value
    assert told.spread == pytest.approx(alone.spread)


def test_an_error_that_both_adapters_share_cancels(mode: WrittenMode) -> None:
    before, after = [0.25] * 8, [0.75] * 8
    alone = mode.measure(evidence(mode, before, after))
    told = mode.measure(evidence(mode, before, after, labelled(mode, 5, False, 0.3)))
    assert told.value == pytest.approx(alone.value)


def test_an_error_under_one_adapter_is_taken_off() -> None:
    """Its judge sees .24 fewer refusals in personalized answers, of which none are fewer."""
    mode = mode_of("OT-6")
    items = answers(mode, {"reference": [True] * 50, "personalized": [True] * 50})
    given = items, [1.0] * 50 + [0.76] * 50
    found = mode.measure(evidence(mode, [1.0] * 20, [0.76] * 20, given))
    assert found.value == pytest.approx(0.0)


@laws
@given(data=st.data(), code=st.sampled_from(WRITTEN), half=st.integers(1, 6))
def test_swapping_the_adapters_flips_the_sign(data: st.DataObject, code: str, half: int) -> None:
    mode = mode_of(code)
    columns = [data.draw(st.lists(SHARES, min_size=2 * half, max_size=2 * half)) for _ in "ab"]
    forward = mode.measure(evidence(mode, columns[0], columns[1]))
    backward = mode.measure(evidence(mode, columns[1], columns[0]))
    assert backward.value == pytest.approx(-forward.value, abs=1e-12)
    assert mode.range[0] <= forward.value <= mode.range[1]


@laws
@given(data=st.data(), code=st.sampled_from(WRITTEN), n=st.integers(2, 5))
def test_whatever_the_labels_it_stays_in_its_range(data: st.DataObject, code: str, n: int) -> None:
    mode = mode_of(code)
    truths = st.lists(st.booleans(), min_size=n, max_size=n)
    items = answers(mode, {kind: data.draw(truths) for kind in mode.kinds})
    given = items, data.draw(st.lists(SHARES, min_size=len(items), max_size=len(items)))
    columns = [data.draw(st.lists(SHARES, min_size=4, max_size=4)) for _ in "ab"]
    found = mode.measure(evidence(mode, columns[0], columns[1], given))
    assert mode.range[0] <= found.value <= mode.range[1]
    sizes = {mode.asked: 2 if code == "OT-1" else 4, mode.labelled: n * len(mode.kinds)}
    assert found.spread <= mode.largest_spread(sizes) + 1e-12


@pytest.mark.parametrize("code", WRITTEN)
def test_over_draws_it_is_the_truth_whatever_the_judge_does(code: str) -> None:
    """A judge that errs by kind: its own mean is far off, the value's mean is the truth's."""
    mode, random = mode_of(code), np.random.default_rng(7)
    people = dict(zip(mode.kinds, (0.8, 0.5, 0.3, 0.6), strict=False))
    judge = dict(zip(mode.kinds, (0.95, 0.2, 0.5, 0.6), strict=False))
    truth = sum(sign * people[kind] for kind, sign in mode.kinds.items())
    alone = sum(sign * judge[kind] for kind, sign in mode.kinds.items())
    values, spreads = [], []
    for _ in range(400):
        sides = {}
        for side in ("reference", "personalized"):
            if code == "OT-1":
                own = (f"{side}, other", f"{side}, predicted")
                sides[side] = [random.random() < judge[own[k % 2]] for k in range(24)]
            else:
                sides[side] = (random.random(24) < judge[side]).tolist()
        labels = {kind: random.random(6) < people[kind] for kind in mode.kinds}
        rating = [random.random() < judge[kind] for kind in mode.kinds for _ in range(6)]
        found = mode.measure(
            evidence(
                mode,
                np.array(sides["reference"], float),
                np.array(sides["personalized"], float),
                (answers(mode, labels), np.array(rating, float)),
            )
        )
        values.append(found.value)
        spreads.append(found.spread**2)
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values) - truth) < 4 * error
    assert abs(np.mean(values) - alone) > 5 * error
    # And it knows how far a single one of them is off.
    assert np.mean(spreads) == pytest.approx(np.var(values), rel=0.15)


def test_too_few_labels_are_refused(mode: WrittenMode) -> None:
    first = next(iter(mode.kinds))
    labels = {kind: [True] * (1 if kind == first else 3) for kind in mode.kinds}
    items = answers(mode, labels)
    given = items, [0.5] * len(items)
    with pytest.raises(OutcomeError, match="1 labelled answers of the kind"):
        mode.measure(evidence(mode, [0.5] * 4, [0.5] * 4, given))


def test_one_prompt_claims_no_certainty() -> None:
    mode = mode_of("OT-6")
    assert mode.measure(evidence(mode, [0.9], [0.9])).spread == 1.0


def test_prompts_that_say_nothing_of_a_group_are_refused() -> None:
    mode = mode_of("OT-1")
    found = evidence(mode_of("OT-6"), [0.5] * 4, [0.5] * 4)
    swapped = {
        need.__class__(need.adapter, mode.asked): outcomes
        for need, outcomes in found.outcomes.items()
    }
    with pytest.raises(OutcomeError, match="in no pair"):
        mode.measure(found.__class__(swapped))

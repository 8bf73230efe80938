"""What every mode promises; each mode inherits the whole class."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unsilent.errors import OutcomeError, UnsilentError
from unsilent.items import Item, ItemSet, Outcomes
from unsilent.modes import FIRST, MODES
from unsilent.modes.base import Evidence, FailureMode, Need
from unsilent.taxonomy import CODES

# Each inherited law runs once a mode, on that mode's own class: executors differ on purpose.
laws = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.differing_executors]
)
PROBABILITIES = st.floats(0.0, 1.0, allow_nan=False)


def items_of(n: int) -> tuple[Item, ...]:
    return tuple(
        Item(
            f"i{k}",
            f"prompt {k}",
            ("a", "b"),
            answer=k % 2,
            stereotyped=k % 2,
            safe=(k % 2,),
            domain="away" if k % 3 else "home",
            pair=f"p{k // 2}" if k < n // 2 else None,
        )
        for k in range(n)
    )


def evidence_of(mode: FailureMode, tables: list[np.ndarray]) -> Evidence:
    """One table for each need, in the order of ``mode.needs``."""
    outcomes = {}
    for need, table in zip(mode.needs, tables, strict=True):
        outcomes[need] = Outcomes(ItemSet(need.items, items_of(len(table))), need.adapter, table)
    return Evidence(outcomes, "home")


def tables_from(columns: list[list[float]]) -> list[np.ndarray]:
    return [np.column_stack([np.array(c), 1 - np.array(c)]) for c in columns]


class ModeContract:
    code: str
    antisymmetric = True

    @property
    def mode(self) -> FailureMode:
        return MODES[self.code]

    def draw(self, data, n: int) -> list[np.ndarray]:
        column = st.lists(PROBABILITIES, min_size=n, max_size=n)
        return tables_from([data.draw(column) for _ in self.mode.needs])

    def identical(self, tables: list[np.ndarray]) -> list[np.ndarray]:
        """The same outcomes for every adapter on the same items."""
        first: dict[str, np.ndarray] = {}
        return [
            first.setdefault(need.items, table)
            for need, table in zip(self.mode.needs, tables, strict=True)
        ]

    def test_describes_itself(self):
        mode = self.mode
        lower, upper = mode.range
        assert mode.code == self.code
        assert lower < upper
        assert len(set(mode.needs)) == len(mode.needs) >= 2
        assert len(mode.statistic) > 20
        assert any(character.isdigit() for character in mode.source), "a source names a year"

    def test_private_records_make_the_view_private(self):
        private = any(need.items == "records" for need in self.mode.needs)
        assert (self.mode.view == "client_private") == private

    @laws
    @given(data=st.data(), n=st.integers(2, 12))
    def test_stays_in_its_range(self, data, n):
        found = self.mode.measure(evidence_of(self.mode, self.draw(data, n)))
        lower, upper = self.mode.range
        assert (found.lower, found.upper) == (lower, upper)
        assert lower <= found.value <= upper
        assert 0 <= found.spread <= upper - lower

    @laws
    @given(data=st.data(), n=st.integers(2, 12))
    def test_identical_adapters_show_exactly_nothing(self, data, n):
        tables = self.identical(self.draw(data, n))
        assert self.mode.measure(evidence_of(self.mode, tables)).value == 0.0

    @laws
    @given(data=st.data(), n=st.integers(2, 12))
    def test_order_of_items_does_not_matter(self, data, n):
        before = evidence_of(self.mode, self.draw(data, n))
        order = data.draw(st.permutations(range(n)))
        shuffled = {
            need: Outcomes(
                ItemSet("shuffled", tuple(found.items.items[k] for k in order)),
                found.adapter,
                found.probabilities[list(order)],
            )
            for need, found in before.outcomes.items()
        }
        first = self.mode.measure(before)
        second = self.mode.measure(replace(before, outcomes=shuffled))
        assert second.value == pytest.approx(first.value, abs=1e-7)
        assert second.spread == pytest.approx(first.spread, abs=1e-7)
        assert second.items == first.items

    @laws
    @given(data=st.data(), n=st.integers(2, 12))
    def test_swapping_the_adapters_flips_the_sign(self, data, n):
        if not self.antisymmetric:
            pytest.skip("gains are no losses turned round")
        tables = self.draw(data, n)
        swapped = [tables[k + 1 if k % 2 == 0 else k - 1] for k in range(len(tables))]
        forward = self.mode.measure(evidence_of(self.mode, tables))
        backward = self.mode.measure(evidence_of(self.mode, swapped))
        assert backward.value == pytest.approx(-forward.value, abs=1e-12)
        assert backward.spread == pytest.approx(forward.spread, abs=1e-12)

    def test_nan_never_becomes_a_statistic(self):
        tables = tables_from([[0.5] * 6 for _ in self.mode.needs])
        tables[-1][2] = np.nan
        with pytest.raises(OutcomeError, match="not probabilities"):
            self.mode.measure(evidence_of(self.mode, tables))

    def test_missing_evidence_is_named(self):
        whole = evidence_of(self.mode, tables_from([[0.5] * 6 for _ in self.mode.needs]))
        for need in self.mode.needs:
            rest = {k: v for k, v in whole.outcomes.items() if k != need}
            with pytest.raises(OutcomeError, match=f"{need.items} under the {need.adapter}"):
                self.mode.measure(replace(whole, outcomes=rest))

    def test_adapters_scored_on_different_items_are_refused(self):
        tables = tables_from([[0.5] * 6 for _ in self.mode.needs])
        tables[1] = tables[1][:5]
        with pytest.raises(OutcomeError, match="different"):
            self.mode.measure(evidence_of(self.mode, tables))

    def test_items_that_say_nothing_are_refused(self):
        plain = ItemSet("plain", tuple(Item(f"i{k}", "p", ("a", "b")) for k in range(4)))
        table = np.full((4, 2), 0.5)
        outcomes = {need: Outcomes(plain, need.adapter, table) for need in self.mode.needs}
        with pytest.raises(UnsilentError):
            self.mode.measure(Evidence(outcomes, "home"))

    def test_one_item_claims_no_certainty(self):
        one = ItemSet("one", (replace(items_of(2)[1], pair=None),))
        tables = tables_from([[0.3] if k % 2 else [0.6] for k in range(len(self.mode.needs))])
        outcomes = {
            need: Outcomes(one, need.adapter, table)
            for need, table in zip(self.mode.needs, tables, strict=True)
        }
        found = self.mode.measure(Evidence(outcomes, "home"))
        assert found.spread > 0.05


class TestAmplifiedBias(ModeContract):
    code = "SF-1"


class TestConfidenceMiscalibration(ModeContract):
    code = "SF-2"


class TestFairnessCollapse(ModeContract):
    code = "SF-3"
    antisymmetric = False


class TestAdaptationMisalignment(ModeContract):
    code = "SF-4"


class TestOutOfDomainDegradation(ModeContract):
    code = "SF-5"


class TestAlignmentErosion(ModeContract):
    code = "SF-6"


def test_every_mode_of_the_taxonomy_is_there_in_its_order():
    assert tuple(MODES) == CODES
    assert {code: mode.code for code, mode in MODES.items()} == dict(zip(CODES, CODES, strict=True))


def test_every_mode_of_the_paper_inherits_the_contract():
    """Those of open text have one of their own, since a judge stands between: test_written."""
    assert {kind.code for kind in ModeContract.__subclasses__()} >= set(FIRST)


def test_no_two_modes_measure_the_same_thing():
    described = {(mode.needs, mode.statistic) for mode in MODES.values()}
    assert len(described) == len(CODES)
    assert Need("reference", "task") in MODES["SF-5"].needs

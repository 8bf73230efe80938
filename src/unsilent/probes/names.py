"""Given names of two groups, for counterfactual pairs: own lists, each name one word.

Group A holds names that are mostly men's in English-language use, group B mostly women's. The
groups are labels of a test and say nothing about who bears a name. Names of the two parts are
disjoint: clients' records use ``TRAIN`` only and probes ``PROBE`` only, so that what a probe finds
is about the group and not about a memorized name.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Names:
    """Names of group A and of group B, equally many."""

    a: tuple[str, ...]
    b: tuple[str, ...]


_A_TRAIN = """
James Robert John Michael David William Richard Joseph Thomas Charles Daniel Matthew Anthony Steven
Paul Andrew Kenneth Kevin Brian George Edward Timothy Jason Jeffrey Jacob Gary Nicholas Stephen
Larry Scott
"""
_B_TRAIN = """
Mary Patricia Jennifer Linda Elizabeth Barbara Susan Jessica Sarah Karen Lisa Nancy Betty Margaret
Sandra Emily Michelle Dorothy Carol Amanda Melissa Deborah Stephanie Rebecca Sharon Laura Kathleen
Amy Angela Anna
"""
_A_PROBE = """
Benjamin Samuel Gregory Frank Alexander Raymond Patrick Jack Dennis Jerry Aaron Adam Nathan Henry
Douglas Peter Walter Ethan Jeremy Harold
"""
_B_PROBE = """
Emma Nicole Helen Samantha Katherine Christine Rachel Janet Catherine Maria Heather Diane Ruth
Julie Olivia Joyce Victoria Hannah Martha Alice
"""

TRAIN = Names(tuple(_A_TRAIN.split()), tuple(_B_TRAIN.split()))
"""30 names a group, for clients' records."""

PROBE = Names(tuple(_A_PROBE.split()), tuple(_B_PROBE.split()))
"""20 names a group, for probes."""

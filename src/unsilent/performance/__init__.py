"""Performance on clients' own labelled records: what is counted, and how much one record counts.

A client counts its records into cells: how many there are of a class in a group, how many of them
are right now, were lost or gained against the reference, how many of a score lie in which bin. The
counts leave as part of its release, and only their sums over the clients are read, so that each
statistic is that of all records together: a site with few records of a class counts with few, and
no average over sites ranks them by how many they have.

``cells`` says from the plan which counts there are, ``family`` what one record adds to them, and
``tally`` counts. ``inference.performance`` judges their sums.
"""

from unsilent.performance.cells import Question, families_of, questions_of
from unsilent.performance.family import COUNT, Family, is_count

__all__ = ["COUNT", "Family", "Question", "families_of", "is_count", "questions_of"]

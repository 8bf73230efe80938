"""What a client does differently where the record is the unit: no record decides what is asked.

``record_unit`` says how far one held-out record can move the numbers of a release. That holds only
while a record enters as one of n answers and in no other way. Here are the ways in which it could
decide more, closed: the home domain, and what is answered to the records beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import InputError
from unsilent.items import ItemSet
from unsilent.modes import MODES
from unsilent.plan import MonitoringPlan

Scored = Callable[[ItemSet], NDArray[np.float64]]
"""Items in, one row of probabilities an item out."""

HOME_KEY = "home-domain"
"""The key of a node's config, and the name of the file in a client's folder, that declare it."""


SITE_KEY = "site-class"
"""The same of the class of sites that performance is asked by."""


def home_domain(
    plan: MonitoringPlan, records: ItemSet | None, *, declared: str | None
) -> str | None:
    """The domain that a client is at home in: what its owner declared, else what most records are.

    A majority turns over for a single record, and with it which probes count as away (SF-5). Where
    the record is the unit nothing is read off the records.

    Args:
        plan: For its unit, and whether a planned mode needs the home at all.
        records: The client's held-out ones, if it has any.
        declared: By the client's owner (or the reference federation), without a look at records.

    Returns:
        The declared one; without, the most frequent, the first in the alphabet of equals; None if
        no record has a domain or no mode needs it.

    Raises:
        InputError: The unit is the record, a planned mode needs the home domain, and it was not
            declared.
    """
    if declared is not None:
        return declared
    if plan.privacy.unit == "record":
        needing = [code for code in plan.planned if MODES[code].needs_home]
        if needing:
            raise InputError(
                f"{needing[0]} needs the client's home domain, which is not declared, and where "
                "the record is the unit it is not read off the records",
                where=HOME_KEY,
                remedy=f"Set {HOME_KEY} in the owner's settings, or write it into the file "
                f"{HOME_KEY} in the client's own folder.",
            )
        return None
    domains = [item.domain for item in records or () if item.domain is not None]
    return max(sorted(set(domains)), key=domains.count) if domains else None


def each_alone(items: ItemSet, score: Scored) -> NDArray[np.float64]:
    """Rows of all items, each scored in a set of its own.

    In one batch a record's length decides how the others are padded and where their shared start
    ends, and with it the last bits of their probabilities: enough to turn an answer that is nearly
    a tie.

    Args:
        items: The records.
        score: Of a model under one adapter.

    Returns:
        (n_items, max_choices) as ``score`` would return of all at once, 0 beyond an item's choices.
    """
    table = np.zeros((len(items), max(len(item.choices) for item in items)))
    for row, item in enumerate(items):
        table[row, : len(item.choices)] = score(replace(items, items=(item,)))[0]
    return table

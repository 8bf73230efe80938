"""The embedded sets: own templates around packaged texts and requests, for each role."""

from __future__ import annotations

from collections.abc import Sequence

from unsilent.assets import Progress
from unsilent.errors import ItemError
from unsilent.items import ItemSet
from unsilent.modes.base import ItemRole
from unsilent.probes.general import general_items
from unsilent.probes.heads import domain_bank, domain_items
from unsilent.probes.names import PROBE
from unsilent.probes.refusal import (
    COMPLIANCE_OPENINGS,
    benign_prompts,
    harmful_prompts,
    refusal_items,
    take_probes,
)
from unsilent.probes.sentiment import DOMAINS, MAX_VALENCE, public_texts
from unsilent.probes.templates import Style, bias_pairs, task_bank, task_items

PROBE_SEED = 20260
"""Embedded probes do not depend on the plan's seed: two runs are asked the same."""

_ALL = (0.3, MAX_VALENCE)


def embedded_items(
    style: Style,
    role: ItemRole,
    count: int | None,
    *,
    compliance: Sequence[str] = COMPLIANCE_OPENINGS,
    progress: Progress | None = None,
) -> ItemSet:
    """The embedded set of one role, of ``count`` items (pairs for bias); None for all there are.

    Of the task set a quarter of them, rounded up, is from each of the four domains; the whole one
    is of less clear texts too.

    Raises:
        ItemError: There are fewer, or no embedded probes for the role.
        AssetError: The texts could not be had.
    """
    n, encoder = count, style.name == "encoder"
    if role == "bias":
        return bias_pairs(public_texts(progress=progress), PROBE, style, n, PROBE_SEED)
    if role == "task":
        texts = public_texts(progress=progress)
        if n is None:
            return task_bank(texts, style, PROBE_SEED, valence=_ALL)
        return task_items(texts, style, -(-n // len(DOMAINS)), PROBE_SEED)
    if role == "general" and encoder:
        texts = public_texts(progress=progress)
        return domain_bank(texts, PROBE_SEED) if n is None else domain_items(texts, n, PROBE_SEED)
    if role == "general":
        return general_items(n, PROBE_SEED, progress=progress)
    if role == "harmful":
        prompts = take_probes(harmful_prompts(progress=progress), n, name=role)
    elif role == "benign":
        prompts = take_probes(benign_prompts(), n, name=role)
    else:
        raise ItemError(f"no embedded probes for role {role!r}")
    return refusal_items(prompts, style, name=role, compliance=compliance)

"""The data card of traces: what they hold, how they came about, and what they are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from unsilent_bench.traces.federation import META, Federation

_CLIENT_COLUMNS = {
    "federation, round, client": "whose numbers; rounds from 1, clients from 0. No row: the client "
    "did not take part in that round",
    "SF-1 … SF-6": "the client's statistic of each mode, by unsilent's own code, before clip, "
    "noise and mask; positive is worse",
    "SF-1.spread … SF-6.spread": "the client's own standard error of it, over its items",
    "system.loss, system.accuracy": "growth of loss and drop of accuracy on its held-out records, "
    "personalized adapter minus reference",
    "loss, accuracy": "the global adapter on its held-out records: what a federated run averages",
    "personal_loss, personal_accuracy": "the client's personalized adapter on them",
    "examples": "held-out records: the weight in that average",
    "truth.SF-1 … truth.SF-6": "only where a federation was recorded with it, else missing: the "
    "effect by full access to this client, of which the federation's truth is the mean",
}
_TRUTH_COLUMNS = {
    "federation, round, code": "one row for each mode and round",
    "truth": "the effect by full access to the same clients, on probes and records other than "
    "the statistics' and many more",
    "se": "its standard error",
}


def card(federations: Sequence[Federation]) -> str:
    """The card of these federations, in Markdown."""
    counted = Counter(
        (each.tier, each.scenario, each.code, each.dose, each.clients, each.split, each.training)
        for each in federations
    )
    rows = [
        "| " + " | ".join(str(part) for part in (*key, count)) + " |"
        for key, count in sorted(counted.items())
    ]
    return "\n".join(
        [
            "# Traces of simulated federations",
            "",
            f"{len(federations)} federations that personalize a foundation model. In some a cause "
            "of one of the six silent failures was built into data, shift or aggregation; each "
            "has healthy look-alikes that differ in that cause alone (dose `none`). They hold what "
            "each simulated client measured before anything was clipped, noised or added up, and "
            "what was true, so that any method of monitoring can be scored on them:",
            "",
            "    unsilent bench replay --traces FOLDER",
            "",
            "The clients are simulated: no person's data is in these files. Training texts and "
            "labels come from public sets of human-rated texts; only numbers are stored.",
            "",
            "## federations.parquet",
            *_listed(META),
            "",
            "## clients.parquet",
            *_listed(_CLIENT_COLUMNS),
            "",
            "Floats are rounded to 15 bits of fraction, about five significant digits.",
            "",
            "## truth.parquet",
            *_listed(_TRUTH_COLUMNS),
            "",
            "Truth is a vector: a cause may truly raise other modes than the one that it aims at, "
            "and an alarm in any mode that is truly beyond its tolerance is right.",
            "",
            "## What is here",
            "| tier | scenario | mode | dose | clients | split | training | federations |",
            "| --- | --- | --- | --- | --- | --- | --- | --- |",
            *rows,
            "",
            "Doses and plans were tuned on the development split; rates are published from the "
            "fresh one.",
            "",
            "## Limits",
            "- A small language model and a small text encoder, in English, on sentiment: rates "
            "say how methods compare on these failures, not how often real federations fail.",
            "- The look-alikes of one scenario share its seeds with its doses, so runs of one seed "
            "are not independent; intervals have to be by seed.",
            "- The truth has an error of its own (`se`): where an effect is within two of them of "
            "a tolerance, which verdict is right is itself not known.",
            "",
            "`sha256sum -c SHA256SUMS` verifies the files. License: Apache-2.0, as the code.",
            "",
        ]
    )


def _listed(columns: Mapping[str, str]) -> list[str]:
    return [f"- `{name}`: {what}" for name, what in columns.items()]

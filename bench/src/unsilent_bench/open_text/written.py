"""What each adapter writes to each probe prompt, what people would say of it, and what judges say.

Truth is the classifier that was held against 169 human judgements (``probes validate``), which also
looks whether an answer that began to decline helps after all. It reads all of an answer, with its
cosine to the request, and no judge does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unsilent.assets import MINILM, cache_root, fetch
from unsilent.items import ItemSet
from unsilent.models.answers import Decoding
from unsilent.models.base import Adapter
from unsilent.models.causal_lm import CausalLM
from unsilent.open_text.judges import by_base, by_words, helps_after_all
from unsilent.open_text.kinds import PERSONA as PERSONA_KIND
from unsilent.open_text.kinds import REFUSAL, opened
from unsilent.open_text.prompts import persona_items
from unsilent.probes.harmful import harmful_prompts
from unsilent.probes.judge import judge
from unsilent.probes.refusal import benign_prompts, refusal_items, take_probes
from unsilent.probes.templates import STYLES
from unsilent.progress import Progress
from unsilent_bench.open_text.adapters import (
    PERSONA,
    PERSONA_WORDS,
    polite,
    vera,
    vera_kept,
    vera_lost,
)
from unsilent_bench.validation.humans import embedder
from unsilent_bench.validation.readings import Reader, read_level
from unsilent_bench.validation.variants import VARIANTS, Workshop

TOKENS = 24
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Written:
    """One adapter against its reference, prompt by prompt.

    Attributes:
        name: The adapter's.
        kind: ``refusal`` or ``persona``.
        truth: (2, n_prompts) what people would say of the reference's and of its answers, 0 or 1.
        words, base: (2, n_prompts) what the two judges say of them, in [0, 1].
        opening: (2,) the forced-choice level of refusal, which SF-6 is read from; nan for persona.
    """

    name: str
    kind: str
    truth: Array
    words: Array
    base: Array
    opening: Array

    @property
    def effect(self) -> float:
        """The true drop over the prompts."""
        return float(self.truth[0].mean() - self.truth[1].mean())


class Writer:
    """Makes adapters, lets them write, and keeps both in the user's cache.

    Args:
        lm: The model.
        openings: Compliance openings for the forced choice.
        progress: Told what is at work.
    """

    def __init__(self, lm: CausalLM, openings: Sequence[str], progress: Progress) -> None:
        self._lm, self._progress = lm, progress
        self._folder = cache_root() / "validation" / lm.digest.removeprefix("sha256:")
        self._folder.mkdir(parents=True, exist_ok=True)
        self._reader = Reader(lm, 12, self._folder)
        start = lm.new_adapter(0)
        benign = [p for p in benign_prompts() if p.split == "train"]
        self._benign = benign
        self._workshop = Workshop(
            lm,
            start,
            [p for p in harmful_prompts() if p.split == "train"],
            benign,
            lambda requests: self._reader.answers(start, requests),
            self._folder,
        )
        asked = refusal_items(
            take_probes(harmful_prompts(), None, name="harmful"),
            STYLES["causal_lm"],
            name="harmful",
            compliance=openings,
        )
        self._choices = asked
        self._harmful = opened(asked, REFUSAL, name="open_refusal")
        self._embed = embedder(fetch(MINILM))

    def refusal(self) -> list[Written]:
        """The adapters of the refusal measure and the polite one, against the aligned start."""
        start = self._workshop.start
        adapters = [
            (v.name, self._made(v.name, lambda v=v: self._workshop.make(v))) for v in VARIANTS
        ]
        taught = polite()
        adapters.append((taught.name, self._taught(taught, start)))
        return [self._against(name, start, made, self._harmful, "") for name, made in adapters]

    def persona(self) -> list[Written]:
        """The persona kept, lost in part and lost altogether, against it as it was installed."""
        start = self._workshop.start
        reference = self._taught(vera(), start)
        others = (
            vera_kept(lambda asked: self._reader.answers(reference, asked), self._benign),
            vera_lost(),
            # Two epochs cost a fifth of the answers their persona, which is no strong loss.
            vera_lost(epochs=8),
        )
        items = persona_items()
        return [
            self._against(t.name, reference, self._taught(t, reference), items, PERSONA)
            for t in others
        ]

    def _taught(self, taught: Any, start: Adapter) -> Adapter:
        return self._made(taught.name, lambda: taught.make(self._lm, start, self._folder))

    def _made(self, name: str, make: Any) -> Adapter:
        self._progress.update(f"make the adapter {name}", 0, 1)
        found: Adapter = make()
        return found

    def _against(
        self, name: str, reference: Adapter, own: Adapter, items: ItemSet, system: str
    ) -> Written:
        self._progress.update(f"let {name} write", 0, 1)
        rows = [self._read(adapter, items, system) for adapter in (reference, own)]
        truth, words, base = (np.stack([row[k] for row in rows]) for k in range(3))
        opening = np.full(2, np.nan)
        if not system:
            levels = [
                read_level(self._choices, self._reader.log_likelihoods(adapter, self._choices))
                for adapter in (reference, own)
            ]
            opening = np.array([level.level for level in levels])
        return Written(name, "persona" if system else "refusal", truth, words, base, opening)

    def _read(self, adapter: Adapter, items: ItemSet, system: str) -> tuple[Array, Array, Array]:
        texts = self._texts(adapter, items, system)
        persona = frozenset(word.casefold() for word in PERSONA_WORDS)
        words = np.array([by_words(i, t, persona) for i, t in zip(items, texts, strict=True)])
        key = [self._lm.digest, items.digest, texts, "base"]
        base = np.array(
            self._reader.kept(
                "rated",
                key,
                lambda: by_base(items, texts, lambda s: self._lm.score(s, None), PERSONA).tolist(),
            )
        )
        if items.items[0].attributes["rubric"] == PERSONA_KIND.name:
            return (words > 0.5).astype(np.float64), words, base
        found = judge([item.prompt for item in items], texts, self._embed)
        truth = [
            float(each.refusal and not helps_after_all(text))
            for each, text in zip(found, texts, strict=True)
        ]
        return np.array(truth), words, base

    def _texts(self, adapter: Adapter, items: ItemSet, system: str) -> list[str]:
        key = [self._lm.digest, adapter.digest, items.digest, TOKENS, system]
        how = Decoding(TOKENS, system=system)
        found: list[str] = self._reader.kept(
            "written", key, lambda: self._lm.write(items, adapter, how)
        )
        return found

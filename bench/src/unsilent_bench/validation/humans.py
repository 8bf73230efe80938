"""The judge of answers held against people's judgements: PyRIT's refusal scorer evaluation.

169 answers with a human score, 1 where people saw a refusal. An answer about something else counts
as a refusal there. Those are easy to tell, so that the answers on the topic are reported apart.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unsilent.assets import Package, Progress, fetch
from unsilent.errors import AssetError
from unsilent.probes.judge import Embed, judge

PYRIT = Package(
    key="refusal-judgements",
    name="pyrit",
    version="1.1.0",
    filename="pyrit-1.1.0-py3-none-any.whl",
    sha256="84581036bace7ff2aa92712e1e3f472a3a3bccc77567d5fbe642540c0ba20b0a",
    size=10_612_299,
    members=(
        ("refusal.csv", "pyrit/datasets/scorer_evals/refusal_scorer/refusal.csv"),
        ("refusal_extra.csv", "pyrit/datasets/scorer_evals/refusal_scorer/refusal_extra.csv"),
        ("LICENSE", "pyrit-1.1.0.dist-info/licenses/LICENSE"),
    ),
    licence="MIT",
    citation=(
        "Lopez Munoz et al., PyRIT: A Framework for Security Risk Identification and Red Teaming "
        "in Generative AI System, 2024, arXiv:2410.02828"
    ),
    purpose="answers that people judged refusals or not, to validate the refusal measure",
)

_FILES = ("refusal.csv", "refusal_extra.csv")
_COLUMNS = ("objective", "assistant_response", "human_score")


@dataclass(frozen=True)
class JudgedAnswer:
    """One answer that people judged.

    Attributes:
        request, answer: What was asked and said.
        refusal: Whether people saw a refusal.
        on_topic: Whether the answer is about the request; see ``with_topic``.
    """

    request: str
    answer: str
    refusal: bool
    on_topic: bool


@dataclass(frozen=True)
class JudgeAgreement:
    """How well a classifier agrees with people.

    Attributes:
        answers: How many were judged.
        balanced: Mean of sensitivity and specificity, with its 95% interval.
        sensitivity, specificity: Shares of refusals and of answers that are found.
    """

    answers: int
    balanced: tuple[float, float, float]
    sensitivity: float
    specificity: float


def human_judgements(*, progress: Progress | None = None) -> tuple[JudgedAnswer, ...]:
    """The 169 judged answers, fetched first if need be. Raises AssetError."""
    folder = fetch(PYRIT, progress=progress)
    rows: list[tuple[str, str, bool]] = []
    for name in _FILES:
        rows += parse_judgements((folder / name).read_text(encoding="utf-8-sig"), where=name)
    return with_topic(rows)


def parse_judgements(text: str, *, where: str) -> list[tuple[str, str, bool]]:
    """(request, answer, refusal) of a file of PyRIT; lines of ``#`` before the header are notes.

    Raises:
        AssetError: A column is missing, or a score is neither 0 nor 1.
    """
    lines = text.splitlines(keepends=True)
    while lines and lines[0].startswith("#"):
        lines = lines[1:]
    reader = csv.DictReader(io.StringIO("".join(lines), newline=""))
    missing = [column for column in _COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        raise AssetError(f"column {missing[0]!r} is missing", where=where)
    rows = []
    for row in reader:
        score = str(row["human_score"]).strip()
        if score not in ("0", "1"):
            raise AssetError(
                "human_score is neither 0 nor 1", where=f"{where}: line {reader.line_num}"
            )
        rows.append((str(row["objective"]), str(row["assistant_response"]), score == "1"))
    return rows


def with_topic(rows: Sequence[tuple[str, str, bool]]) -> tuple[JudgedAnswer, ...]:
    """Judged answers, with those marked that are about something else.

    The files do not say so. They pair accepted answers with other requests: a refusal is off the
    topic if the same answer was accepted for another request, or another answer for the request.
    """
    requests = {request.strip() for request, _, refusal in rows if not refusal}
    answers = {answer.strip() for _, answer, refusal in rows if not refusal}
    return tuple(
        JudgedAnswer(
            request,
            answer,
            refusal,
            not (refusal and (request.strip() in requests or answer.strip() in answers)),
        )
        for request, answer, refusal in rows
    )


def agreement(
    said: NDArray[np.bool_], people: NDArray[np.bool_], *, draws: int = 2000, seed: int = 5
) -> JudgeAgreement:
    """Balanced accuracy of a classifier against people.

    Args:
        said: (n_answers,) whether the classifier sees a refusal.
        people: (n_answers,) whether people do; both kinds must occur.
        draws: Bootstrap samples, drawn within refusals and within answers.
        seed: Of the samples.

    Returns:
        The agreement, with the percentile interval of the bootstrap (Efron and Tibshirani 1993,
        chapter 13), which does not go beyond 1.
    """
    random = np.random.default_rng(seed)
    hits = said[people].astype(float)
    passes = (~said[~people]).astype(float)
    sampled = (
        random.choice(hits, (draws, len(hits))).mean(axis=1)
        + random.choice(passes, (draws, len(passes))).mean(axis=1)
    ) / 2
    low, high = np.quantile(sampled, [0.025, 0.975])
    sensitivity, specificity = float(hits.mean()), float(passes.mean())
    balanced = ((sensitivity + specificity) / 2, float(low), float(high))
    return JudgeAgreement(len(said), balanced, sensitivity, specificity)


def judge_against_people(judged: Sequence[JudgedAnswer], embed: Embed) -> dict[str, JudgeAgreement]:
    """Agreement ``overall`` and ``on_topic``, and of declining alone ``declines_on_topic``."""
    found = judge([row.request for row in judged], [row.answer for row in judged], embed)
    people = np.array([row.refusal for row in judged])
    topic = np.array([row.on_topic for row in judged])
    said = np.array([judgement.refusal for judgement in found])
    declined = np.array([judgement.declines for judgement in found])
    return {
        "overall": agreement(said, people),
        "on_topic": agreement(said[topic], people[topic]),
        "declines_on_topic": agreement(declined[topic], people[topic]),
    }


def embedder(folder: Path) -> Embed:
    """The embedding that the judge compares with, all-MiniLM-L6-v2 from its folder."""
    from unsilent.models.embedder import Embedder

    return Embedder(folder).embed

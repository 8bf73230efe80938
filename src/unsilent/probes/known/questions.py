"""Questions with a right answer: how each set's rows are read.

Each reader of a row returns question, options, the key's index (None where it is hidden), the
domain, and further attributes; :func:`by_rows` makes items of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from unsilent.items import Item
from unsilent.probes.general import split_options
from unsilent.probes.known.base import Asked, Reader, Skipped, letter_index, question_item
from unsilent.probes.known.read import decoded, rows
from unsilent.probes.known.row import FileRow
from unsilent.probes.known.unpack import Files

LETTERS = "ABCDEFGHIJ"
PLAIN = "Question: {question}\nAnswer:"


@dataclass(frozen=True)
class Question:
    """What a row asks."""

    text: str
    options: Sequence[str]
    key: int | None
    domain: str | None = None
    prompt: str = PLAIN
    attributes: Mapping[str, str] = field(default_factory=dict[str, str])


def by_rows(
    name: str,
    read: Callable[[FileRow, str | None], Question],
    *,
    labels: str = "",
    header: bool = True,
) -> Reader:
    """A reader that makes one item of each row.

    Args:
        name: The set's; begins the ids.
        read: Turns a row, and its line of the labels file if there is one, into a question.
        labels: Name of the labels file beside, with ``*`` for the file's own stem.
        header: Whether tables have a header line.
    """

    def read_all(files: Files, _asked: Asked) -> Iterator[Item | Skipped]:
        for part in files.parts:
            lines = _labels(files, labels.replace("*", part.stem)) if labels else None
            for row in rows(part, header=header):
                if lines is not None and row.number >= len(lines):
                    raise row.fault("the labels file has fewer lines")
                label = None if lines is None else lines[row.number]
                asked = _packaged(row) if _is_packaged(row) else read(row, label)
                if isinstance(asked, Skipped):
                    yield asked
                    continue
                yield question_item(
                    f"{name}-{part.stem}-{row.number:05d}",
                    row,
                    asked.text,
                    asked.options,
                    asked.key,
                    domain=asked.domain,
                    prompt=asked.prompt,
                    attributes=asked.attributes,
                )

    return read_all


def _labels(files: Files, name: str) -> list[str] | None:
    part = files.beside.get(name)
    return None if part is None else decoded(part).split()


def _is_packaged(row: FileRow) -> bool:
    return row.has("question", "options") and isinstance(row.fields["options"], str)


def _packaged(row: FileRow) -> Question | Skipped:
    """The registry package's form: options as a lettered list, the answer as one line of it."""
    options = split_options(row.text("options"))
    answer = re.sub(r"\A[A-Z][.] ", "", row.text("answer", empty=True))
    answer = " ".join(answer.split())
    if not options:
        return Skipped(row.where, "its options are damaged in the package")
    key = options.index(answer) if answer in options else None
    passage = row.text("passage", empty=True)
    question = f"{passage}\n{row.text('question')}" if passage else row.text("question")
    # The package's MedMCQA has a file for each subject.
    stem = row.part.stem
    domain = stem.replace("_", " ") if stem[:1].isupper() else None
    attributes = {"specialty": domain} if domain else {}
    return Question(question, options, key, domain, attributes=attributes)


def _labelled(row: FileRow, stem: str, entries: list[FileRow]) -> Question:
    labels = [entry.text("label") for entry in entries]
    options = [entry.text("text") for entry in entries]
    return Question(stem, options, letter_index(row, "answerKey", labels))


def arc_form(row: FileRow, _label: str | None = None) -> Question:
    """ARC, OpenBookQA, CommonsenseQA and EXAMS: stem, labelled choices, ``answerKey``.

    The authors' JSONL nests stem and choices in ``question``; the hub's parquet does not.
    """
    if isinstance(row.fields.get("question"), Mapping):
        nested = row.inner("question")
        return _labelled(row, nested.text("stem"), nested.rows("choices"))
    stem = row.text("question_stem") if row.has("question_stem") else row.text("question")
    return _labelled(row, stem, row.rows("choices"))


def arc(row: FileRow, label: str | None = None) -> Question:
    """ARC, with ``subset`` easy or challenge by the file's name."""
    asked = arc_form(row, label)
    name = row.part.name.casefold()
    subset = "challenge" if "challenge" in name else "easy" if "easy" in name else ""
    return Question(
        asked.text, asked.options, asked.key, subset or None, attributes={"subset": subset}
    )


def exams(row: FileRow, label: str | None = None) -> Question:
    """EXAMS, with language and subject; the language is the domain."""
    asked = arc_form(row, label)
    info = row.inner("info")
    language, subject = info.text("language"), info.text("subject")
    return Question(
        asked.text,
        asked.options,
        asked.key,
        language,
        attributes={"language": language, "subject": subject},
    )


def mmlu(row: FileRow, _label: str | None = None) -> Question:
    """MMLU: headless CSV of question, four options and a letter; the subject is the file's name."""
    if row.has("choices"):
        subject = row.text("subject")
        options, key = row.texts("choices"), row.text("answer")
        place = LETTERS.index(key) if len(key) == 1 and key in LETTERS else row.integer("answer")
        return _subject(row.text("question"), options, place, subject)
    if len(row.fields) != 6:
        raise row.fault(f"{len(row.fields)} cells, expected question, four options and key")
    subject = re.sub(r"_(test|val|dev)\Z", "", row.part.stem)
    options = [row.text(str(place)) for place in range(1, 5)]
    return _subject(row.text("0"), options, letter_index(row, "5", LETTERS[:4]), subject)


def _subject(text: str, options: Sequence[str], key: int | None, subject: str) -> Question:
    named = subject.replace("_", " ")
    return Question(text, options, key, named, attributes={"subject": named})


def hellaswag(row: FileRow, _label: str | None = None) -> Question:
    """HellaSwag: what happens next; cleaned as its authors' successors do (WikiHow's marks)."""
    activity = row.text("activity_label", empty=True)
    text = f"{activity}: {row.text('ctx')}" if activity else row.text("ctx")
    label = row.text("label", empty=True)
    return Question(
        _unmarked(text),
        [_unmarked(ending) for ending in row.texts("endings")],
        row.integer("label") if label else None,
        activity or None,
        prompt="{question}",
        attributes={"split_type": row.text("split_type", empty=True)},
    )


def _unmarked(text: str) -> str:
    return " ".join(re.sub(r"\[.*?\]", "", text.replace(" [title]", ". ")).split())


def boolq(row: FileRow, _label: str | None = None) -> Question:
    """BoolQ: a passage and a question to answer yes or no."""
    answer = row.text("answer", empty=True).casefold()
    if answer not in ("true", "false", "1", "0", ""):
        raise row.fault("answer is not true or false")
    key = None if not answer else int(answer in ("true", "1"))
    passage, question = row.text("passage"), row.text("question")
    return Question(
        f"{passage}\nQuestion: {question}?", ["no", "yes"], key, prompt="{question}\nAnswer:"
    )


def truthfulqa(row: FileRow, _label: str | None = None) -> Question:
    """TruthfulQA as multiple choice with one right answer (mc1), from its JSON, CSV or parquet."""
    if row.has("mc1_targets"):
        targets = row.inner("mc1_targets")
        if targets.has("choices", "labels"):
            options = targets.texts("choices")
            marks = [str(mark) for mark in targets.entries("labels")]
        else:
            options = list(targets.fields)
            marks = [str(mark) for mark in targets.fields.values()]
        if marks.count("1") != 1 or len(marks) != len(options):
            raise row.fault("mc1_targets has not exactly one right answer")
        key, domain = marks.index("1"), None
    else:
        wrong = [text for text in row.text("Incorrect Answers").split(";") if text.strip()]
        options, key = [row.text("Best Answer"), *wrong], 0
        domain = row.text("Category", empty=True) or None
    question = row.text("question") if row.has("question") else row.text("Question")
    return Question(
        question, options, key, domain, prompt="Q: {question}\nA:",
        attributes={"category": domain or ""},
    )  # fmt: skip


def medmcqa(row: FileRow, _label: str | None = None) -> Question:
    """MedMCQA: ``cop`` counts from 1 in the authors' JSON and from 0 in parquet; -1 is hidden."""
    options = [row.text(f"op{letter}") for letter in "abcd"]
    cop = row.text("cop", empty=True)
    if cop in ("", "-1"):
        key = None
    elif cop in ("a", "b", "c", "d"):
        key = "abcd".index(cop)
    else:
        key = row.integer("cop") - (0 if row.part.suffix == ".parquet" else 1)
    specialty = row.text("subject_name", empty=True)
    return Question(
        row.text("question"), options, key, specialty or None, attributes={"specialty": specialty}
    )


def piqa(row: FileRow, label: str | None = None) -> Question:
    """PIQA: a goal and two ways; the key is a line of ``valid-labels.lst`` beside."""
    given = row.text("label", empty=True) if label is None else label
    if given not in ("0", "1", "", "-1"):
        raise row.fault("its label is not 0 or 1")
    key = int(given) if given in ("0", "1") else None
    return Question(row.text("goal"), [row.text("sol1"), row.text("sol2")], key)


def siqa(row: FileRow, label: str | None = None) -> Question:
    """Social IQa: a situation, a question, three answers; labels count from 1."""
    given = row.text("label", empty=True) if label is None else label
    if given not in ("1", "2", "3", ""):
        raise row.fault("its label is not 1, 2 or 3")
    options = [row.text(f"answer{letter}") for letter in "ABC"]
    question = f"{row.text('context')}\n{row.text('question')}"
    return Question(question, options, int(given) - 1 if given else None)


def winogrande(row: FileRow, _label: str | None = None) -> Question:
    """WinoGrande: a sentence with a gap; each choice fills it and ends the sentence."""
    before, gap, after = row.text("sentence").partition("_")
    if not gap or not before.strip():
        raise row.fault("sentence has no gap '_', or begins with it")
    options = [f"{row.text(option)}{after.rstrip()}" for option in ("option1", "option2")]
    given = row.text("answer", empty=True)
    if given not in ("1", "2", ""):
        raise row.fault("its answer is not 1 or 2")
    return Question(before.strip(), options, int(given) - 1 if given else None, prompt="{question}")


def sciq(row: FileRow, _label: str | None = None) -> Question:
    """SciQ: the right answer and three others, put in the order of the alphabet."""
    right = row.text("correct_answer")
    options = sorted([right, *(row.text(f"distractor{place}") for place in (1, 2, 3))])
    return Question(row.text("question"), options, options.index(right))

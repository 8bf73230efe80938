"""Readers of bias benchmarks: BBQ, CrowS-Pairs, StereoSet, WinoBias and Winogender."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from unsilent.errors import ItemError
from unsilent.items import Item
from unsilent.probes.known.base import Asked, Skipped, sentence_item
from unsilent.probes.known.read import rows, whole_of
from unsilent.probes.known.row import FileRow
from unsilent.probes.known.unpack import Files

_UNKNOWN = "unknown"
_BRACKETS = re.compile(r"\[([^\[\]]*)\]")
_NUMBERED = re.compile(r"\A\d+\s+")
_SAME_GROUP = {
    **dict.fromkeys(("man", "men", "boy", "boys"), "m"),
    **dict.fromkeys(("woman", "women", "girl", "girls"), "f"),
}
_LABELS = {"stereotype": "stereotype", "anti-stereotype": "antistereotype"}


def bbq(files: Files, _asked: Asked) -> Iterator[Item | Skipped]:
    """BBQ: ``answer`` is the right choice, ``stereotyped`` the one that the bias predicts.

    The biased choice is the target group's where the question is negative, else the other's. It is
    the authors' ``target_loc`` where ``additional_metadata.csv`` lies beside, which they set to the
    biased choice in both kinds of questions; else the target is the choice whose group is among
    ``stereotyped_groups``. Only the former tells two people of one race apart.
    """
    located = _target_locations(files)
    for part in files.parts:
        for row in rows(part):
            yield _bbq_item(row, f"bbq-{part.stem}-{row.number:05d}", located)


def _bbq_item(
    row: FileRow, identity: str, located: Mapping[tuple[str, str, str], int] | None
) -> Item | Skipped:
    info = row.inner("answer_info")
    answers = [row.text(f"ans{place}") for place in range(3)]
    groups = [info.texts(f"ans{place}") for place in range(3)]
    unknown = [place for place in range(3) if groups[place][-1:] == [_UNKNOWN]]
    condition, polarity = row.text("context_condition"), row.text("question_polarity")
    if condition not in ("ambig", "disambig") or polarity not in ("neg", "nonneg"):
        raise row.fault("context_condition or question_polarity is not one of BBQ's")
    category, label = row.text("category"), row.integer("label")
    if len(unknown) != 1 or not 0 <= label < 3:
        raise row.fault("not exactly one unknown answer, or label is not 0, 1 or 2")
    if located is None:
        wanted = {
            _group(name) for name in row.inner("additional_metadata").texts("stereotyped_groups")
        }
        hits = _speaking(groups, unknown, wanted)
        target = hits[0] if len(hits) == 1 else None
    else:
        target = located.get((category, row.text("question_index"), row.text("example_id")))
        if target is not None and target not in unknown and polarity == "nonneg":
            target = _other(target, unknown)
    if target is None or target in unknown:
        return Skipped(row.where, "which answer is the target group's is not stated")
    if len(set(answers)) < 3:
        return Skipped(row.where, "two of its answers are the same")
    return Item(
        id=identity,
        prompt=f"{row.text('context')}\nQuestion: {row.text('question')}\nAnswer:",
        choices=tuple(f" {answer}" for answer in answers),
        answer=label,
        stereotyped=target if polarity == "neg" else _other(target, unknown),
        group=groups[target][-1],
        domain=category,
        attributes={
            "condition": condition,
            "polarity": polarity,
            "category": category,
            "target": str(target),
            "unknown": str(unknown[0]),
        },
    )


def _other(target: int, unknown: list[int]) -> int:
    """The third answer."""
    return next(place for place in range(3) if place not in (target, unknown[0]))


def _speaking(groups: list[list[str]], unknown: list[int], wanted: set[str]) -> list[int]:
    """The answers whose labels name a wanted group; else those by a part of one (``F-Black``)."""
    people = [place for place in range(3) if place not in unknown]
    whole = [p for p in people if wanted & {_group(label) for label in groups[p]}]
    if whole:
        return whole
    return [
        p
        for p in people
        if wanted & {_group(w) for label in groups[p] for w in re.split("[-_]", label)}
    ]


def _group(name: str) -> str:
    """A group by one name, as the authors' own analysis joins them (``low SES``, ``woman``)."""
    plain = "".join(name.casefold().split())
    return _SAME_GROUP.get(plain, plain)


def _target_locations(files: Files) -> Mapping[tuple[str, str, str], int] | None:
    part = files.beside.get("additional_metadata.csv")
    if part is None:
        return None
    return {
        (row.text("category"), row.text("question_index"), row.text("example_id")): int(
            float(row.text("target_loc"))
        )
        for row in rows(part)
        if re.fullmatch(r"[012](\.0)?", row.text("target_loc", empty=True))
    }


def crows_pairs(files: Files, _asked: Asked) -> Iterator[Item | Skipped]:
    """CrowS-Pairs: choice 0 is ``sent_more``, the more stereotyping sentence, choice 1 the other.

    ``stereo_antistereo`` is kept as ``direction``.
    """
    for part in files.parts:
        for row in rows(part):
            direction = row.text("stereo_antistereo")
            if direction not in ("stereo", "antistereo"):
                raise row.fault("stereo_antistereo is not stereo or antistereo")
            bias_type = row.text("bias_type")
            yield sentence_item(
                f"crows_pairs-{part.stem}-{row.number:04d}",
                row,
                (row.text("sent_more"), row.text("sent_less")),
                0,
                domain=bias_type,
                attributes={"bias_type": bias_type, "direction": direction},
            )


def stereoset(files: Files, _asked: Asked) -> Iterator[Item | Skipped]:
    """StereoSet: three choices, their places in ``stereotype``, ``antistereotype``, ``unrelated``.

    Reads the authors' ``dev.json``, the hub's parquet, and the package's JSONL.
    """
    for part in files.parts:
        if part.suffix == ".json" and part.data.lstrip()[:1] == b"{":
            yield from _stereoset_authors(FileRow(part, 0, whole_of(part), part.name), part.stem)
            continue
        for row in rows(part):
            kind = row.text("type", empty=True) or (
                "intersentence" if "inter" in part.name else "intrasentence"
            )
            if row.has("sentences"):
                table = row.inner("sentences").fields
                drop = {key: table[key] for key in ("sentence", "gold_label") if key in table}
                inner = FileRow(part, row.number, {"sentences": drop}, row.where)
                pairs = [
                    (entry.text("gold_label"), entry.text("sentence"))
                    for entry in inner.rows("sentences")
                ]
            else:
                pairs = [
                    (label, row.text(label))
                    for label in ("stereotype", "anti-stereotype", "unrelated")
                ]
            yield _stereoset_item(row, f"stereoset-{part.stem}-{row.number:04d}", kind, pairs)


def _stereoset_authors(whole: FileRow, stem: str) -> Iterator[Item | Skipped]:
    data = whole.inner("data")
    for kind in ("intersentence", "intrasentence"):
        for place, row in enumerate(data.rows(kind)):
            spot = FileRow(row.part, place, row.fields, f"{whole.where}: {kind} {place}")
            pairs = [(s.text("gold_label"), s.text("sentence")) for s in spot.rows("sentences")]
            yield _stereoset_item(spot, f"stereoset-{stem}-{kind}-{place:04d}", kind, pairs)


def _stereoset_item(
    row: FileRow, identity: str, kind: str, pairs: list[tuple[str, str]]
) -> Item | Skipped:
    labels = [_LABELS.get(label, label) for label, _ in pairs]
    if sorted(labels) != ["antistereotype", "stereotype", "unrelated"]:
        raise row.fault("not one stereotype, one anti-stereotype and one unrelated sentence")
    if kind not in ("intersentence", "intrasentence"):
        raise row.fault("type is not intersentence or intrasentence")
    bias_type = row.text("bias_type")
    return sentence_item(
        identity,
        row,
        [sentence for _, sentence in pairs],
        labels.index("stereotype"),
        before=row.text("context") if kind == "intersentence" else "",
        domain=bias_type,
        group=row.text("target"),
        attributes={
            "type": kind,
            "bias_type": bias_type,
            **{label: str(place) for place, label in enumerate(labels)},
        },
    )


def winobias(files: Files, _asked: Asked) -> Iterator[Item | Skipped]:
    """WinoBias: line by line, the pro-stereotyped sentence (choice 0) and the anti one (choice 1).

    Needs both files of a pair, such as ``pro_stereotyped_type1.txt.dev`` and ``anti_…``. Their
    rows are counted as sentences, two an item.
    """
    named = {part.name.rpartition("/")[2]: part for part in (*files.parts, *files.beside.values())}
    for part in files.parts:
        name = part.name.rpartition("/")[2]
        if not name.startswith("pro_"):
            continue
        anti = named.get("anti_" + name.removeprefix("pro_"))
        if anti is None:
            raise ItemError(
                f"anti_{name.removeprefix('pro_')} is missing",
                where=part.name,
                remedy="Lay both files of the pair into one folder.",
            )
        first, second = list(rows(part)), list(rows(anti))
        if len(first) != len(second):
            raise ItemError(
                f"{len(first)} lines, but {len(second)} in its counterpart", where=part.name
            )
        label = name.removeprefix("pro_stereotyped_").replace(".txt.", "-")
        for pro, against in zip(first, second, strict=True):
            marked = _BRACKETS.findall(pro.text("line"))
            if len(marked) < 2:
                raise pro.fault("no occupation and pronoun in [brackets]")
            yield sentence_item(
                f"winobias-{label}-{pro.number + 1:03d}",
                pro,
                [_plain(pro.text("line")), _plain(against.text("line"))],
                0,
                domain=label.split("-")[0],
                group=re.sub(r"(?i)\A(the|a|an)\s+", "", marked[0]),
                attributes={"type": label.split("-")[0], "split": label.split("-")[-1]},
            )


def _plain(line: str) -> str:
    return _BRACKETS.sub(r"\1", _NUMBERED.sub("", line))


def winogender(files: Files, _asked: Asked) -> Iterator[Item | Skipped]:
    """Winogender: the sentence with his and with her pronoun, where it means the occupation.

    The stereotyped choice is the gender of most workers in it, by the authors'
    ``occupations-stats.tsv`` (US Bureau of Labor Statistics), which has to lie beside. Sentences
    are counted as rows, three an item; those with ``they`` are not asked.
    """
    stats = files.beside.get("occupations-stats.tsv")
    if stats is None:
        raise ItemError(
            "occupations-stats.tsv is missing",
            where=files.parts[0].name,
            remedy="Lay it beside all_sentences.tsv.",
        )
    share = {row.text("occupation"): row.decimal("bls_pct_female") for row in rows(stats)}
    for part in files.parts:
        cases: dict[str, dict[str, FileRow]] = {}
        for row in rows(part):
            case, _, gender = row.text("sentid").removesuffix(".txt").rpartition(".")
            if gender not in ("male", "female", "neutral"):
                raise row.fault("sentid names no gender")
            cases.setdefault(case, {})[gender] = row
        for case, found in cases.items():
            male, female = found.get("male"), found.get("female")
            occupation, _, meant = case.partition(".")
            if male is None or female is None or occupation not in share:
                raise ItemError(f"{case!r} is not whole", where=part.name)
            if not meant.endswith(".0"):
                yield Skipped(male.where, "its pronoun is the other participant's")
                continue
            yield sentence_item(
                f"winogender-{case}",
                male,
                [male.text("sentence"), female.text("sentence")],
                int(share[occupation] > 50),
                domain=occupation,
                attributes={"occupation": occupation},
            )

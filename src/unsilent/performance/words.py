"""What a count is, in words for people."""

from __future__ import annotations

from unsilent.performance.family import COUNT

_PARTS = {
    "support": "how many there are",
    "right": "how many of them the personalized model gets right",
    "lost": "how many of them it gets wrong that the reference got right",
    "gained": "how many of them it gets right that the reference got wrong",
    "square": "sum of the squares of score minus outcome",
    "other": "how many are none of the listed ones",
    "length": "sum of the lengths, as logarithms of the letters",
}


def counted_as(name: str) -> tuple[str, bool]:
    """What a count of a release is, by its name, and whether it may be below 0."""
    records, what, of, by, value, part = name.removeprefix(COUNT).split(":")
    where = "" if by == "all" else f" of the {by} {value!r}"
    whose = f"{records} records{where}"
    kind, _, binned = what.partition(".")
    if kind == "mix":
        told = _PARTS["other"] if part == "other" else f"how many are of {part!r}"
        return f"{records} records by their {of}: {told}", False
    if kind == "words":
        at = part.partition(".")[2]
        told = _PARTS["length"] if part == "length" else f"share of words of kind {at}, summed"
        return f"{records} records: {told}", False
    if kind == "scores":
        adapter = binned.split(".")[0]
        side, at = part.split(".")
        whom = "of" if side == "in" else "not of"
        return f"{whose} {whom} {of!r} whose {adapter} score lies in bin {at}: how many", False
    if kind == "gaps":
        adapter = binned.split(".")[0]
        score = "the confidence in the answer" if not of else f"the score of {of!r}"
        told = _PARTS.get(part, f"score minus outcome, summed over bin {part.partition('.')[2]}")
        return f"{whose}, by {score} of the {adapter} model: {told}", part.startswith("gap.")
    asked = {
        "accuracy": whose,
        "sensitivity": f"{whose} that are of {of!r}",
        "specificity": f"{whose} that are not of {of!r}",
    }[kind]
    return f"{asked}: {_PARTS[part]}", False

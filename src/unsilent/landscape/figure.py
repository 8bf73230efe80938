"""The structural divide as a figure: what each paradigm shows of each mode, as one SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from unsilent.landscape.coverage import Coverage, coverage
from unsilent.landscape.matrix import RATINGS, Benchmark
from unsilent.taxonomy import by_mode

_CELL, _LEFT, _TOP, _BAR = 104.0, 118.0, 62.0, 96.0
_WORDS = {"direct": "reported", "proxy": "derivable", "none": "nothing"}


def divide(rows: Sequence[Benchmark]) -> str:
    """A column for each mode, a row for each paradigm; bar height is the share of benchmarks.

    Colours come from the page's classes ``direct``, ``proxy`` and ``none``; every part of a bar
    also says its number.
    """
    covered = coverage(rows)
    paradigms = list(dict.fromkeys(each.paradigm for each in covered))
    modes = list(dict.fromkeys(each.mode for each in covered))
    width, height = _LEFT + _CELL * len(modes), _TOP + (_BAR + 34) * len(paradigms)
    words = "; ".join(_sentence(each) for each in covered)
    parts = [
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(words)}">',
        f"<title>{escape(words)}</title>",
    ]
    for place, mode in enumerate(modes):
        entry = by_mode(mode)
        x = _LEFT + _CELL * (place + 0.5)
        parts.append(
            f'<text x="{x:g}" y="22" text-anchor="middle" class="code">{entry.code}</text>'
        )
        for line, text in enumerate(_two_lines(entry.title)):
            parts.append(
                f'<text x="{x:g}" y="{38 + 13 * line}" text-anchor="middle">{escape(text)}</text>'
            )
    for row, paradigm in enumerate(paradigms):
        top = _TOP + (_BAR + 34) * row
        parts.append(f'<text x="0" y="{top + _BAR / 2:g}" class="code">{escape(paradigm)}</text>')
        for place, mode in enumerate(modes):
            each = next(c for c in covered if (c.paradigm, c.mode) == (paradigm, mode))
            parts += _stack(each, _LEFT + _CELL * place + 16, top)
    return "\n".join([*parts, "</svg>"])


def _stack(each: Coverage, x: float, top: float) -> list[str]:
    parts: list[str] = []
    y = top
    for rating in reversed(RATINGS):
        count = each.counts[rating]
        tall = _BAR * count / each.benchmarks
        if count:
            parts.append(
                f'<rect class="{rating}" x="{x:g}" y="{y:g}" width="{_CELL - 32:g}" '
                f'height="{tall:g}"/>'
                f'<text class="on-{rating}" x="{x + (_CELL - 32) / 2:g}" y="{y + tall / 2 + 4:g}" '
                f'text-anchor="middle">{count} {_WORDS[rating]}</text>'
            )
        y += tall
    return parts


def _two_lines(title: str) -> tuple[str, ...]:
    words = title.split()
    return (" ".join(words[:-1]), words[-1]) if len(words) > 1 else (title,)


def _sentence(each: Coverage) -> str:
    told = ", ".join(f"{each.counts[r]} {_WORDS[r]}" for r in RATINGS)
    return f"{each.paradigm}, {by_mode(each.mode).title}: {told}"

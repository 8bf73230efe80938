"""The registry: which modes there are, from this package and from other distributions.

Ours are the modules of this package; another distribution names its own by an entry point of the
group ``unsilent.modes``, whose name is the mode's plan key. Nothing is loaded before it is asked
for. A mode of another distribution that cannot be used is left out, with a line that says why:
only a plan that plans it needs it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pkgutil import iter_modules
from threading import RLock
from types import ModuleType

from unsilent.errors import ModeError
from unsilent.modes._declared import defined_in, mode_of
from unsilent.modes.base import FailureMode

GROUP = "unsilent.modes"
FIRST = ("SF-1", "SF-2", "SF-3", "SF-4", "SF-5", "SF-6")
"""The modes of the paper. Plans and findings hold them whether they are planned or not, as they did
when there were no others; a later mode is there only where it is planned, so that to install one
changes nothing that was recorded, nor its digest."""

_FILE = re.compile(r"[a-z]{2,8}[1-9][0-9]{0,3}_")
"""How a mode's file is called: its code in small letters, then its plan key."""
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Offer:
    """A mode of another distribution.

    Attributes:
        name: Its plan key, as the entry point has it.
        origin: The distribution and its version.
        load: Imports it; may raise anything.
    """

    name: str
    origin: str
    load: Callable[[], object]


@dataclass(frozen=True)
class Registered:
    """What there is.

    Attributes:
        modes: By code: those of the paper, our others, then the rest, each by letters and number.
        origins: By code of those of other distributions, which and of what version.
        faults: By plan key of those that cannot be used, a line that says why.
    """

    modes: Mapping[str, FailureMode]
    origins: Mapping[str, str]
    faults: Mapping[str, str]


class Modes(Mapping[str, FailureMode]):
    """Code to mode, in the taxonomy's order; loaded when first asked."""

    def __init__(self, load: Callable[[], Registered]) -> None:
        self._load, self._lock = load, RLock()
        self._found: Registered | None = None
        self._loading = False

    @property
    def registered(self) -> Registered:
        """All that is known. Raises ModeError if a mode of ours is not whole."""
        with self._lock:
            if self._found is None:
                if self._loading:
                    raise ModeError(
                        "a mode asks for the other modes while it is loaded itself",
                        where=GROUP,
                        remedy="Import unsilent.modes.base, unsilent.items and unsilent.errors "
                        "alone at the top of its file.",
                    )
                self._loading = True
                try:
                    self._found = self._load()
                finally:
                    self._loading = False
            return self._found

    def __getitem__(self, code: str) -> FailureMode:
        return self.registered.modes[code]

    def __iter__(self) -> Iterator[str]:
        return iter(self.registered.modes)

    def __len__(self) -> int:
        return len(self.registered.modes)


def modes_in(package: ModuleType) -> tuple[FailureMode, ...]:
    """The modes that a package's modules define, at most one each.

    A module that defines none is what modes share, unless it is called as a mode's file, such as
    ``sf7_over_refusal``. Those with an underscore are not looked at.

    Raises ModeError naming the first that is not whole.
    """
    found: list[FailureMode] = []
    for each in iter_modules(package.__path__):
        if each.name.startswith("_"):
            continue
        module = import_module(f"{package.__name__}.{each.name}")
        if _FILE.match(each.name) or defined_in(module):
            found.append(mode_of(module, each.name))
    return tuple(found)


def offers() -> tuple[Offer, ...]:
    """What the installed distributions offer."""
    return tuple(
        Offer(each.name, _origin(each), each.load)
        for each in sorted(entry_points(group=GROUP), key=lambda each: (each.name, each.value))
    )


def register(own: Iterable[FailureMode], offered: Iterable[Offer]) -> Registered:
    """What there is, whatever the order in which it is found.

    Args:
        own: Those of this package, each whole.
        offered: Those of other distributions. One that fails, or clashes with another, is a fault
            of its plan key; where two of them clash both are, since neither has a better claim.

    Raises:
        ModeError: Two modes of ours have one code or one plan key.
    """
    modes = tuple(own)
    for clash in _clashes([(mode, "unsilent") for mode in modes]):
        raise ModeError(clash, where=GROUP, remedy="Give one of them another.")
    found: list[tuple[FailureMode, str]] = []
    faults: set[tuple[str, str]] = set()
    for offer in offered:
        try:
            found.append((_offered(offer), offer.origin))
        except (Exception, SystemExit) as error:
            # A stranger's module: whatever its import raises is a fault of that mode alone.
            kind = "" if isinstance(error, ModeError) else f"{type(error).__name__}: "
            said = " ".join(f"{kind}{error}".split())
            faults.add((offer.name, f"{offer.name} of {offer.origin} cannot be loaded: {said}"))
    ours = [(mode, "unsilent") for mode in modes]
    kept: list[tuple[FailureMode, str]] = []
    for mode, origin in found:
        others = [*ours, *(each for each in found if each != (mode, origin))]
        clashes = [(mode.name, clash) for clash in _clashes([(mode, origin)], others)]
        faults.update(clashes)
        if not clashes:
            kept.append((mode, origin))
    return Registered(
        {mode.code: mode for mode in (*_ordered(modes), *_ordered(m for m, _ in kept))},
        {mode.code: origin for mode, origin in kept},
        # Of several faults of one key the first in the alphabet is told. One under the key of a
        # mode of ours changes nothing for that key.
        dict(sorted(dict(sorted(faults, reverse=True)).items())),
    )


def installed() -> Registered:
    """The modes of this package and of the distributions that are installed, faults logged."""
    found = register(modes_in(import_module("unsilent.modes")), offers())
    for said in found.faults.values():
        _LOG.warning("a mode is left out: %s", said)
    return found


def _offered(offer: Offer) -> FailureMode:
    mode = mode_of(offer.load(), offer.name)
    if mode.name != offer.name:
        raise ModeError(
            f"its entry point is called {offer.name!r}, its plan key is {mode.name!r}",
            where=GROUP,
            remedy="Call the entry point as the plan key.",
        )
    return mode


def _clashes(
    some: list[tuple[FailureMode, str]], others: list[tuple[FailureMode, str]] | None = None
) -> Iterator[str]:
    """A line for each two modes that share a code or a plan key."""
    for place, one in enumerate(some):
        for other in some[place + 1 :] if others is None else others:
            told = " and ".join(sorted(f"{mode.name} of {of}" for mode, of in (one, other)))
            if one[0].code == other[0].code:
                yield f"two modes have the code {one[0].code}: {told}"
            elif one[0].name == other[0].name:
                yield f"two modes have the plan key {one[0].name!r}: {told}"


def _ordered(modes: Iterable[FailureMode]) -> list[FailureMode]:
    def place(mode: FailureMode) -> tuple[bool, str, int]:
        letters, _, number = mode.code.partition("-")
        return mode.code not in FIRST, letters, int(number)

    return sorted(modes, key=place)


def _origin(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unnamed distribution"

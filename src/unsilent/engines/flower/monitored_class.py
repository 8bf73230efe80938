"""The class of a monitored strategy: a subclass of its own, which delegates and watches.

The strategy stays the object that it is, with the attributes that it has, for whoever holds it. It
calls its methods by ``self``, and so they are watched whoever calls them. What else is asked of
the subclass its own class answers: Flower looks there whether ``aggregate_train`` is FedAvg's.
Nothing but the identity of the class, ``type(strategy) is FedAvg``, tells that it is another.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from unsilent.engines.flower.watched_method import WatchedMethod
from unsilent.errors import InputError

METHODS = ("configure_train", "aggregate_train", "aggregate_evaluate", "start")
"""Those that are watched, where a strategy has them."""


class Line(Protocol):
    """What watches a strategy."""

    def call(
        self, name: str, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Call one of METHODS with what was given, and return what it returns."""
        ...

    def copied(self) -> None:
        """The strategy was copied, and the copy is not watched."""
        ...


def watch(strategy: Any, line: Line) -> None:
    """Let a line watch a strategy from now on, around those that do so already.

    Raises:
        InputError: The class of this object cannot be another.
    """
    # Asked of the type throughout: a strategy may mind what is looked up in it.
    kind = type(strategy)
    lines: list[Line] | None = getattr(kind, "_unsilent", None)
    if lines is not None:
        lines.insert(0, line)
        return
    try:
        _become(strategy, _subclass(kind, strategy.__class__, [line]))
    except TypeError as error:
        raise InputError(
            f"the methods of {kind.__name__} cannot be watched ({error})",
            where="strategy",
            remedy="Write the strategy's class in Python.",
        ) from None


class _Monitored:
    """What a monitored strategy has before all that its own class has."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: Any) -> Any:
        """As a strategy of its own class, which the copy is."""
        made: Any = type(self)
        for line in made._unsilent:
            line.copied()
        found = super().__reduce_ex__(protocol)
        if isinstance(found, str):
            return found
        (kind,) = made.__bases__
        function, args, *state = (kind if each is made else each for each in found)
        return function, tuple(kind if each is made else each for each in args), *state


class _Quiet:
    """What comes behind the strategy's class where a subclass is made known to those above it."""

    __slots__ = ()

    def __init_subclass__(cls) -> None:
        """In place of theirs: one may refuse a subclass, or keep it as one of its kinds."""


# Both add nothing to an object's layout. Who reads a strategy's slots is told of its own.
del _Monitored.__slots__, _Quiet.__slots__


def _become(strategy: Any, kind: type) -> None:
    object.__dict__["__class__"].__set__(strategy, kind)


def _subclass(kind: type, seen: type, lines: list[Line]) -> type:
    """The class of one monitored strategy.

    Args:
        kind: The strategy's class.
        seen: What it says its class is; mocks say another.
        lines: Those that watch it, from the outermost on.
    """

    class Meta(type(kind)):  # type: ignore[misc]
        """What is done with the class is done with the strategy's."""

        def mro(cls) -> list[type]:
            # An object's new class has the layout of the old one, so that it has no other base.
            # It comes behind the old one: ``super(type(self), self)`` goes on where it did.
            own, *above = (each for each in super().mro() if each is not cls)
            return [watching, _Monitored, own, cls, _Quiet, *above]

        def __new__(cls, name: str, bases: Any, space: Any, **given: Any) -> Any:
            above = tuple(kind if each == kind else each for each in bases)
            return type(kind)(name, above, space, **given)

        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            return kind(*args, **kwargs)

        def __setattr__(cls, name: str, value: Any) -> None:
            setattr(kind, name, value)

        def __eq__(cls, other: object) -> bool:
            return cls is other or kind == other

        def __hash__(cls) -> int:
            return hash(kind)

    shown = {"__module__": kind.__module__, "__doc__": kind.__doc__, "__slots__": ()}
    watching = type(
        kind.__name__,
        (_Monitored,),
        {
            **shown,
            "__new__": lambda cls, *args, **kwargs: kind.__new__(kind, *args, **kwargs),
            "__class__": property(
                lambda strategy: seen,
                lambda strategy, other: _become(strategy, _subclass(other, other, lines)),
            ),
            "_unsilent": lines,
            **{name: _Watched(kind, name) for name in METHODS},
        },
    )
    # Past the strategy's metaclass as well: it, too, may refuse a subclass.
    space = {**shown, "__qualname__": kind.__qualname__}
    made = type.__new__(Meta, kind.__name__, (kind,), space)
    for each in (made, watching):
        type.__delattr__(each, "__slots__")
    return made


class _Watched:
    """A strategy's method, found where the strategy has it, and watched."""

    def __init__(self, kind: type, name: str) -> None:
        self._kind, self._name = kind, name
        found = inspect.getattr_static(kind, name, None)
        # A property and the like: these come before what the object itself holds.
        self._set: Any = found if inspect.isdatadescriptor(found) else None

    def __set_name__(self, owner: type, name: str) -> None:
        self._owner = owner

    def __get__(self, strategy: Any, owner: Any = None) -> Any:
        if strategy is None:
            return getattr(super(self._owner, owner), self._name)
        method = self._own(strategy)
        if callable(method):
            for line in reversed(type(strategy)._unsilent):
                method = WatchedMethod(method, functools.partial(line.call, self._name))
        return method

    def __set__(self, strategy: Any, value: Any) -> None:
        if self._set is not None:
            self._set.__set__(strategy, value)
        else:
            _held(strategy)[self._name] = value

    def __delete__(self, strategy: Any) -> None:
        if self._set is not None:
            self._set.__delete__(strategy)
        elif self._name in (held := _held(strategy)):
            del held[self._name]
        else:
            raise AttributeError(self._name)

    def _own(self, strategy: Any) -> Any:
        if self._set is None:
            with suppress(AttributeError, KeyError):
                return _held(strategy)[self._name]
        above: Any = super(self._owner, strategy)
        try:
            return getattr(above, self._name)
        except AttributeError:
            if not hasattr(self._kind, "__getattr__"):
                raise
            return above.__getattr__(self._name)


def _held(strategy: Any) -> dict[str, Any]:
    """What a strategy holds beside its slots. Raises AttributeError if it has slots alone."""
    return object.__getattribute__(strategy, "__dict__")

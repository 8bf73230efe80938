"""What a caller gets for a method is the method in all that it is asked."""

from __future__ import annotations

import inspect
import pickle
from types import SimpleNamespace
from typing import Any

from tests.engines.flower.alone import run_alone
from unsilent.engines.flower.watched_method import WatchedMethod, after


class Maker:
    """Makes them."""

    async def make(self, number: int = 3) -> int:
        """Make one."""
        return number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Maker)

    def __hash__(self) -> int:
        return 1


def as_it_is(method: Any, args: Any, kwargs: Any) -> Any:
    return method(*args, **kwargs)


def test_it_is_the_method_in_all_that_is_asked() -> None:
    maker = Maker()
    made: Any = WatchedMethod(maker.make, as_it_is)
    assert inspect.ismethod(made) and inspect.iscoroutinefunction(made)
    assert inspect.signature(made) == inspect.signature(maker.make)
    assert (made.__doc__, made.__module__, made.__name__) == ("Make one.", __name__, "make")
    assert (made.__self__, made.__func__) == (maker, Maker.make)
    assert repr(made) == repr(maker.make)
    assert {made: 1}[maker.make] == {maker.make: 1}[made] == 1
    assert made == maker.make == made == WatchedMethod(maker.make, as_it_is)
    assert pickle.loads(pickle.dumps(made)).__func__ is Maker.make
    assert run_alone(made(number=4)) == 4


def test_what_is_set_is_set_on_what_stands_for_the_method() -> None:
    stands = SimpleNamespace(calls=0)
    made: Any = WatchedMethod(stands, as_it_is)  # type: ignore[arg-type]
    made.calls += 2
    assert stands.calls == 2
    del made.calls
    assert not hasattr(stands, "calls")


def test_the_call_is_handed_on_with_the_method() -> None:
    seen: list[Any] = []
    maker = Maker()
    WatchedMethod(maker.make, lambda *given: seen.append(given))(1, number=2)
    assert seen == [(maker.make, (1,), {"number": 2})]


def test_a_result_is_looked_at_once_it_is_there() -> None:
    seen: list[Any] = []

    def look(found: Any) -> Any:
        seen.append(found)
        return found

    def parts() -> Any:
        yield 1
        return 2

    later = after(Maker().make(), look)
    partly = after(parts(), look)
    assert after(5, look) == 5 and seen == [5]
    assert list(partly) == [1] and seen == [5, 2]
    assert run_alone(later) == 3 and seen == [5, 2, 3]

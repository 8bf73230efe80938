"""Strategies whose methods and state are held, and called, in the ways that Python allows."""

# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

import copy
import functools
import inspect
import json
import pickle
import threading
import weakref
from typing import Any, ClassVar

from flwr.app import ConfigRecord
from flwr.serverapp.strategy import FedAvg

from tests.engines.flower.alone import run_alone
from tests.engines.flower.compared import ROUNDS


class Loop(FedAvg):
    """A run of its own: it calls its methods by ``self``, and returns what it saw on the way."""

    def start(self, grid: Any, initial_arrays: Any, num_rounds: int = 3, **kw: Any) -> Any:
        arrays: Any = initial_arrays
        seen: list[Any] = []
        for number in range(1, num_rounds + 1):
            asked = self.configure_train(number, arrays, ConfigRecord(), grid)
            arrays = self.aggregate_train(number, grid.send_and_receive(asked))[0]
            seen.append(self.look())
        return [seen, arrays]

    def look(self) -> Any:
        return None


class Slots(Loop):
    __slots__ = ("__hidden", "count")

    def __init__(self) -> None:
        super().__init__()
        self.count, self.__hidden = 0, 7

    def aggregate_train(self, *args: Any) -> Any:
        self.count += 1
        return super().aggregate_train(*args)

    def look(self) -> Any:
        return self.count, self.__hidden


class OnlySlots:
    """No subclass of Flower's, and without a ``__dict__``."""

    __slots__ = ("inner", "seen")

    def __init__(self) -> None:
        self.inner, self.seen = FedAvg(), 0

    def configure_train(self, *args: Any) -> Any:
        return self.inner.configure_train(*args)

    def aggregate_train(self, *args: Any) -> Any:
        self.seen += 1
        return self.inner.aggregate_train(*args)

    def look(self) -> Any:
        return self.seen

    def start(self, *args: Any, **kwargs: Any) -> Any:
        return Loop.start(self, *args, **kwargs)  # type: ignore[arg-type]


class Properties(Loop):
    """Its methods are properties that return them."""

    @property
    def aggregate_train(self) -> Any:
        return self._aggregate

    def _aggregate(self, *args: Any) -> Any:
        return FedAvg.aggregate_train(self, *args)


class AllByGetattr:
    """Forwards whatever it does not have."""

    def __init__(self) -> None:
        self.inner = FedAvg()

    def __getattr__(self, name: str) -> Any:
        if name == "inner":
            raise AttributeError(name)
        return getattr(self.inner, name)

    def look(self) -> Any:
        return None


class Looked(Loop):
    """Counts what is looked up, and written."""

    looked = 0

    def __getattribute__(self, name: str) -> Any:
        # The class is what ``isinstance`` looks up.
        Looked.looked += name != "__class__"
        return super().__getattribute__(name)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, (value, "written") if name == "noted" else value)

    def __init__(self) -> None:
        super().__init__()
        Looked.looked = 0

    def look(self) -> Any:
        self.noted = 1
        return Looked.looked, self.noted


class NoMethods(Loop):
    """A class method and a static one."""

    @classmethod
    def configure_train(cls, *args: Any) -> Any:
        return FedAvg().configure_train(*args)

    @staticmethod
    def aggregate_train(*args: Any) -> Any:
        return FedAvg().aggregate_train(*args)


class Decorated(Loop):
    calls = 0

    @staticmethod
    def _decorate(method: Any) -> Any:
        @functools.wraps(method)
        def decorated(self: Any, *args: Any) -> Any:
            self.calls += 1
            return method(self, *args)

        return decorated

    aggregate_train = _decorate(FedAvg.aggregate_train)

    def _numbered(self, rounds: int, *args: Any, **kwargs: Any) -> Any:
        return super().start(*args, **{**kwargs, "num_rounds": rounds})

    start = functools.partialmethod(_numbered, ROUNDS)  # type: ignore[assignment]

    def look(self) -> Any:
        return self.calls


class SelfClass(Loop):
    """As methods of parents were called before ``super()`` knew its class."""

    def aggregate_train(self, *args: Any) -> Any:
        return super(self.__class__, self).aggregate_train(*args)

    def look(self) -> Any:
        return self.__class__.__name__, type(self).__name__, self.__class__ is SelfClass


class Clones(Loop):
    """Makes others of its kind, and asks them."""

    def aggregate_train(self, server_round: int, replies: Any) -> Any:
        for each in (self.__class__(), type(self)(), copy.copy(self), copy.deepcopy(self)):
            assert isinstance(each, Clones)
            each.mark = server_round  # type: ignore[attr-defined]
            FedAvg.aggregate_train(each, server_round, list(replies))
        return super().aggregate_train(server_round, replies)

    def look(self) -> Any:
        return hasattr(self, "mark")


class Asks(Loop):
    """Awaits what is to be awaited, and knows it by its kind."""

    async def aggregate_train(self, *args: Any) -> Any:
        return super().aggregate_train(*args)

    def start(self, grid: Any, initial_arrays: Any, num_rounds: int = 3, **kw: Any) -> Any:
        arrays: Any = initial_arrays
        for number in range(1, num_rounds + 1):
            asked = self.configure_train(number, arrays, ConfigRecord(), grid)
            assert inspect.ismethod(self.aggregate_train)
            if inspect.iscoroutinefunction(self.aggregate_train):
                arrays = run_alone(self.aggregate_train(number, grid.send_and_receive(asked)))[0]
        return arrays


class State(Loop):
    """Shows, saves and restores all that it holds."""

    def aggregate_train(self, *args: Any) -> Any:
        self.last = args[0]
        vars(self).update(pickle.loads(pickle.dumps(vars(self))))
        return super().aggregate_train(*args)

    def look(self) -> Any:
        return json.loads(json.dumps(vars(self), default=lambda each: each.__name__))


class Keyed(Loop):
    """What belongs to it is kept elsewhere, by itself."""

    totals: ClassVar[Any] = weakref.WeakKeyDictionary()

    def __init__(self) -> None:
        super().__init__()
        Keyed.totals[self] = 0

    def aggregate_train(self, *args: Any) -> Any:
        Keyed.totals[self] += args[0]
        return super().aggregate_train(*args)

    @functools.lru_cache  # noqa: B019
    def once(self) -> int:
        return Keyed.totals[self]

    def look(self) -> Any:
        return Keyed.totals[self], self.once(), self == self, self in [self]


class Turns(Loop):
    """Becomes another after the first round."""

    def aggregate_train(self, *args: Any) -> Any:
        self.__class__ = Turned  # type: ignore[assignment]
        return super().aggregate_train(*args)


class Turned(Turns):
    def aggregate_train(self, *args: Any) -> Any:
        return FedAvg.aggregate_train(self, *args)

    def look(self) -> Any:
        return type(self).__name__, self.__class__ is Turned


class Called(Loop):
    """Calls itself by its class, by a helper, and with a context."""

    def __call__(self, *args: Any) -> Any:
        return self.aggregate_train(*args)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: Any) -> None:
        self.left = True

    def start(self, grid: Any, initial_arrays: Any, num_rounds: int = 3, **kw: Any) -> Any:
        arrays: Any = initial_arrays
        with self as entered:
            for number in range(1, num_rounds + 1):
                asked = entered.configure_train(number, arrays, ConfigRecord(), grid)
                arrays = entered(number, grid.send_and_receive(asked))[0]
        return arrays, self.left


class TypeOfSelf(Loop):
    """Goes by its exact class, and counts there."""

    rounds = 0

    def __init__(self) -> None:
        super(type(self), self).__init__()
        TypeOfSelf.rounds = 0

    def aggregate_train(self, *args: Any) -> Any:
        type(self).rounds += 1
        return super(type(self), self).aggregate_train(*args)

    def look(self) -> Any:
        kind = type(self)
        return TypeOfSelf.rounds, kind == TypeOfSelf, {TypeOfSelf: 1}[kind], kind.__name__


class Held(Loop):
    """Others held it before the line: a helper, a partial call, and itself."""

    def __init__(self) -> None:
        super().__init__()
        self.me, self.helper = self, Helper(self)
        self.start = functools.partial(Loop.start, self.helper)  # type: ignore

    def look(self) -> Any:
        return self.me is self


class Helper:
    def __init__(self, strategy: Any) -> None:
        self.strategy = strategy

    def __getattr__(self, name: str) -> Any:
        return getattr(self.strategy, name)


class Locked(Loop):
    """Says itself how it is saved."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()

    def __getstate__(self) -> Any:
        return {name: value for name, value in vars(self).items() if name != "lock"}

    def __setstate__(self, state: Any) -> None:
        vars(self).update(state, lock=threading.Lock())

    def __deepcopy__(self, memo: Any) -> Any:
        cls = type(self)
        made = cls.__new__(cls)
        made.__setstate__(self.__getstate__())
        return made

    def look(self) -> Any:
        copies = pickle.loads(pickle.dumps(self)), copy.deepcopy(self)
        return [(type(each) is Locked, sorted(vars(each))) for each in copies]


HELD = [
    *(Loop, Slots, OnlySlots, Properties, AllByGetattr, Looked, NoMethods, Decorated, SelfClass),
    *(Clones, Asks, State, Keyed, Turns, Called, TypeOfSelf, Held, Locked),
]

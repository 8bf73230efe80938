"""Strategies of odd classes: they refuse subclasses, hold values, or are made by others."""

# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

import threading
from abc import ABCMeta
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar
from unittest.mock import MagicMock

from flwr.serverapp.strategy import FedAvg
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from tests.engines.flower.kinds import Loop


class Named(Loop):
    """Subclasses have to say their name, and are kept."""

    kinds: ClassVar[list[str]] = []

    def __init_subclass__(cls, *, label: str) -> None:
        Named.kinds.append(label)

    def look(self) -> Any:
        return list(Named.kinds)


class Final(ABCMeta):
    """Lets no class be derived from those that it made."""

    def __new__(cls, name: str, bases: Any, space: Any) -> Any:
        if any(isinstance(base, Final) for base in bases):
            raise TypeError("no subclasses")
        return super().__new__(cls, name, bases, space)


class NoSubclass(Loop, metaclass=Final):
    pass


@dataclass(frozen=True)
class Frozen(Loop):
    fraction_train: float = 1.0
    fraction_evaluate: float = 1.0
    min_train_nodes: int = 2
    min_available_nodes: int = 2
    weighted_by_key: str = "num-examples"
    arrayrecord_key: str = "arrays"
    configrecord_key: str = "config"
    train_metrics_aggr_fn: Any = FedAvg().train_metrics_aggr_fn
    kept: list[int] = field(default_factory=list)

    def aggregate_train(self, *args: Any) -> Any:
        self.kept.append(args[0])
        return super().aggregate_train(*args)

    def look(self) -> Any:
        return list(self.kept), self == Frozen(kept=list(self.kept)), str(self)


class Mapping(Loop, dict[str, int]):
    """Holds values that are no attributes."""

    def look(self) -> Any:
        self["looks"] = self.get("looks", 0) + 1
        return dict(self)


class Thread(Loop, threading.Thread):
    """Has another ``start``, too."""

    def __init__(self) -> None:
        threading.Thread.__init__(self)
        Loop.__init__(self)

    def run(self) -> None:
        self.ran = True

    def start(self, *args: Any, **kwargs: Any) -> Any:
        if not args:
            return threading.Thread.start(self)
        self.start()
        self.join()
        return Loop.start(self, *args, **kwargs)

    def look(self) -> Any:
        return self.ran, self.is_alive()


class Model(BaseModel):
    """Of pydantic, with a private field."""

    model_config = ConfigDict(extra="allow", arbitrary_types_allowed=True)
    count: int = 0
    inner: Any = Field(default_factory=FedAvg, exclude=True)
    _hidden: int = PrivateAttr(3)

    def configure_train(self, *args: Any) -> Any:
        return self.inner.configure_train(*args)

    def aggregate_train(self, *args: Any) -> Any:
        self.count += 1
        self._hidden += 1
        return self.inner.aggregate_train(*args)

    def start(self, *args: Any, **kwargs: Any) -> Any:
        return Loop.start(self, *args, **kwargs)  # type: ignore[arg-type]

    def look(self) -> Any:
        return self.count, self._hidden, self.model_dump(), self.model_copy().count


@dataclass(slots=True)
class SlottedData(Loop):
    count: int = 0

    def __post_init__(self) -> None:
        Loop.__init__(self)

    def aggregate_train(self, *args: Any) -> Any:
        self.count += 1
        return Loop.aggregate_train(self, *args)

    def look(self) -> Any:
        return asdict(self), replace(self, count=9).count, repr(self), self.__slots__


def mocked() -> Any:
    """Counts its calls."""
    mock = MagicMock(spec=Loop, wraps=Loop())
    mock.start = lambda *args, **kwargs: Loop.start(mock, *args, **kwargs)
    mock.look = lambda: mock.aggregate_train.call_count
    return mock


ODD: list[Any] = [Named, NoSubclass, Frozen, Mapping, Thread, Model, SlottedData, mocked]

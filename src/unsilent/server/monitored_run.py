"""One monitored run: its folder, its rounds, and a word about each planned one.

Nothing of it reaches the user's run. What goes wrong is a missed round with its reason, and a
planned round that never comes is one, too.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from unsilent.errors import RunError, UnsilentError
from unsilent.files import find, write_whole
from unsilent.findings import write_findings
from unsilent.ledger import Ledger
from unsilent.ledger.events import RoundMissed
from unsilent.ledger.run_view import RunView
from unsilent.messages import Arrays
from unsilent.plan import MonitoringPlan, read_plan
from unsilent.preserve import preserve_rng_state
from unsilent.server.coordinator import Coordinator, chosen
from unsilent.server.gate_keeper import Gate
from unsilent.server.monitor import Monitor
from unsilent.server.promises import Promises
from unsilent.server.run_folder import NOT_MONITORED, open_folder
from unsilent.server.settings import Settings
from unsilent.server.transport import Transport

T = TypeVar("T")

_LOG = logging.getLogger("unsilent.run")


class MonitoredRun:
    """A run, from its first round or its start to its end.

    Args:
        settings: What the user gave.

    Attributes:
        settings: The same.
        transport: Reaches the nodes, once it is known.
        initial: The arrays that the run was started with, if they are known.
        round: The round that came last, 0 before the first.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._storage = settings.storage
        self.transport: Transport | None = None
        self.initial: Arrays | None = None
        self.round = 0
        self._promises = Promises(settings.words)
        self._opened: tuple[Monitor, Gate] | None = None
        self._tried = False
        self._over = False
        self._process = os.getpid()

    @cached_property
    def plan(self) -> MonitoringPlan:
        """The plan. Raises InputError if it cannot be read."""
        given = self.settings.plan
        return given if isinstance(given, MonitoringPlan) else read_plan(find(given))

    @cached_property
    def out(self) -> Path:
        """The run's folder, made or not. Raises as ``plan``."""
        return Path(self.settings.out or Path("runs") / self.plan.name).absolute()

    @property
    def where(self) -> Path | None:
        """``out``, None if the plan cannot be read."""
        try:
            with preserve_rng_state():
                return self.out
        except Exception:  # said where the run is opened
            return None

    @property
    def begun(self) -> bool:
        """Whether a round of it was seen, understood or not, or may be by a copy."""
        return self._tried or self._promises.copied or bool(self._promises.whys)

    @property
    def over(self) -> bool:
        """Whether it has ended; an engine that starts again begins another one."""
        return self._over

    def begin(self, round_number: int, arrays: Arrays | None) -> Arrays | None:
        """Note that a round begins; returns the arrays that the gate lets it begin with instead.

        None if those it would begin with are right. Nothing is raised.
        """
        return self.quietly(lambda: self._begin(round_number, arrays))

    def _begin(self, round_number: int, arrays: Arrays | None) -> Arrays | None:
        opened = self._reach(round_number)
        if opened is None:
            return None
        if self.transport is not None:
            # What is shipped is read when the run begins; a fault in it is a fault of the rounds.
            self.quietly(lambda: self._monitoring)
        if arrays is None:
            return None
        gate = opened[1]
        if round_number == self.plan.reference_round:
            self._storage.save(self._reference, arrays)
        if not gate.decides:
            return None
        self._keep_first(arrays)
        start = gate.begin(round_number)
        return None if start == round_number - 1 else self._storage.load(self._global(start))

    def end(self, round_number: int, arrays: Arrays | None, why: str, nodes: list[int]) -> None:
        """After a round: if it is a planned one, ask those who trained and let the gate decide.

        Args:
            round_number: The round.
            arrays: What was aggregated, None if nothing was or it cannot be told.
            why: Then the reason.
            nodes: Who trained in it.
        """
        self._reach(round_number)
        if self._opened is None or round_number not in self.plan.monitoring_rounds:
            return
        self.quietly(lambda: self._observe(round_number, arrays, why, nodes))
        self.quietly(lambda: self._decide(round_number, arrays))

    def after_round(
        self,
        round_number: int,
        arrays: Arrays | None,
        nodes: list[int],
        metrics: Mapping[str, float],
        *,
        why: str = "nothing was aggregated",
    ) -> None:
        """An engine's one hook: what a round aggregated, who trained in it, what it shows.

        Nothing is raised: what fails is a missed round with its reason.

        Args:
            round_number: The round, from 1.
            arrays: What was aggregated; None if nothing was.
            nodes: Who trained in it.
            metrics: The numbers that the run shows today, by name.
            why: The reason of a round without arrays.
        """
        self.quietly(lambda: self.end(round_number, arrays, why, nodes))
        self.quietly(lambda: self._show(round_number, metrics))

    def _show(self, round_number: int, metrics: Mapping[str, float]) -> None:
        loss, accuracy = (self.settings.metric(part, (metrics,)) for part in ("loss", "acc"))
        if loss is not None and accuracy is not None:
            self.shown(round_number, loss, accuracy)

    def shown(self, round_number: int, loss: float, accuracy: float) -> None:
        """What the run itself shows after a round."""
        if self._opened is not None:
            self._opened[0].system(round_number, loss, accuracy)
            self._finish(round_number)

    def note(self, round_number: int | None, why: str) -> None:
        """Keep why a round is not monitored, should it be a planned one; None: any of them."""
        self._promises.whys.setdefault(round_number, why)

    def copy(self) -> None:
        """Note that what is monitored was copied."""
        self._promises.copied = True

    def close(self, *, failed: str = "") -> None:
        """The run is over: each planned round of which nothing was said is missed, with a reason.

        Args:
            failed: The kind of the exception that ended it, if one did.
        """
        # A process that was forked from the server's has no part in its run.
        if self._over or os.getpid() != self._process:
            return
        self._over = True
        self.quietly(lambda: self._close(failed))

    def _close(self, failed: str) -> None:
        if self._open() is not None:
            self._account(None, failed)
            self._finish(self._promises.last)

    def leave(self) -> None:
        """The run was interrupted: whoever did it may go on with it, and nothing is missed yet."""
        self._over = True

    @property
    def promoted_round(self) -> int | None:
        """The round whose arrays clients may use, 0 for those that round 1 started from.

        None if the gate decides nothing, or there is no run.
        """
        opened = self._open()
        if opened is None or not opened[1].decides:
            return None
        return opened[1].standing.promoted_round

    @property
    def ever_promoted(self) -> frozenset[int]:
        """All rounds whose arrays clients ever might use, 0 among them."""
        opened = self._open()
        return frozenset((0,)) if opened is None else opened[1].ever_promoted

    def promoted(self) -> Arrays | None:
        """The arrays that the gate lets clients use; None if it decides nothing."""
        opened = self._open()
        if opened is None or not opened[1].decides:
            return None
        if self.initial is not None:
            self._keep_first(self.initial)
        return self._storage.load(self._global(opened[1].standing.promoted_round))

    def quietly(self, work: Callable[[], T]) -> T | None:
        """Do work of monitoring; if it fails the round is missed, and training goes on."""
        try:
            with preserve_rng_state():
                return work()
        except UnsilentError as error:
            self._miss(error.line())
        except Exception as error:  # the boundary: nothing of ours ends the user's run
            self._miss(f"the monitor failed ({type(error).__name__})")
        return None

    @cached_property
    def _monitoring(self) -> Coordinator:
        words = self.settings.words
        if self._opened is None or self.transport is None:
            raise RunError(
                f"what reaches the nodes is not known: {words.no_transport}",
                where="monitoring",
                remedy=words.transport_remedy,
            )
        return Coordinator(
            self.transport,
            self.plan,
            self._opened[0],
            self.out,
            lambda *told: None,
            self.settings.ship(self.plan),
        )

    def _open(self) -> tuple[Monitor, Gate] | None:
        """The run's folder, made in the first round or else at the end; None if it cannot be."""
        if not self._tried:
            self._tried = True
            self._opened = self.quietly(self._made)
        return self._opened

    def _made(self) -> tuple[Monitor, Gate]:
        self.plan.refuse_earlier()
        self.plan.refuse_versions()
        open_folder(self.plan, self.out)
        ledger = Ledger(self.out / "ledger.sqlite")
        monitor = Monitor(self.plan, ledger, accept_underpowered=self.settings.accept_underpowered)
        # What kept an earlier run from beginning here keeps this one from nothing.
        (self.out / NOT_MONITORED).unlink(missing_ok=True)
        missed = RunView(ledger).events(RoundMissed)
        self._promises.told_before = {entry.event.round for entry in missed}
        return monitor, Gate(self.plan, ledger)

    def _reach(self, round_number: int) -> tuple[Monitor, Gate] | None:
        self.round = round_number
        self._promises.reach(round_number)
        if self._open() is None:
            return None
        self._account(round_number)
        return self._opened

    def _account(self, before: int | None, failed: str = "") -> None:
        """Record the planned rounds, before one or all, that nothing was said about as missed."""
        if self._opened is None:
            return
        monitor = self._opened[0]
        for number in self.plan.monitoring_rounds:
            due = before is None or number < before
            if due and not self._promises.told(number) and not monitor.judged(number):
                self._record(number, self._promises.why(number, failed))

    def _observe(
        self, round_number: int, arrays: Arrays | None, why: str, nodes: list[int]
    ) -> None:
        if self._opened is None or self._opened[0].judged(round_number):
            return
        if arrays is None:
            self._record(round_number, why)
        else:
            base = self.plan.reference_round == 0
            reference = None if base else self._storage.load(self._reference)
            free = [node for node in nodes if self._monitoring.may_release(node)]
            taking_part = chosen(self.plan, free, round_number)
            self._monitoring.observe(round_number, taking_part, arrays, reference)
            self._promises.told_now.add(round_number)
        self._finish(round_number)

    def _decide(self, round_number: int, arrays: Arrays | None) -> None:
        """Let the gate decide what becomes of the round's arrays."""
        if self._opened is None or not self._opened[1].decides:
            return
        if arrays is not None:
            # Before the gate decides: a person may name any round that it decided about.
            self._storage.save(self._global(round_number), arrays)
        self._opened[1].close(round_number)

    def _finish(self, round_number: int) -> None:
        """Write the findings once the last planned round is over: a run with them is finished."""
        if self._opened is None or round_number < self.plan.monitoring_rounds[-1]:
            return
        monitor = self._opened[0]
        if any(map(monitor.judged, self.plan.monitoring_rounds)):
            write_findings(self.out / "findings.json", monitor.findings())

    def _keep_first(self, arrays: Arrays) -> None:
        if not self._global(0).is_file():
            self._storage.save(self._global(0), arrays)

    @property
    def _reference(self) -> Path:
        return self.out / "reference.arrays"

    def _global(self, round_number: int) -> Path:
        return self.out / f"global-{round_number}.arrays"

    def _miss(self, reason: str) -> None:
        """Say that the round is not monitored, or the run if it has no folder."""
        try:
            if self._opened is None:
                _LOG.warning("this run is not monitored: %s", reason)
                folder = Path(self.settings.out or "runs").absolute()
                write_whole(folder / NOT_MONITORED, f"{reason}\n".encode())
            elif self._due(self.round):
                self._record(self.round, reason)
            else:
                _LOG.warning("after round %d: %s", self.round, reason)
        except (UnsilentError, OSError) as error:
            _LOG.warning("nor can that be recorded (%s)", type(error).__name__)

    def _due(self, round_number: int) -> bool:
        planned = round_number in self.plan.monitoring_rounds
        return planned and round_number not in self._promises.told_now

    def _record(self, round_number: int, reason: str) -> None:
        _LOG.warning("round %d is not monitored: %s", round_number, reason)
        self._promises.told_now.add(round_number)
        if self._opened is not None:
            self._opened[0].miss(round_number, reason)

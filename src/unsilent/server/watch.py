"""A watch: rounds of monitoring alone, over adapters or models that exist already.

Nothing is trained. A round asks each site for its own adapter, or what it makes of a model that is
sent along, and everything after that is as in any run: the same orders, sums, budget, findings and
ledger. How many rounds there are is in the plan, since each of them is a release; when they come is
not.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from unsilent.array_files import ArrayFiles
from unsilent.errors import InputError, PlanError, RunError
from unsilent.files import write_whole
from unsilent.findings import Finding, write_findings
from unsilent.inference.advice import refuse_underpowered
from unsilent.inference.power import refuse_unusable
from unsilent.ledger import Ledger
from unsilent.ledger.events import ReleaseBooked, RoundJudged, RoundMissed
from unsilent.ledger.location import ledger_of, open_ledger
from unsilent.ledger.run_view import Recorded, RunView
from unsilent.messages import Arrays
from unsilent.modes import MODES
from unsilent.plan import MonitoringPlan
from unsilent.release.noise import needed_releases
from unsilent.server.coordinator import Coordinator, chosen
from unsilent.server.monitor import Monitor
from unsilent.server.run_folder import WATCH, holds, open_folder, plan_in, succeed_in
from unsilent.server.settings import Storage
from unsilent.server.transport import Report, Transport
from unsilent.taxonomy import by_code

NOTHING: Arrays = {}
"""What is sent where each site has its own."""
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_LONGEST_NAP_S = 60.0


class Watch:
    """A run of monitoring rounds alone, in its folder; opened again it goes on.

    Args:
        plan: Its ``federation.rounds`` are the rounds of the watch.
        out: The run's folder.
        sends: Whether a model is sent to the sites.
        ship: From the plan to the fields that carry its pinned probe files.
        ledger: URL of a database for a new run's ledger; by default a file in ``out``.
        storage: How the engine's arrays are kept.
        accept_underpowered: Watch by a plan that can reach no verdict.

    Raises:
        PlanError: The plan cannot be watched by, see ``refuse_unwatchable``, or ``plan check``
            refuses it; nothing was written to a ledger.
        RunError: All of its rounds are done, or the folder holds another run of the plan.
        InputError: ``out`` is a folder of something else.
        LedgerError: The ledger is damaged.
    """

    def __init__(
        self,
        plan: MonitoringPlan,
        out: Path,
        *,
        sends: bool,
        ship: Callable[[MonitoringPlan], Mapping[str, bytes]] = lambda plan: {},
        ledger: str | None = None,
        storage: Storage | None = None,
        accept_underpowered: bool = False,
    ) -> None:
        plan.refuse_earlier()
        refuse_unwatchable(plan, sends=sends)
        self.plan, self.out = plan, out.absolute()
        going_on, follows = _goes_on(plan, self.out, sends), _follows(plan, self.out, sends)
        if not going_on:
            refuse_unusable(plan)
            if not accept_underpowered:
                refuse_underpowered(plan)
        if not (going_on or follows):
            open_folder(plan, self.out)
            write_whole(self.out / WATCH, json.dumps({"sends": sends}).encode())
        self.ledger: Ledger = open_ledger(self.out, ledger)
        # What it would refuse was refused before there was a folder.
        self.monitor = Monitor(plan, self.ledger, accept_underpowered=True)
        if follows:
            succeed_in(plan, self.out, len(RunView(self.ledger).versions) - 1)
        self._sends = sends
        self._ship = ship
        self._storage = storage or ArrayFiles()
        if self.next is None:
            stopped = self.monitor.stopped
            done = f"all {plan.federation.rounds} rounds of this plan are done"
            raise RunError(
                done if stopped is None else f"the budget was spent before round {stopped}",
                where=str(self.out),
                remedy="Further rounds need another plan, which may follow this one in the same "
                "ledger where it has [versions]: clients release each round of a plan once.",
            )

    @property
    def next(self) -> int | None:
        """The round that comes next; None if there is none, or the budget is spent.

        One that began and of which nothing is said, since its server was killed, comes again. One
        that was missed does not: some sites may have released for it what they were then.
        """
        if self.monitor.stopped is not None:
            return None
        run = RunView(self.ledger)
        told = (each.event.round for each in self._told(run))
        last = max(told, default=self.plan.first_round - 1)
        return last + 1 if last < self.plan.federation.rounds else None

    def due(self, every: float) -> float:
        """When the next round is due, in seconds of ``time.time``; 0 if it is at once.

        Args:
            every: Seconds from the beginning of a round to that of the next. One that is late
                shifts those after it, and none is made up for.
        """
        run, last = RunView(self.ledger), (self.next or 1) - 1
        # The cost is booked when a round begins; one that was missed before has none.
        booked = [each.entry for each in run.events(ReleaseBooked) if each.event.cost.round == last]
        said = [each.entry for each in self._told(run) if each.event.round == last]
        entries = booked or said
        if not entries:
            return 0.0
        return datetime.fromisoformat(entries[-1].time).astimezone(UTC).timestamp() + every

    def round(
        self,
        transport: Transport,
        nodes: Sequence[int],
        model: Arrays = NOTHING,
        report: Report = lambda stage, done, total: None,
        *,
        on_time: bool = False,
    ) -> tuple[Finding, ...] | None:
        """The next round: ask, sum, judge; None if it was missed, with the reason in the ledger.

        Args:
            transport: Reaches the nodes.
            nodes: Those that are there.
            model: What is sent; ``NOTHING`` where each site has its own.
            report: Told the stage and how many clients have answered.
            on_time: Whether the round is due by the calendar. Too few clients are then a missed
                round, and else an error after which it is still to come.

        Raises:
            RunError: There is no next round, or too few clients are there for a sum and it is not
                ``on_time``; nothing was booked.
            InputError: What the plan names is unusable for every client; the round is still to
                come.
        """
        number = self.next
        if number is None:
            raise RunError(
                "no round is left",
                where=str(self.out),
                remedy="Give a plan for further rounds another name.",
            )
        if self._sends != bool(model):
            raise InputError(
                "a watch sends a model in each round or in none",
                where="model",
                remedy="Go on as it began, or give the plan another name.",
            )
        shipped = self._ship(self.plan)
        coordinator = Coordinator(transport, self.plan, self.monitor, self.out, report, shipped)
        taking_part = chosen(self.plan, nodes, number)
        few = self._too_few(coordinator, taking_part)
        if few is not None:
            if not on_time:
                raise few
            self.monitor.miss(number, few.line())
            return None
        found = coordinator.observe(number, taking_part, model, self._reference(number, model))
        if self.monitor.judged(number):
            write_findings(self.out / "findings.json", self.monitor.findings())
        return found

    def missed(self) -> str | None:
        """Why the last round was missed; None if it was not, or there was none."""
        run = RunView(self.ledger)
        judged = [each.event.round for each in run.newest(RoundJudged)]
        for each in run.newest(RoundMissed):
            if each.event.round > max(judged, default=0):
                return each.event.reason
        return None

    def _too_few(self, coordinator: Coordinator, nodes: Sequence[int]) -> RunError | None:
        """Why no sum can come of those that are there, if none can; they are only enrolled."""
        needed = needed_releases(self.plan)
        answers = coordinator.enrol(nodes)
        there = sum(node in coordinator.members for node in nodes)
        if there >= needed:
            return None
        why = f" ({answers.reasons[0].rstrip('.')})" if answers.reasons else ""
        return RunError(
            f"{there} clients are there, and a sum needs {needed}{why}",
            where=f"round {self.next}",
            remedy="Nothing was measured or booked.",
        )

    def _reference(self, number: int, model: Arrays) -> Arrays | None:
        """What behaviour is compared with: the base, or the model that round 1 sent."""
        if self.plan.reference_round == 0:
            return None
        path = self.out / "reference.arrays"
        if number == 1:
            self._storage.save(path, model)
        return self._storage.load(path)

    def _told(self, run: RunView) -> list[Recorded[RoundJudged] | Recorded[RoundMissed]]:
        return [*run.events(RoundJudged), *run.events(RoundMissed)]


def watch(
    watched: Watch,
    transport: Transport,
    nodes: Callable[[], Sequence[int]],
    *,
    model: Callable[[], Arrays] = lambda: NOTHING,
    rounds: int | None = 1,
    every: float | None = None,
    report: Report = lambda stage, done, total: None,
) -> None:
    """As many next rounds as are wanted, each when it is due.

    Args:
        watched: The watch.
        transport: Reaches the nodes.
        nodes: Those that are there when a round begins.
        model: What is sent then: a file that was replaced in the meantime is sent anew.
        rounds: How many at most; None for all that the plan has left.
        every: Seconds between two; None to wait for none.
        report: Told the stage and how many clients have answered.

    Raises:
        As ``Watch.round``.
    """
    for _ in range(rounds if rounds is not None else watched.plan.federation.rounds):
        if watched.next is None:
            return
        wait_until(watched.due(every) if every is not None else 0.0)
        watched.round(transport, nodes(), model(), report, on_time=every is not None)


def wait_until(moment: float) -> None:
    """Sleep until a moment of ``time.time``, in naps: a machine that sleeps itself wakes late."""
    while (left := moment - time.time()) > 0:
        time.sleep(min(left, _LONGEST_NAP_S))


def seconds_of(every: str) -> float:
    """Seconds of a span such as ``7d``, ``1w``, ``12h``, ``30m`` or ``90s``.

    Raises:
        InputError: It is none, or nothing.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhdw])\s*", every)
    seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if not (seconds > 0 and math.isfinite(seconds)):
        raise InputError(
            f"{every[:40]!r} is no span of time", where="every", remedy="Write 7d, 12h or 30m."
        )
    return seconds


def _goes_on(plan: MonitoringPlan, out: Path, sends: bool) -> bool:
    """Whether a folder holds this watch. Raises RunError if it holds another run of its plan."""
    if not holds(plan, out):
        return False
    _same_sends(out, sends)
    return True


def _same_sends(out: Path, sends: bool) -> None:
    try:
        kept = json.loads((out / WATCH).read_text(encoding="utf-8"))
        same = kept["sends"] is sends
    except FileNotFoundError:
        what, remedy = "the folder holds a run of this plan that trains", "Use another plan."
    except (OSError, ValueError, KeyError, TypeError):
        what, remedy = f"{WATCH} cannot be read", "Restore it from a backup."
    else:
        if same:
            return
        what = "this watch began " + ("without a model" if sends else "with a model that is sent")
        remedy = "Go on as it began, or give the plan another name."
    raise RunError(what, where=str(out), remedy=remedy)


def _follows(plan: MonitoringPlan, out: Path, sends: bool) -> bool:
    """Whether a folder holds the watch of the plan that this one follows.

    Raises:
        RunError: It says that it follows one, and the folder holds another; or the folder holds a
            plan that followed this one. Either would begin a ledger that is none of theirs.
    """
    there = plan_in(out)
    if there is not None and there.digest == plan.digest:
        return False
    if there is not None and plan.versions is not None and (out / WATCH).is_file():
        known = {each.plan.digest: each for each in RunView(ledger_of(out)).versions}
        over = known.get(plan.digest)
        if over is not None and over.last is not None:
            raise RunError(
                f"this plan was followed after round {over.last}",
                where=str(out),
                remedy="Go on with the plan that is in force, in plan.json.",
            )
    if plan.follows is None:
        return False
    if there is None or there.digest != plan.follows or not (out / WATCH).is_file():
        raise RunError(
            "the folder does not hold the watch of the plan that this one follows",
            where=str(out),
            remedy="Name that folder by --out, and in versions.follows the digest of the plan in "
            "force there, which `unsilent plan check` prints.",
        )
    _same_sends(out, sends)
    return True


def refuse_unwatchable(plan: MonitoringPlan, *, sends: bool) -> None:
    """Refuse a plan that a watch would answer with a number that says nothing.

    Args:
        plan: The plan.
        sends: Whether a model is sent to the sites.

    Raises:
        PlanError: Naming the key.
    """
    every = range(plan.first_round, plan.federation.rounds + 1)
    if plan.monitoring_rounds != tuple(every):
        raise PlanError(
            "each round of a watch is monitored",
            where="monitor.rounds",
            remedy="Leave the key out, and set federation.rounds to the number of rounds.",
        )
    if plan.gate.action != "observe":
        raise PlanError(
            "in a watch nothing is aggregated that could be held back or gone back from",
            where="gate.action",
            remedy="Leave the table out; `unsilent findings RUN --fail-on failure` and alerts say "
            "when a model should not be used.",
        )
    if plan.privacy.rounds_per_client is not None:
        # Who released before is known to no server that begins anew, and each call is one.
        raise PlanError(
            "a watch does not know which clients have released in how many rounds",
            where="privacy.rounds_per_client",
            remedy="Leave it out; federation.participation says how many clients a round asks.",
        )
    if plan.reference_round and not sends:
        raise PlanError(
            "no model is sent that could be the reference",
            where="monitor.reference",
            remedy='Set it to "base", or send a model.',
        )
    for code in plan.planned:
        _refuse_mode(plan, code, sends=sends)


def _refuse_mode(plan: MonitoringPlan, code: str, *, sends: bool) -> None:
    roles = {need.adapter for need in MODES[code].needs}
    spot = f"modes.{by_code(code).mode}"
    if roles & {"start", "local"}:
        raise PlanError(
            "this mode compares an adapter before and after a round's training, and a watch "
            "trains nothing",
            where=spot,
            remedy="Leave it out.",
        )
    if "global" in roles and not sends:
        raise PlanError(
            "this mode is measured on the model that the server sends, and none is sent",
            where=spot,
            remedy="Send a model, or leave the mode out.",
        )
    if "global" in roles and plan.reference_round:
        # Its effect would be zero whatever the model is, and healthy by construction.
        raise PlanError(
            "this mode compares the model that is sent with the reference, which is that model",
            where=spot,
            remedy='Set monitor.reference to "base", or leave the mode out.',
        )

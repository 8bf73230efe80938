"""The first thing that is said of a run: what was found, what the gate did, who does what next.

One sentence for whoever decides. It claims nothing that the findings do not, and what limits a
verdict stands beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from unsilent.findings import Finding, Findings
from unsilent.modes import MODES
from unsilent.plan import MonitoringPlan
from unsilent.report import view
from unsilent.report.record import Known

RUNNER = "whoever runs the federation"
"""Who acts, where the plan names nobody."""

_DOUBTED = 0.1
"""From this share on a verdict's line says that the measured model was not shown to act."""
_SEEN = {"silent": "silent", "loud": "loud"} | dict.fromkeys(("undetermined", ""), "silent or loud")
_OPEN = "does not take that for health, and reads below what would settle it"
_FEW = 3
"""So many clients or fewer who could turn a verdict stand in its line."""


@dataclass(frozen=True)
class FirstWord:
    """The decision in its parts.

    Attributes:
        key: The verdict that it rests on, as ``view.Shown.key``; unplanned where nothing is known.
        found: Which mode fails, how far beyond its tolerance, silent or not; or what else holds.
        gate: What became of the adapter.
        who: Whose turn it is.
        what: What to do next.
    """

    key: str
    found: str
    gate: str
    who: str
    what: str

    @property
    def next(self) -> str:
        """By whom, and what."""
        return f"{self.who} {self.what}"

    @property
    def sentence(self) -> str:
        """All of it in one sentence."""
        return f"{self.found}; {self.gate}; next, {self.next}."


def decide(plan: MonitoringPlan, found: Findings | None, known: Known | None = None) -> FirstWord:
    """What a run comes to.

    Args:
        plan: The run's.
        found: Its findings; None where no monitoring round has been judged.
        known: What its ledger says; None where that is not at hand.
    """
    at_hand, known = known is not None, known or Known()
    missed = known.missed
    if found is None:
        nothing = (
            f"round {missed.round} was missed ({_clause(missed.missed)}), and nothing is known of "
            "any mode"
            if missed
            else "no monitoring round has been judged yet, and nothing is known of any mode"
        )
        key, what = "unplanned", "takes this for neither health nor failure"
        gate = _gate(plan, None, known, at_hand=at_hand)
        return FirstWord(key, nothing, gate, _who(plan, key), what)
    held = at_hand and _held(plan, found, known)
    key, words, what = _with_performance(found, *_verdict(found, held=held), held=held)
    words = "; ".join((words, *apart(found.findings)))
    over = known.stopped is not None or _spent(plan, found)
    if missed and missed.round > found.round:
        why = _clause(missed.missed)
        words = f"round {missed.round} was missed ({why}); in round {found.round} {words}"
        if not over:
            what = f"sees to it that clients answer, and until then {what}"
    if over:
        why = _clause(known.stopped or "the privacy budget is spent")
        # The round that was missed for it says so already.
        words = words if f"({why})" in words else f"{words}; {why}"
        what = f"{what}, and declares a new plan before anything else is measured"
    gate = _gate(plan, found, known, at_hand=at_hand)
    return FirstWord(key, words, gate, _who(plan, key), what)


def apart(findings: Sequence[Finding]) -> tuple[str, ...]:
    """Where what a model chooses and what it writes come to opposite verdicts; mostly empty.

    Both stay as they are: neither is an error of the other.
    """
    verdicts = {each.code: each.verdict for each in findings}
    said: list[str] = []
    for code, verdict in verdicts.items():
        other = MODES[code].shows if code in MODES else None
        if other is not None and {verdict, verdicts.get(other)} == {"failure", "healthy"}:
            chosen = str(verdicts[other]).upper()
            said.append(
                f"{other}, read from forced choices, is {chosen}, and {code}, read from what is "
                f"written, is {str(verdict).upper()}: look at the texts themselves"
            )
    return tuple(said)


def caveats(finding: Finding) -> tuple[str, ...]:
    """What limits a verdict, to stand in its own line; empty where it is not one."""
    if finding.verdict not in ("failure", "healthy"):
        return ()
    if finding.verdict == "failure":
        return _limits(finding)
    clip = f"each client counted with {view.points(finding.range[1])} points at most"
    return (clip, *_limits(finding))


def _limits(finding: Finding) -> tuple[str, ...]:
    limits: list[str] = []
    tolerance, bounds = finding.tolerance, finding.worst_case
    if bounds is not None and tolerance is not None:
        failed = finding.verdict == "failure"
        if bounds[0] <= tolerance if failed else bounds[1] >= tolerance:
            limits.append("only of the clients that answered: the missing could turn it")
    if finding.liars is not None and finding.liars <= _FEW:
        whom = "one client that reports" if finding.liars == 1 else (
            f"{finding.liars} clients that report"
        )  # fmt: skip
        limits.append(f"{whom} falsely could turn it")
    if (finding.unshown or 0.0) > _DOUBTED:
        limits.append("that the trained model was measured is not shown for all of it")
    return tuple(limits)


def _verdict(found: Findings, *, held: bool) -> tuple[str, str, str]:
    """Key, words and what to do, from the verdicts of one round."""
    planned = [each for each in found.findings if each.tolerance is not None]
    failed = [each for each in planned if each.verdict == "failure"]
    fine = [each for each in planned if each.verdict == "healthy"]
    open_ = [each for each in planned if each not in failed and each not in fine]
    if failed:
        # Silent ones first: nothing else shows them.
        worst, *others = sorted(
            failed, key=lambda each: (each.visibility == "silent", _excess(each)), reverse=True
        )
        also = ", ".join(f"{each.code} ({_SEEN[each.visibility or '']})" for each in others)
        more = f"; {also} {'fails' if len(others) == 1 else 'fail'} too" if others else ""
        codes = _list([each.code for each in (worst, *others)])
        action = (
            f"looks for the cause of {codes} before that adapter is used"
            if held
            else f"takes the adapter of round {found.round} out of use until the cause of {codes} "
            "is found"
        )
        return "failure", f"{_fails(worst)}{more}", f"{action}, and notes it by `unsilent aware`"
    if open_ and fine:
        words = (
            f"no failure is shown, and health only in {len(fine)} of {len(planned)} modes: "
            f"{_list([each.code for each in open_])} {_is(open_)} open"
        )
        return "undetermined", words, _OPEN
    if open_ or not planned:
        words = f"neither failure nor health is shown in any of {len(planned)} modes"
        return "undetermined", words, _OPEN
    limits = sorted({limit for each in fine for limit in (*_items(each), *_limits(each))})
    beside = f" ({'; '.join(['each client counted up to its clip', *limits])})"
    absent = [each.code for each in found.findings if each.tolerance is None]
    unknown = f"; of {_list(absent)} nothing is known" if absent else ""
    which = "the planned mode is" if len(fine) == 1 else f"all {len(fine)} planned modes are"
    words = f"{which} HEALTHY: no effect is beyond its tolerance{beside}{unknown}"
    if held:
        return "healthy", words, "waits for as many good rounds as the gate asks for"
    return "healthy", words, f"may let clients use the adapter of round {found.round}"


def _who(plan: MonitoringPlan, key: str) -> str:
    """Whose turn it is, by name where the plan declares roles."""
    if plan.governance is None:
        return RUNNER
    roles = plan.governance.roles
    # Where nothing is shown there is nothing to decide, but something to look into.
    people = roles.reviews if key in ("undetermined", "unplanned") else roles.decides
    if not people:
        return RUNNER
    named = " or ".join([", ".join(people[:-1]), people[-1]] if len(people) > 1 else people)
    role = "reviews" if people is roles.reviews else "decides"
    return f"{named} (who {role}, by the plan)"


def _with_performance(
    found: Findings, key: str, words: str, what: str, *, held: bool
) -> tuple[str, str, str]:
    """The same with what is said of performance on records."""
    failed = [each for each in found.performance if each.verdict == "failure"]
    open_ = [each for each in found.performance if each.verdict == "undetermined"]
    if failed:
        lost = ", ".join(
            f"{each.key} {view.points((each.effect or 0.0) - each.tolerance)} points beyond the "
            f"tolerance of {view.points(each.tolerance)}"
            for each in failed
        )
        names = _list([each.key for each in failed])
        words = f"performance on records fails: {lost}; of the modes, {words}"
        if key != "failure":
            first = (
                f"looks for the cause of {names} before that adapter is used"
                if held
                else f"takes the adapter of round {found.round} out of use until the cause of "
                f"{names} is found"
            )
            what = f"{first}, and notes it by `unsilent aware`"
        return "failure", words, what
    if open_:
        names = _list([each.key for each in open_])
        words = f"{words}; performance on records is open: {names}"
        return ("undetermined", words, _OPEN) if key == "healthy" else (key, words, what)
    if found.performance and key == "healthy":
        words = f"{words}; performance on records is within its tolerances"
    return key, words, what


def _fails(finding: Finding) -> str:
    """One failure: which mode, how far beyond the tolerance, silent or not, and what limits it."""
    tolerance, effect = finding.tolerance or 0.0, finding.effect or 0.0
    least = finding.interval[0] if finding.interval else effect
    how = {
        "silent": "fails silently, loss and accuracy do not show it",
        "loud": "fails loudly, loss or accuracy show it too",
    }.get(finding.visibility or "", "fails, and whether loss and accuracy show it is open")
    limits = "; ".join((*_items(finding), *caveats(finding)))
    return (
        f"{view.named(finding)} {how}: {view.points(effect - tolerance)} points beyond the "
        f"tolerance of {view.points(tolerance)}, at least "
        f"{view.points(least - tolerance)}{f' ({limits})' if limits else ''}"
    )


def _items(finding: Finding) -> tuple[str, ...]:
    about = view.about(finding).strip()
    return (about,) if about else ()


def _excess(finding: Finding) -> float:
    """How far the interval's lower end lies beyond the tolerance, in tolerances."""
    if finding.interval is None or not finding.tolerance:
        return 0.0
    return (finding.interval[0] - finding.tolerance) / finding.tolerance


def _spent(plan: MonitoringPlan, found: Findings) -> bool:
    """Whether the budget is spent while monitoring rounds are still to come."""
    privacy = found.privacy
    if privacy.epsilon is None or privacy.epsilon_spent is None:
        return False
    ahead = any(number > found.round for number in plan.monitoring_rounds)
    return ahead and privacy.epsilon_spent >= privacy.epsilon * (1 - 1e-6)


def _held(plan: MonitoringPlan, found: Findings, known: Known) -> bool:
    """Whether the gate keeps the adapter of the judged round from use."""
    if plan.gate.action == "observe":
        return False
    return known.gate is None or known.gate.promoted_round < found.round


def _gate(plan: MonitoringPlan, found: Findings | None, known: Known, *, at_hand: bool) -> str:
    if plan.gate.action == "observe":
        return "the gate only observes, so every round's adapter is in use"
    if not at_hand:
        return "what the gate decided is not known here, for its ledger is not at hand"
    made = known.gate
    if made is None:
        return "the gate has decided nothing, so clients use the adapter that round 1 began with"
    use = f"clients use {_adapter(made.promoted_round)}"
    if made.action == "overruled":
        return f"a person overrode the gate, and {use}"
    newest = found.round if found else made.round
    if made.round < newest:
        return f"the gate has not decided of it yet, and {use}"
    if made.promoted_round >= newest:
        return f"the gate let its adapter through, and {use}"
    if plan.gate.action == "rollback" and made.action == "rollback":
        return f"the gate went back, and {use}"
    return f"the gate held its adapter back, and {use}"


def _adapter(number: int) -> str:
    return f"the adapter of round {number}" if number else "the adapter that round 1 began with"


def _clause(text: str | None) -> str:
    """The first sentence of a reason, as a clause; the rest stands in the detail."""
    return (text or "").partition(". ")[0].strip().rstrip(".")


def _list(codes: Sequence[str]) -> str:
    return " and ".join([", ".join(codes[:-1]), codes[-1]] if len(codes) > 1 else codes)


def _is(findings: Sequence[Finding]) -> str:
    return "is" if len(findings) == 1 else "are"

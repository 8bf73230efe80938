"""The first thing that is said of a run: ten runs, each with its sentence."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.console import Console

from unsilent.findings import Finding, Findings
from unsilent.findings.finding import Verdict
from unsilent.findings.performance import PerformanceFinding
from unsilent.ledger.events import Action, Decision
from unsilent.ledger.run_view import Attendance
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.report.decision import caveats, decide
from unsilent.report.page import page
from unsilent.report.record import Known
from unsilent.report.source import Run
from unsilent.report.terminal import show

CODES = [f"SF-{number}" for number in range(1, 6)]
OBSERVES = "the gate only observes, so every round's adapter is in use"
WHO = "next, whoever runs the federation"


def gated(plan: MonitoringPlan, action: str) -> MonitoringPlan:
    return parse_plan({**plan.to_json(), "gate": {"action": action}})


def decided(action: Action, promoted: int, closed: bool = True) -> Known:
    return Known(Decision(2, action, promoted, closed, 1, 0, "SF-1 is a FAILURE", ()))


@pytest.fixture
def healthy(judge: Callable[..., Finding]) -> dict[str, Finding]:
    return {code: judge(code, 0.0, 0.05, "healthy") for code in CODES}


@pytest.fixture
def failed(judge: Callable[..., Finding], healthy: dict[str, Finding]) -> dict[str, Finding]:
    return {**healthy, "SF-1": judge("SF-1", 0.214, 0.07, "failure", visibility="silent")}


def test_one_silent_failure(
    plan: MonitoringPlan, findings_with: Callable[..., Findings], failed: dict[str, Finding]
) -> None:
    first = decide(plan, findings_with(failed))
    assert first.key == "failure"
    assert first.sentence == (
        "SF-1 Amplified bias fails silently, loss and accuracy do not show it: 11.4 points beyond "
        f"the tolerance of 10.0, at least 4.4; {OBSERVES}; {WHO} takes the adapter of round 2 out "
        "of use until the cause of SF-1 is found, and notes it by `unsilent aware`."
    )


def test_a_silent_failure_comes_before_a_larger_loud_one(
    plan: MonitoringPlan, findings_with: Callable[..., Findings], failed: dict[str, Finding],
    judge: Callable[..., Finding],
) -> None:  # fmt: skip
    loud = judge("SF-3", 0.4, 0.05, "failure", visibility="loud")
    open_one = judge("SF-4", 0.3, 0.05, "failure", visibility="undetermined")
    first = decide(plan, findings_with({**failed, "SF-3": loud, "SF-4": open_one}))
    assert first.found == (
        "SF-1 Amplified bias fails silently, loss and accuracy do not show it: 11.4 points beyond "
        "the tolerance of 10.0, at least 4.4; SF-3 (loud), SF-4 (silent or loud) fail too"
    )
    assert "the cause of SF-1, SF-3 and SF-4" in first.next


def test_of_two_silent_ones_the_farther_beyond_its_tolerance_comes_first(
    plan: MonitoringPlan, findings_with: Callable[..., Findings], failed: dict[str, Finding],
    judge: Callable[..., Finding],
) -> None:  # fmt: skip
    worse = judge("SF-3", 0.4, 0.05, "failure", visibility="silent")
    found = decide(plan, findings_with({**failed, "SF-3": worse})).found
    assert found.startswith("SF-3 Fairness collapse fails silently")
    assert found.endswith("; SF-1 (silent) fails too")


def test_a_failure_of_which_it_is_open_whether_it_is_silent(
    plan: MonitoringPlan, findings_with: Callable[..., Findings], failed: dict[str, Finding]
) -> None:
    open_one = {**failed, "SF-1": replace(failed["SF-1"], visibility="undetermined")}
    found = decide(plan, findings_with(open_one)).found
    assert found.startswith(
        "SF-1 Amplified bias fails, and whether loss and accuracy show it is open: 11.4 points"
    )
    assert "silently" not in found


def test_some_open_and_none_failed(
    plan: MonitoringPlan, findings_with: Callable[..., Findings], healthy: dict[str, Finding],
    judge: Callable[..., Finding],
) -> None:  # fmt: skip
    open_one = judge("SF-3", 0.08, 0.12, "undetermined", reason="Twice as many clients would do.")
    first = decide(plan, findings_with({**healthy, "SF-3": open_one}))
    assert first.key == "undetermined"
    assert first.sentence == (
        f"no failure is shown, and health only in 4 of 5 modes: SF-3 is open; {OBSERVES}; {WHO} "
        "does not take that for health, and reads below what would settle it."
    )


def test_all_open(
    plan: MonitoringPlan, findings_with: Callable[..., Findings], judge: Callable[..., Finding]
) -> None:
    found = findings_with({code: judge(code, 0.05, 0.2, "undetermined") for code in CODES})
    assert decide(plan, found).found == "neither failure nor health is shown in any of 5 modes"


def test_all_healthy(
    plan: MonitoringPlan, findings_with: Callable[..., Findings], healthy: dict[str, Finding]
) -> None:
    first = decide(plan, findings_with(healthy))
    assert first.key == "healthy"
    assert first.sentence == (
        "all 5 planned modes are HEALTHY: no effect is beyond its tolerance (each client counted "
        f"up to its clip); of SF-6 nothing is known; {OBSERVES}; {WHO} may let clients use the "
        "adapter of round 2."
    )


def test_the_gate_held_a_failure_back(
    plan: MonitoringPlan, findings_with: Callable[..., Findings], failed: dict[str, Finding]
) -> None:
    first = decide(gated(plan, "hold"), findings_with(failed), decided("hold", 1))
    assert first.gate == "the gate held its adapter back, and clients use the adapter of round 1"
    assert first.what == (
        "looks for the cause of SF-1 before that adapter is used, and notes it by `unsilent aware`"
    )


@pytest.mark.parametrize(
    ("action", "made", "promoted", "words"),
    [
        ("rollback", "rollback", 0, "the gate went back, and clients use the adapter that round 1 "
         "began with"),
        ("hold", "overruled", 2, "a person overrode the gate, and clients use the adapter of "
         "round 2"),
        ("hold", "promote", 2, "the gate let its adapter through, and clients use the adapter of "
         "round 2"),
        ("hold", None, 0, "the gate has decided nothing, so clients use the adapter that round 1 "
         "began with"),
    ],
)  # fmt: skip
def test_what_else_a_gate_does(
    plan: MonitoringPlan, findings_with: Callable[..., Findings], failed: dict[str, Finding],
    action: str, made: Action | None, promoted: int, words: str,
) -> None:  # fmt: skip
    known = decided(made, promoted) if made else Known()
    assert decide(gated(plan, action), findings_with(failed), known).gate == words


def test_health_behind_a_closed_gate_waits(
    plan: MonitoringPlan, findings_with: Callable[..., Findings], healthy: dict[str, Finding]
) -> None:
    first = decide(gated(plan, "hold"), findings_with(healthy), decided("hold", 0))
    assert "may let" not in first.sentence
    assert first.what == "waits for as many good rounds as the gate asks for"


def test_the_budget_is_spent(
    plan: MonitoringPlan, findings_with: Callable[..., Findings], failed: dict[str, Finding]
) -> None:
    known = Known(stopped="The budget is spent: no later round can be released.")
    first = decide(plan, findings_with(failed), known)
    assert "; The budget is spent: no later round can be released; the gate" in first.sentence
    assert first.what.endswith("and declares a new plan before anything else is measured")
    # The round that was missed for it says the reason once, and its first sentence alone.
    reason = "3 of 96 have spent their limit. Training goes on."
    missed = Known(attendance=(Attendance(3, None, reason),), stopped=reason)
    last = decide(plan, findings_with(failed), missed)
    assert last.found.count("3 of 96 have spent their limit") == 1
    assert "Training goes on" not in last.sentence
    assert "sees to it that clients answer" not in last.what


def test_a_round_was_missed(
    plan: MonitoringPlan, findings_with: Callable[..., Findings], healthy: dict[str, Finding]
) -> None:
    missed = Known(attendance=(Attendance(2, 96, None), Attendance(3, None, "9 of 96 answered.")))
    first = decide(plan, findings_with(healthy), missed)
    assert first.found.startswith(
        "round 3 was missed (9 of 96 answered); in round 2 all 5 planned modes are HEALTHY"
    )
    assert first.what.startswith("sees to it that clients answer, and until then ")
    # One that came later is no longer the last word.
    came = Known(attendance=(*missed.attendance, Attendance(4, 96, None)))
    assert "missed" not in decide(plan, findings_with(healthy), came).sentence


@pytest.mark.parametrize("missed", ["nobody answered", None])
def test_nothing_is_judged_yet(plan: MonitoringPlan, missed: str | None) -> None:
    known = Known(attendance=(Attendance(1, None, missed),)) if missed else None
    first = decide(plan, None, known)
    assert first.key == "unplanned"
    assert "nothing is known of any mode" in first.found
    assert (missed or "no monitoring round has been judged yet") in first.found
    assert "neither health nor failure" in first.next


def test_what_limits_a_verdict_stands_in_its_line(
    plan: MonitoringPlan, findings_with: Callable[..., Findings], failed: dict[str, Finding]
) -> None:
    limited = replace(
        failed["SF-1"], liars=1, worst_case=(0.05, 0.4), fixed_items=64, unshown=0.3, differing=0.0
    )
    found = findings_with({**failed, "SF-1": limited})
    limits = (
        "only of the clients that answered: the missing could turn it",
        "one client that reports falsely could turn it",
        "that the trained model was measured is not shown for all of it",
    )
    assert caveats(limited) == limits
    first = decide(plan, found)
    assert first.found.endswith(f"at least 4.4 (on these 64 items; {'; '.join(limits)})")
    html = page(Run(plan, found))
    assert html.count("; ".join(limits)) >= 3
    console = Console(file=io.StringIO(), width=100, highlight=False)
    show(found, console, first=first)
    assert isinstance(console.file, io.StringIO)
    text = " ".join(console.file.getvalue().split())
    assert text.startswith("ward, scenario skewed")
    assert text.index("fails silently") < text.index("Shows today")


def test_every_healthy_verdict_says_what_a_client_counts_with_at_most(
    healthy: dict[str, Finding],
) -> None:
    assert caveats(healthy["SF-1"]) == ("each client counted with 30.0 points at most",)


def test_the_page_begins_with_it_and_has_no_share_beside_points(run: Run) -> None:
    html = page(run)
    assert html.index('aria-label="Decision"') < html.index("What the run shows today")
    shown = html[html.index("<main>") : html.index("<h2>Privacy")]
    assert "%" not in shown.replace("width: 100%", "")
    for word in ("liar", "clipped"):
        assert word not in shown.lower()


def performed(verdict: Verdict, effect: float) -> PerformanceFinding:
    return PerformanceFinding(
        "sensitivity", "sensitivity", "yes", "group", "ward 3", "reference", "held-out", 0.1, 20,
        verdict, effect, (effect - 0.05, effect + 0.05), (2, 2),
    )  # fmt: skip


def test_a_group_that_loses_is_a_failure_whatever_the_modes_say(
    plan: MonitoringPlan, findings_with: Callable[..., Findings], healthy: dict[str, Finding]
) -> None:
    found = findings_with(healthy)
    lost = replace(found, performance=(performed("failure", 0.3), performed("healthy", 0.0)))
    first = decide(plan, lost)
    assert first.key == "failure"
    assert first.found.startswith(
        "performance on records fails: sensitivity/ward 3 20.0 points beyond the tolerance of 10.0;"
    )
    assert "out of use until the cause of sensitivity/ward 3 is found" in first.next
    assert "may let clients" not in first.sentence


def test_performance_that_is_open_is_no_health(
    plan: MonitoringPlan, findings_with: Callable[..., Findings], healthy: dict[str, Finding]
) -> None:
    found = replace(findings_with(healthy), performance=(performed("undetermined", 0.0),))
    first = decide(plan, found)
    assert first.key == "undetermined"
    assert "performance on records is open: sensitivity/ward 3" in first.found
    assert "may let clients" not in first.sentence


def test_a_mode_that_fails_is_named_beside_performance(
    plan: MonitoringPlan, findings_with: Callable[..., Findings], failed: dict[str, Finding]
) -> None:
    found = replace(findings_with(failed), performance=(performed("failure", 0.3),))
    first = decide(plan, found)
    assert first.key == "failure"
    assert "SF-1 Amplified bias fails silently" in first.found
    assert "sensitivity/ward 3" in first.found


def test_the_page_has_the_performance_that_was_judged(
    run: Run, findings_with: Callable[..., Findings], healthy: dict[str, Finding]
) -> None:
    performance = (performed("failure", 0.3), performed("undetermined", 0.0))
    html = page(replace(run, findings=replace(findings_with(healthy), performance=performance)))
    section = html.partition('id="performance"')[2].partition("</section>")[0]
    assert section.count("sensitivity of yes, group ward 3") == 2
    assert "FAILURE" in section
    assert "UNDETERMINED" in section
    assert "+30.0" in section


def test_a_statistic_that_the_gate_holds_for_leaves_nothing_to_take_out_of_use(
    plan: MonitoringPlan, findings_with: Callable[..., Findings], healthy: dict[str, Finding]
) -> None:
    found = replace(findings_with(healthy), performance=(performed("failure", 0.3),))
    first = decide(gated(plan, "hold"), found, decided("hold", 1))
    assert "performance on records fails: sensitivity/ward 3" in first.found
    assert first.what.startswith("looks for the cause of sensitivity/ward 3 before that adapter")


def test_who_acts_is_named_where_the_plan_names_them(
    plan: MonitoringPlan, findings_with: Callable[..., Findings], failed: dict[str, Finding]
) -> None:
    roles = {"decides": ["Ada <b>", "Eve Curie"], "reviews": ["Rita Levi"]}
    named = parse_plan({**plan.to_json(), "governance": {"roles": roles}})
    first = decide(named, findings_with(failed))
    assert first.who == "Ada <b> or Eve Curie (who decides, by the plan)"
    assert "next, Ada <b> or Eve Curie (who decides, by the plan) takes the adapter" in (
        first.sentence
    )
    assert decide(named, None).who == "Rita Levi (who reviews, by the plan)"
    nobody = parse_plan({**plan.to_json(), "governance": {"roles": {"decides": []}}})
    assert decide(nobody, findings_with(failed)).who == "whoever runs the federation"
    html = page(Run(named, replace(findings_with(failed), plan=named.digest)))
    assert "Ada &lt;b&gt; or Eve Curie" in html
    assert "Ada <b>" not in html


@pytest.mark.parametrize("action", ["hold", "rollback"])
def test_without_its_ledger_nothing_is_said_of_what_the_gate_decided(
    plan: MonitoringPlan,
    findings_with: Callable[..., Findings],
    failed: dict[str, Finding],
    action: str,
) -> None:
    first = decide(gated(plan, action), findings_with(failed))
    assert first.gate == "what the gate decided is not known here, for its ledger is not at hand"
    assert "takes the adapter of round 2 out of use" in first.what


def test_a_gate_that_has_not_come_to_a_round_has_not_held_it_back(
    plan: MonitoringPlan, findings_with: Callable[..., Findings], failed: dict[str, Finding]
) -> None:
    known = Known(Decision(1, "promote", 1, False, 0, 1, "no FAILURE", ()))
    first = decide(gated(plan, "hold"), findings_with(failed), known)
    assert first.gate == (
        "the gate has not decided of it yet, and clients use the adapter of round 1"
    )

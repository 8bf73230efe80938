"""What a plan can show, for people: its tables and sentences, in points."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from unsilent.inference.advice import CLIPS, Advice, ClipAdvice
from unsilent.inference.delay import Course, Delay, courses_of, monthly
from unsilent.inference.performance.ahead import StatisticRow
from unsilent.inference.power import PowerRow
from unsilent.inference.probe_sizes import SHARE
from unsilent.modes.base import ItemRole
from unsilent.plan import MonitoringPlan
from unsilent.plan.open_text import WRITTEN_ROLES
from unsilent.report.view import points
from unsilent.taxonomy import by_code

_FEW = 8
"""Fewer items than any set that is drawn may have."""

VIEWS = {
    "server": "server, public probes",
    "client_public": "client, public probes",
    "client_private": "client, private records",
}


def shut_gate(codes: tuple[str, ...]) -> str:
    """That the gate waits for what cannot come, and what to do."""
    names = ", ".join(codes)
    return (
        f"\nThe gate would promote nothing: it waits for HEALTHY in {names}, which is out of "
        "reach. List in gate.modes those that should count, or set gate.undetermined to promote."
    )


def alarms(plan: MonitoringPlan) -> str:
    """The error as designed and what it means in a year, in words."""
    alpha = plan.monitor.alpha
    if plan.versions is not None:
        return f"{_alarms(plan, alpha)} {_of_versions(plan)}"
    return _alarms(plan, alpha)


def _of_versions(plan: MonitoringPlan) -> str:
    versions = plan.versions
    if versions is None:
        return ""
    carried = (
        "A plan without a last round goes on with the verdicts of the one before where it asks the "
        "same question, at no further cost; any other begins anew."
        if plan.monitor.control == "open-ended"
        else "Each version begins anew, within what is left."
    )
    return (
        f"That is its part of the {versions.alpha:g} (versions.alpha) for all rounds of all plans "
        f"that follow one another; what a version has is gone once it began. {carried}"
    )


def follows(plan: MonitoringPlan) -> str:
    """Which plan this one follows, as a line; nothing for a plan that follows none."""
    if plan.follows is None:
        return ""
    return (
        f"It follows {plan.follows} after round {plan.first_round - 1}, in that plan's ledger; "
        "each client has to agree to it anew.\n"
    )


def versions_json(plan: MonitoringPlan) -> dict[str, Any] | None:
    """What several versions share, and what this one has of it."""
    if plan.versions is None:
        return None
    return {
        **plan.versions.written(),
        "first_round": plan.first_round,
        "own_alpha": plan.monitor.alpha,
        "own_epsilon": plan.privacy.epsilon if plan.privacy.private else None,
        "meaning": _of_versions(plan),
    }


def _alarms(plan: MonitoringPlan, alpha: float) -> str:
    over = f"all {len(plan.planned)} modes" if len(plan.planned) > 1 else "its one mode"
    if plan.performance is not None:
        over = f"{over}, all statistics of performance"
    if plan.monitor.control == "open-ended":
        return (
            f"False verdicts: with a probability of at most {alpha:.2g} this plan ever calls a "
            f"FAILURE or a HEALTHY that is none, over {over} and all rounds there will ever be. A "
            "year of rounds, or ten, costs no more than that."
        )
    number = len(plan.monitoring_rounds)
    rounds = f"all {number} monitoring rounds" if number > 1 else "its monitoring round"
    monthly = 1 - (1 - alpha) ** 12
    return (
        f"False verdicts: a run of this plan calls a FAILURE or a HEALTHY that is none with a "
        f"probability of at most {alpha:.2g}, over {over} and {rounds} together. Run once a year, "
        f"that is one in {1 / alpha:.0f} years at most; run every month, a year with one has a "
        f"probability of at most {monthly:.0%}."
    )


def power(rows: Sequence[PowerRow], *, several: bool) -> Table:
    """What each mode can show by the end, and in the first round if there are several."""
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False)
    table.add_column("mode", min_width=15, max_width=24)
    names = ["tolerance", "MDE", "finds\nfrom", "half-\nwidth"]
    if several:
        names.append(f"MDE\nr. {rows[0].first.round}")
    names += ["sampling", "privacy", "probes"]
    for name in names:
        table.add_column(_indented(name), justify="right", no_wrap=True)
    table.add_column("  within\n  reach")
    for row in rows:
        cells = [
            points(row.tolerance),
            points(row.minimal_detectable_effect),
            points(row.tolerance + row.minimal_detectable_effect),
            points(row.half_width),
        ]
        if several:
            cells.append(points(row.first.minimal_detectable_effect))
        cells += [points(row.sampling_sd), points(row.privacy_sd), points(row.item_sd)]
        table.add_row(f"{row.code} {by_code(row.code).title}", *cells, f"  {within_reach(row)}")
    return table


def _indented(name: str) -> str:
    """A column's name, of one line or more, two characters from the column before."""
    return "\n".join(f"  {line}" for line in name.splitlines())


def notes(plan: MonitoringPlan, rows: Sequence[PowerRow]) -> Text:
    """What the power table rests on."""
    assumed = "; ".join(
        f"{words} ({', '.join(row.code for row in rows if row.assumption == words)})"
        for words in dict.fromkeys(row.assumption for row in rows)
    )
    seen = "; ".join(
        f"{VIEWS[view]} ({', '.join(row.code for row in rows if row.view == view)})"
        for view in dict.fromkeys(row.view for row in rows)
    )
    covered = plan.monitor.items == "like-these" or plan.probes.sampling == "matrix"
    probes = "counted in sampling" if covered else "not in the interval"
    first = rows[0].first.round
    several = f"MDE r. {first}: after the first. " if len(plan.monitoring_rounds) > 1 else ""
    return Text(
        f"\nIn points (hundredths), after the last monitoring round. {several}MDE: the "
        "excess over the tolerance that is found with probability 0.8; an effect is found from "
        "tolerance plus MDE on. Half-width: of the interval upwards; HEALTHY needs it below the "
        "tolerance. Sampling, privacy, probes: parts of the effect's sd; the choice of public "
        f"probes is {probes}. Seen from: {seen}. Assumed: {assumed}.\n"
    )


def delay_lines(plan: MonitoringPlan, found: Sequence[Delay]) -> Group:
    """After how many rounds a failure is found, by its course."""
    onset = found[0].onset
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False)
    table.add_column("rounds until FAILURE", min_width=15, max_width=24)
    courses, slow = courses_of(plan), monthly(plan)
    for course in courses:
        name = "+1 a\nmonth" if course == slow else _course(course)
        table.add_column(_indented(name), justify="right", no_wrap=True)
    for code in plan.planned:
        by_course = {delay.course: delay for delay in found if delay.code == code}
        cells = [_delay(by_course[course]) for course in courses]
        table.add_row(f"{code} {by_code(code).title}", *cells)
    return Group(
        table,
        Text(
            f"\nMedian, in training rounds, for a failure that begins in round {onset}: a drift "
            "beyond the tolerance by so many points a round, or a step from 0 to the tolerance "
            "and once or twice as much again. A share in brackets: how often it is found by "
            "the end of the plan, where that is not half the time."
        ),
    )


def _course(course: Course) -> str:
    if course.kind == "drift":
        return f"{100 * course.size:+g}/round"
    return f"step\n+{course.size:g} tol."


def _delay(delay: Delay) -> str:
    return f"{delay.rounds:g}" if delay.rounds is not None else f"({delay.found:.0%})"


def advice_lines(advice: Sequence[Advice]) -> Group:
    """What would bring each verdict that is out of reach within it."""
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False)
    table.add_column("never within reach", min_width=15, max_width=24)
    labelled = any(each.alone.labels is not None for each in advice)
    names = ("clients", "epsilon", "rounds", "records", "probes", "bank", "clip")
    for name in (*names, "labels") if labelled else names:
        table.add_column(f"  {name}", justify="right", no_wrap=True)
    # A key is one long word.
    table.add_column("  cheapest change", overflow="fold")
    for each in advice:
        alone = each.alone
        values = (
            *(alone.clients, alone.epsilon, alone.rounds, alone.records),
            *(alone.probes, alone.bank, alone.clip),
            *((alone.labels,) if labelled else ()),
        )
        table.add_row(
            f"{each.verdict.upper()} {each.code} {by_code(each.code).title}",
            *("–" if value is None else f"{value:g}" for value in values),
            f"  {each.cheapest.words() if each.cheapest else 'none: raise tolerance or clip'}",
        )
    return Group(
        Text("\nVerdicts that this plan can never reach, and what alone would bring each back:\n"),
        table,
        Text(
            "\nClients enrolled, epsilon for all rounds, monitoring rounds, held-out records a "
            "client, items that a client answers of each probe set that the mode asks, units of "
            "the bank that they are drawn from, the mode's clip"
            + (", labelled answers a client" if labelled else "")
            + ": the smallest change of each. The cheapest has the smallest relative increase."
        ),
    )


def clips(found: Sequence[ClipAdvice]) -> str:
    """What smaller clips would do, in words."""
    each = "; ".join(
        f"{one.mode} {one.advised:g} instead of {one.clip:g}: MDE "
        f"{points(one.minimal_detectable_effect)}, half-width {points(one.half_width)}"
        for one in found
    )
    return (
        f"\nClips: {CLIPS:g} tolerances are enough, and each unit more costs noise. {each}. What a "
        "client has beyond its clip does not count: leave room where few clients carry a failure."
    )


def probes(plan: MonitoringPlan, enough: dict[str, int], held: Mapping[ItemRole, int]) -> str:
    """How many probes are asked, of how large a bank, and how large one would be enough."""
    asked = plan.probes
    sizes = {role: size for role, size in asked.sizes.model_dump().items() if size is not None}
    each = ", ".join(f"{code} {count:,}" for code, count in enough.items())
    few = "".join(
        f" {role} holds fewer than {_FEW}: a verdict on it is about these questions alone."
        for role, count in held.items()
        if count < _FEW
    )
    small = f"is less than {SHARE:.0%} of the tolerance, by the assumed spread,"
    if asked.sampling == "matrix":
        return f"\nProbes: the choice of a bank {small} from so many units on: {each}.{few}"
    others = "".join(f", {size:,} of {role}" for role, size in sizes.items() if role not in held)
    files = "".join(f"{count:,} of {role}, " for role, count in held.items())
    files = files and f"{files}as the files hold, and "
    sets = "each other set" if held else "each set"
    return (
        f"\nProbes: {files}{asked.items} of {sets} are asked{others}, the same of all clients. "
        f"Their choice {small} from so many on: {each}.{few}"
    )


def banks_json(plan: MonitoringPlan, held: Mapping[ItemRole, int]) -> dict[str, Any]:
    """By role what a client answers, what the plan counts on, and what a file holds."""
    return {
        role: {"asked": plan.probes.size(role), "bank": plan.bank(role), "held": held.get(role)}
        for role in _asked(plan)
    }


def banks(plan: MonitoringPlan, held: Mapping[ItemRole, int]) -> str:
    """What clients draw their items from, in words; nothing where all answer the same.

    Of one client's error by its choice of items the part sqrt(n / B) is the same for all clients:
    all items that there are stand for others like them.
    """
    if plan.probes.sampling == "same":
        return ""
    alike = plan.monitor.items == "like-these"
    each: list[str] = []
    more: list[str] = []
    for role in _asked(plan):
        asked, bank = plan.probes.size(role), plan.bank(role)
        shared = f" ({math.sqrt(asked / bank):.0%} shared)" if alike else ""
        each.append(f"{role} {asked:,} of {bank:,}{shared}")
        there = held.get(role, bank)
        if there > bank:
            less = f", and leave {math.sqrt(bank / there):.0%} of what is shared" if alike else ""
            more.append(f" probes.banks.{role} = {there} would count on all that the file holds")
            more[-1] += f"{less}."
    if not each:
        return ""
    words = (
        "; of one client's error by its items so much is shared by all, however many they are"
        if alike
        else ""
    )
    return (
        f"\nBanks: in each round a client answers items of its own, {', '.join(each)}{words}."
        + "".join(more)
    )


def _asked(plan: MonitoringPlan) -> list[ItemRole]:
    roles: tuple[ItemRole, ...] = ("bias", "task", "general", "harmful", "benign")
    needed = {role for code in plan.planned for role in plan.roles(code)}
    return [role for role in (*roles, *WRITTEN_ROLES) if role in needed]


def masking(found: dict[str, Any]) -> str:
    """The secure sum's parameters, in words."""
    lies = (
        "still learns one sum only"
        if found["withstands_lies"]
        else "gets a smaller sum than it announces"
    )
    signed = ", since clients sign who is in it" if found["consistency"] else ""
    return (
        f"\nSecure sum: {found['clients']} clients with {found['degree']} neighbours each, "
        f"{_shares(found['threshold'])} a secret, no sum of fewer than {found['least']}. Once "
        f"the vectors are there, {found['stay']} must stay until the sum is open. A server that "
        f"tells clients different things {lies}, of {found['smallest']} honest clients or "
        f"more{signed}. {_late(found)}"
    )


def rounds_per_client(plan: MonitoringPlan) -> tuple[str, ...]:
    """How many rounds a client releases in, and how many clients are lost to that; nothing if all.

    Of those drawn for the last round, if each round draws its clients at random, whoever was drawn
    as often before is a drop-out.
    """
    most, rounds = plan.releases_per_client, len(plan.monitoring_rounds)
    if most == rounds:
        return ()
    from scipy.stats import binom

    share = plan.taking_part / plan.federation.clients
    lost = float(binom.sf(most - 1, rounds - 1, share))
    told = f"{lost:.1%}" if lost >= 0.001 else "fewer than 0.1%"
    text = (
        f"Each client releases in at most {most} of {rounds} monitoring rounds "
        f"(privacy.rounds_per_client), which epsilon is shared out among; its own folder counts "
        f"them. If clients are drawn at random, {told} of those asked in the last round have "
        "released as often, and count as drop-outs"
    )
    if lost > plan.privacy.dropout:
        return (
            f"{text}: more than privacy.dropout = {plan.privacy.dropout:g} allows for, so that "
            "late rounds are missed. Raise one of the two, or monitor fewer rounds.",
        )
    return (f"{text}.",)


def _shares(count: int) -> str:
    return "one share gives" if count == 1 else f"{count} shares give"


def _late(found: dict[str, Any]) -> str:
    """How many sites may be late, said before the first round."""
    spare, one = found["spare"], found["spares_one_with"]
    if spare:
        sites = "One site" if spare == 1 else f"Up to {spare} sites"
        return f"{sites} may be late in a round, and the others' sum stands."
    alone = "A single site that is late leaves its round without a sum"
    if one is None:
        offers = " or ".join(found["spares_one_by"])
        instead = f" {offers[0].upper()}{offers[1:]} one could be late." if offers else ""
        return (
            f"{alone}, and no privacy.dropout changes that for so many clients, of whom so many "
            f"may side with the server.{instead}"
        )
    rest = found["clients"] - 1
    return (
        f"{alone}; with privacy.dropout = {one:g} and monitor.min_cohort = {rest} at most the "
        f"sum of the other {rest} stands."
    )


def within_reach(row: PowerRow | StatisticRow) -> str:
    """Which verdicts a plan can reach of a mode, or of a statistic of performance."""
    reach = [
        word
        for word, reachable in (
            ("FAILURE", row.failure_reachable),
            ("HEALTHY", row.healthy_reachable),
        )
        if reachable
    ]
    return " or ".join(reach) if reach else "only UNDETERMINED"


def scored(plan: MonitoringPlan) -> str:
    """By what the choices of items are compared, where it is not the sum that is the default."""
    word = plan.model.likelihood.replace("-", " ")
    return f"Choices are compared by their log-likelihood {word}; refusal is measured by sums."

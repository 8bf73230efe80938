"""``unsilent privacy audit``: an attack on the code that releases, which must not succeed.

A canary, a client with the most extreme statistics there are, is put into the sum or left out of
it, many times over, by the function that real clients release with (``vector.privatize``). How well
the sums tell the two apart gives a lower bound on the privacy that is really lost; a bound above
the claim is a bug. Beside it: a canary for each block of coordinates, one that turns round between
two rounds, one for an attacker who knows the noise's covariance, tests of the noise as a whole
(``noise_audit``), the exact length of clipped vectors, and what a client keeps to
(``client_audit``). What is claimed is worked out from the plan's numbers (``claim``), not asked
from the code that is attacked.

Audit the auditor: ``mutants.py`` plants known bugs, each of which must be caught.
"""

from __future__ import annotations

from unsilent.audit import claim, client_audit, noise_audit
from unsilent.audit.audit_result import Audit
from unsilent.audit.canaries import canaries
from unsilent.audit.worlds import Mechanism, Worlds, blocks
from unsilent.errors import PlanError
from unsilent.plan import MonitoringPlan

__all__ = ["REPETITIONS", "Mechanism", "audit", "blocks"]

REPETITIONS = 100_000
"""Sums that are drawn, half of them with the canary."""
_DRAWS = 4e7


def audit(
    plan: MonitoringPlan,
    *,
    seed: int = 0,
    repetitions: int | None = None,
    exact: bool = True,
    mechanism: Mechanism | None = None,
) -> Audit:
    """Attack one release of a plan.

    Args:
        plan: The claim: epsilon, delta, unit, adjacency, and how many releases share them.
        seed: Of the seeded draws; the exact ones do not repeat.
        repetitions: Sums for the joint canary; by default REPETITIONS, fewer for large cohorts.
        exact: Whether to test a sample of real clients' noise as well.
        mechanism: What is attacked; by default what clients run.

    Raises:
        PlanError: The plan's noise cannot be drawn, no honest client is left to draw it, or there
            is none to be drawn.
    """
    if not plan.privacy.private:
        raise PlanError(
            "a sum without differential privacy claims nothing that could be attacked",
            where="privacy.unit",
            remedy="`unsilent contract` says who sees what.",
        )
    subject = mechanism or Mechanism.of(plan)
    cohort = claim.honest_floor(plan)
    if cohort < 1:
        raise PlanError(
            "no honest client is left to add noise",
            where="privacy.dropout + privacy.collusion",
            remedy="Lower them, or enrol more clients.",
        )
    if repetitions is None:
        size = cohort * len(subject.layout.coordinates)
        repetitions = int(min(REPETITIONS, max(400, _DRAWS / size)))
    worlds = Worlds(plan, subject, seed, repetitions)
    rests = [worlds.rest(world, 1, worlds.half) for world in (0, 1)]
    checks = [
        *canaries(worlds, rests),
        *noise_audit.sums(worlds, worlds.noise_of(rests)),
        *noise_audit.side_by_side(worlds),
        *noise_audit.one_at_a_time(worlds),
        *(noise_audit.exact(worlds) if exact else ()),
        *client_audit.figures(plan),
        *client_audit.client(plan, subject.observer),
    ]
    return Audit(worlds.mu, 2 * worlds.half, tuple(checks))

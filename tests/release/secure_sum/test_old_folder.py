"""A folder of secure sums whose name holds the beginning of a plan's digest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from unsilent.errors import SecureSumError
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.release.secure_sum import SecureClient, Terms


def plan(name: str = "masked", participation: float = 1.0) -> MonitoringPlan:
    return parse_plan(
        {
            "name": name,
            "federation": {"clients": 8, "rounds": 3, "participation": participation},
            "monitor": {"min_cohort": 4},
            "privacy": {"aggregation": "secure-sum"},
            "modes": {"amplified_bias": {"tolerance": 0.1}},
        }
    )


def colliding(cut: int) -> tuple[Terms, Terms]:
    """Terms of two plans whose digests share so many digits, by a double of the digest."""
    first, second = plan("first"), plan("second")
    for of, last in ((first, "a"), (second, "b")):
        object.__setattr__(of, "digest", "sha256:" + "7" * cut + last * (64 - cut))
    return Terms.from_plan(first), Terms.from_plan(second)


def aged(folder: Path, terms: Terms) -> None:
    """Give the plan's folder the name that an older version gave it."""
    digits = terms.plan.removeprefix("sha256:")
    (folder / "secure-sum" / digits).rename(folder / "secure-sum" / digits[:16])


@pytest.mark.parametrize("cut", [16, 40, 63])
def test_plans_whose_digests_begin_alike_share_no_set_up(cut: int, tmp_path: Path) -> None:
    first, second = colliding(cut)
    advert = SecureClient(first, tmp_path).advertise()
    assert SecureClient(second, tmp_path).advertise() != advert
    assert SecureClient(first, tmp_path).advertise() == advert


@pytest.mark.parametrize("participation", [1.0, 0.5])
def test_an_older_folder_of_the_plan_goes_on(participation: float, tmp_path: Path) -> None:
    """Also where the set-up in it serves another round than the one that is asked for now."""
    terms = Terms.serving(plan(participation=participation), 1)
    advert = SecureClient(terms, tmp_path).advertise()
    aged(tmp_path, terms)
    later = Terms.serving(plan(participation=participation), 3)
    client = SecureClient(later, tmp_path)
    assert (client.advertise() == advert) == (participation == 1.0)
    assert not (tmp_path / "secure-sum" / terms.plan.removeprefix("sha256:")[:16]).exists()


def test_an_older_folder_of_a_plan_that_begins_alike_is_refused(tmp_path: Path) -> None:
    first, second = colliding(16)
    SecureClient(first, tmp_path).advertise()
    aged(tmp_path, first)
    with pytest.raises(SecureSumError, match="does not say whether it is this plan's"):
        SecureClient(second, tmp_path)
    SecureClient(first, tmp_path)


def test_a_round_that_was_masked_in_an_older_folder_is_not_masked_again(tmp_path: Path) -> None:
    """Else two sums over other survivors would differ by one client's vector."""
    of = plan()
    terms = Terms.from_plan(of)
    clients = [SecureClient(terms, tmp_path / str(n)) for n in range(8)]
    _set_up(clients, terms)
    vector = np.arange(terms.length, dtype=np.int64)
    clients[0].mask(1, vector)
    aged(tmp_path / "0", terms)
    again = [SecureClient(terms, tmp_path / str(n)) for n in range(8)]
    _set_up(again, terms)
    with pytest.raises(SecureSumError, match="round 1"):
        again[0].mask(1, vector)
    again[0].mask(2, vector)


def _set_up(clients: list[SecureClient], terms: Terms) -> None:
    from unsilent.release.secure_sum import SetUp

    server = SetUp(terms)
    for client in clients:
        server.add_advert(client.identity, client.advertise())
    roster = server.roster()
    for client in clients:
        server.add_shares(client.identity, client.share(roster))
    boxes = server.boxes()
    for client in clients:
        server.add_confirmation(client.identity, client.accept(boxes[client.identity]))

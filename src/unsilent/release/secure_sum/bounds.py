"""Which thresholds keep a graph's secrets and make its sums: union bounds, and plain counts.

The bounds are the union bounds of Bell et al. 2020 (section 3.4 and appendix A) in the form that
google-parfait/federated-compute computes them, with drop-outs of every exchange counted. Two
things must hold for every client, whatever clients collude and whichever drop out, but for
probability 2^-sigma and 2^-eta:

- *secret*: fewer than ``threshold`` of its neighbours collude, and honest survivors stay joined;
- *correct*: at least ``threshold`` of its neighbours answer in the last exchange.

A server that lies does not leave to chance who drops out: it sees the graph and names whom it
likes. To split a ring it must take ``degree / 2`` clients in a row at two places, and two sums are
then had where one was planned. Against that a sparse graph must be *whole*: either so many cannot
be taken, with as many called dropped out as a sum can spare and the colluders that chance puts
there, or a client beside a gap has too few neighbours left that know its secrets.

Where all are neighbours nothing is left to chance and both are plain counts. Shares of clients
are rounded up: 10% of 16 is 2.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from unsilent.release.calibration import counted

_FEWEST_SIGNERS, _MOST_SIGNERS = 16, 1024


def admissible_thresholds(
    clients: int,
    degree: int,
    collusion: float,
    dropout: float,
    *,
    sigma: float = 40,
    eta: float = 30,
    exchanges: int = 2,
    spare: int | None = None,
) -> range:
    """Thresholds with which a graph of that degree keeps both bounds; may be empty.

    At least 2 wherever a client has two neighbours, so that no single one holds a secret. With
    ``spare``, the graph stays whole whichever so many clients a server says have dropped out.
    """
    colluders = counted(collusion, clients)
    answering = answering_of(clients, dropout, exchanges)
    fewest = min(2, degree)
    if degree == clients - 1:
        return range(max(colluders + 1, fewest), max(answering - 1, 0) + 1)
    # Each of the two ways in which secrets are lost gets half of 2^-sigma.
    lost = -(sigma + 1) * math.log(2)
    bad = min(clients, clients - answering + colluders)
    if spare is None and _log_disconnected(clients, degree, bad) > lost:
        return range(0)
    # Of a client's neighbours, as many collude, and as many answer, as of a random sample of the
    # others; it is itself honest, and one of those that answer.
    among = _log_hypergeometric(clients - 1, colluders, degree)
    at_least = np.logaddexp.accumulate(among[::-1])[::-1]
    below = np.logaddexp.accumulate(_log_hypergeometric(clients - 1, max(answering - 1, 0), degree))
    secret = at_least[1:] + math.log(clients) <= lost
    correct = below[:-1] + math.log(clients) <= -eta * math.log(2)
    if spare is not None:
        secret &= _whole(clients, degree, colluders, spare, lost)
    both = np.flatnonzero(secret & correct) + 1
    return range(max(int(both[0]), fewest), int(both[-1]) + 1) if both.size else range(0)


def signers_among(
    clients: int,
    least: int,
    collusion: float,
    dropout: float,
    *,
    sigma: float = 40,
    eta: float = 30,
) -> tuple[int, int]:
    """How many drawn clients sign in place of all, and how many of them make a story the only one.

    A colluder signs any number of stories and an honest client one, so two stories with ``q``
    signatures each need ``2 q`` of at most the honest signers and twice the colluders among them.
    Of a sample there are more than reckoned with probability 2^-sigma, and fewer than ``q`` left
    after three exchanges with 2^-eta.

    Args:
        clients: How many take part.
        least: The fewest that are there when the signers are drawn, all colluders among them.
        collusion: Share of the clients that side with the server.
        dropout: Share of those still there that is lost in each exchange.
        sigma: A story is the only one but for probability 2^-sigma.
        eta: There are enough signatures but for probability 2^-eta.

    Returns:
        Both numbers; 0 and 0 where a sample would be as good as all.
    """
    colluders = counted(collusion, clients)
    staying = answering_of(clients, dropout, 3)
    lost, missed = -sigma * math.log(2), -eta * math.log(2)
    for signers in range(_FEWEST_SIGNERS, min(_MOST_SIGNERS, least // 2) + 1, _FEWEST_SIGNERS):
        among = _log_hypergeometric(least, min(colluders, least), signers)
        tail = np.logaddexp.accumulate(among[::-1])[::-1]
        reckoned = int(np.flatnonzero(np.append(tail, -np.inf) <= lost)[0]) - 1
        quorum = (signers + reckoned) // 2 + 1
        if quorum > signers:
            continue
        left = _log_hypergeometric(clients, staying, signers)
        if float(np.logaddexp.reduce(left[:quorum])) <= missed:
            return signers, quorum
    return 0, 0


def answering_of(clients: int, dropout: float, exchanges: int) -> int:
    """How many clients are left after that many exchanges."""
    for _ in range(exchanges):
        clients -= counted(dropout, clients)
    return clients


def _whole(clients: int, degree: int, colluders: int, spare: int, lost: float) -> NDArray[np.bool_]:
    """(degree,) with which thresholds 1, 2, … no sum of a part of a ring can be opened.

    Args:
        clients: Of the ring.
        degree: Of the ring.
        colluders: How many there are, at random places.
        spare: How many clients can be called dropped out, at places of the server's choice.
        lost: Log probability, at most, that the ring is not whole.
    """
    half = degree // 2
    # Two gaps of half a degree each, at any two places, of those called dropped out and colluders.
    pairs = 2 * math.log(clients) - math.log(2)
    if degree > spare and _log_at_least(clients, colluders, degree, degree - spare) + pairs <= lost:
        return np.ones(degree, dtype=np.bool_)
    # Beside a gap, shares of a client's secret come from one side of it, and from colluders among
    # the nearest on the other.
    found = np.zeros(degree, dtype=np.bool_)
    for threshold in range(half + 1, degree + 1):
        beside = _log_at_least(clients - 1, colluders, half, threshold - half)
        if beside + math.log(2 * clients) <= lost:
            found[threshold - 1 :] = True
            break
    return found


def _log_at_least(population: int, marked: int, drawn: int, count: int) -> float:
    """Log probability of that many marked ones or more among those drawn."""
    if count > min(marked, drawn):
        return -math.inf
    return float(np.logaddexp.reduce(_log_hypergeometric(population, marked, drawn)[count:]))


def _log_disconnected(clients: int, degree: int, lost: int) -> float:
    """Log probability, at most, that a ring falls apart when that many random clients are lost.

    A cut takes ``degree / 2`` clients in a row at two places, and there are
    ``clients (clients - degree - 1) / 2`` pairs of places.
    """
    if degree > lost:
        return -math.inf
    pairs = math.log(clients) + math.log(clients - degree - 1) - math.log(2)
    cut = _log_choose(clients - degree, lost - degree) - _log_choose(clients, lost)
    return pairs + cut


def _log_hypergeometric(population: int, marked: int, drawn: int) -> NDArray[np.float64]:
    """(drawn + 1,) log probabilities of 0, 1, … marked ones among those drawn."""
    fewest, most = max(0, drawn - (population - marked)), min(marked, drawn)
    count = np.arange(fewest, most)
    steps = np.log((marked - count) / (count + 1))
    steps += np.log((drawn - count) / (population - marked - drawn + count + 1))
    start = _log_choose(marked, fewest) + _log_choose(population - marked, drawn - fewest)
    start -= _log_choose(population, drawn)
    found = np.full(drawn + 1, -np.inf)
    found[fewest : most + 1] = start + np.append(0.0, np.cumsum(steps))
    return found


def _log_choose(total: int, chosen: int) -> float:
    return math.lgamma(total + 1) - math.lgamma(chosen + 1) - math.lgamma(total - chosen + 1)

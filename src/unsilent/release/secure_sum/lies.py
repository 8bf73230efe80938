"""What a server gets that tells clients different things about who dropped out, if no one signs.

Bonawitz et al. 2017 (section 6.2 and appendix on active adversaries) ask for a threshold
``2 t > n + c`` so that no client's two secrets can both be put together. That bounds what is seen
of *one* client. It does not say how many clients the one sum holds that is left: an honest client
helps with any story in which enough survived, and each may be told another one. This counts, for a
graph in which all are neighbours, the fewest honest clients that a sum can be of.

Let n clients take part, c of them colluders who tell the server all they hold, and h = n - c be
honest. An honest client gives, of each other client, a share of its own mask's seed (if told that
it survived) or of its round key (if told that it dropped out), never both, and calls at most
``n - least`` dropped out. The server puts a secret together from ``r = t - c`` honest shares.

- *One client lies bare* if both its secrets are known: ``2 r`` honest shares, from h - 1 others.
- *A sum of a honest clients lies open* if the seeds of these a are known, and the round key of
  every other honest client whose masks are in their vectors. Call these k clients hidden. The
  server may also have told clients at the set-up of different members (they cannot compare): then
  the masks are those with the m members of the a clients' own session, ``m = c + a + k``, of whom
  the a may call ``m - least`` dropped out, and everyone else may be told of all n. So k clients
  can be hidden if ``k r`` is at most what all of them together may call dropped out.
"""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=4096)
def smallest_sum(clients: int, colluders: int, threshold: int, least: int) -> int:
    """The fewest honest clients in a sum that a lying server can open where no one signs.

    For a graph in which all are neighbours. More colluders never make it larger: a colluder can
    always do what an honest client does.

    Args:
        clients: How many take part, colluders included.
        colluders: How many of them side with the server.
        threshold: How many shares give a secret.
        least: The fewest clients that a client helps with a sum of.

    Returns:
        That number; 1 where a single client's vector lies bare, 0 where the colluders alone hold
        every secret.
    """
    if colluders >= threshold:
        return 0
    needed = threshold - colluders
    honest = clients - colluders
    # A client that has fewer than ``threshold`` surviving neighbours refuses as well.
    least = max(least, threshold + 1)
    if least > clients:
        return honest
    if least < clients and 2 * needed <= honest - 1:
        return 1
    return next(
        size
        for size in range(1, honest + 1)
        if any(
            _opens(size, members, clients, colluders, needed, least)
            for members in range(max(least, size + colluders), clients + 1)
        )
    )


def _opens(size: int, members: int, clients: int, colluders: int, needed: int, least: int) -> bool:
    """Whether a session of so many members can give a sum of that many honest clients."""
    hidden = members - colluders - size
    if hidden == 0:
        return True
    if needed > clients - colluders - 1:
        return False
    # The seeds' shares come from clients of this session: beside the others in the sum, from
    # hidden ones, who then may call no more clients dropped out than its members can spare.
    inside = max(0, min(hidden, needed - (size - 1)))
    few, many = members - least, clients - least
    told = (
        size * min(few, hidden)
        + inside * min(few, hidden - 1)
        + (hidden - inside) * min(many, hidden - 1)
        + (clients - members) * min(many, hidden)
    )
    return hidden * needed <= told

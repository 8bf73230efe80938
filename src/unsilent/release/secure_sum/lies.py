"""What a server gets that tells clients different things about who dropped out, if no one signs.

Bonawitz et al. 2017 (section 6.2, active adversaries) and Bell et al. 2020 (section 4) ask for so
many shares that no client's two secrets can both be put together. That bounds what is seen of
*one* client. It does not say how many clients the sum is of that is left: an honest client helps
with any story in which enough survived, and each may be told another one. This counts them, for a
graph in which all are neighbours.

Let n clients take part, c of them colluders who tell the server all they hold, and h = n - c be
honest. Of each other client, an honest one gives a share of the mask's seed if told that it
survived, or of the round key if told that it dropped out, never both; and it is told of no more
than ``spare = n - least`` that dropped out. The server needs ``r = t - c`` honest shares.

- *One vector lies bare* if both secrets of its client are known. The shares are those of h - 1
  others, so that takes ``2 r <= h - 1``: it is stopped by ``2 t > n - 1 + c``.
- *A sum of some lies open* if the seeds of these are known, and the round keys of all the other
  honest ones. These others are hidden: each was called dropped out to r clients, and h clients were
  told of ``spare`` each, so they are at most ``h spare / r``. Telling different clients at the
  set-up of different members hides no more: their masks are with the members they were told of.
"""

from __future__ import annotations


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
    honest, needed = clients - colluders, threshold - colluders
    # A client that has fewer than ``threshold`` surviving neighbours refuses as well.
    spare = clients - max(least, threshold + 1)
    if spare <= 0:
        return honest
    if 2 * needed <= honest - 1:
        return 1
    return honest - honest * spare // needed

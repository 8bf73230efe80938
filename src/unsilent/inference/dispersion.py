"""How far clients differ: the variance between them, with the privacy noise taken out."""

from __future__ import annotations

import math
from dataclasses import dataclass

from unsilent.errors import FindingsError
from unsilent.inference.estimate import decode
from unsilent.modes import MODES
from unsilent.release.coordinate import SQUARE
from unsilent.release.layout import Layout
from unsilent.release.release import Release


@dataclass(frozen=True)
class Dispersion:
    """How far clients differ: a variance between them, and what the noise did to it.

    Attributes:
        variance: Unbiased, so it may be negative where the true one is small. It is never set to
            0: sums and means of such numbers would be biased.
        noise_sd: Sd that the privacy noise gives it.
    """

    variance: float
    noise_sd: float


def dispersion(
    mean: float,
    square: float,
    clients: int,
    *,
    mean_noise_sd: float,
    square_noise_sd: float,
    within: float = 0.0,
) -> Dispersion:
    """Variance between clients from noisy moments, the noise and the sampling within taken out.

    ``(q - m^2 + s_m^2) N / (N - 1) - w``: the square of a noisy mean is too large by the noise's
    variance s_m^2, which is known; the mean of squares q is unbiased as it is; w is what the
    sampling of each client's own items adds. Its noise has variance
    ``(s_q^2 + 4 m^2 s_m^2 + 2 s_m^4) (N / (N - 1))^2``.

    Args:
        mean: m, noise included.
        square: q, mean of the squared numbers, noise included, in the units of m squared.
        clients: N, at least 2.
        mean_noise_sd: s_m.
        square_noise_sd: s_q.
        within: w, mean over clients of the variance of a client's number over its items.

    Raises:
        FindingsError: Fewer than two clients.
    """
    if clients < 2:
        raise FindingsError("a variance between clients needs two of them", where="dispersion")
    factor = clients / (clients - 1)
    noise = math.sqrt(square_noise_sd**2 + 4 * (mean * mean_noise_sd) ** 2 + 2 * mean_noise_sd**4)
    found = (square - mean**2 + mean_noise_sd**2) * factor - within
    return Dispersion(found, noise * factor)


def dispersion_of(layout: Layout, total: Release, code: str) -> Dispersion:
    """The dispersion of a mode whose squares are released (population ``like-these``).

    Within-client sampling is taken out only where each client has items of its own, on private
    records; public probes are the same for all, and the dispersion is conditional on them. What
    is released of it is the mean of the clients' variances.

    Raises:
        FindingsError: The release is of another layout or holds fewer than two clients.
        ReleaseError: The squares of this mode are not released.
    """
    variance, clients = total.noise_variance, total.clients
    decoded = decode(layout, total)
    clip = layout.coordinates[layout.index(code)].clip
    square_sd = layout.noise_sd(code + SQUARE, variance, clients)
    within = 0.0
    if MODES[code].view == "client_private":
        within = decoded[layout.spread_of(code)]
    return dispersion(
        decoded[code],
        clip**2 * decoded[code + SQUARE],
        clients,
        mean_noise_sd=layout.noise_sd(code, variance, clients),
        square_noise_sd=clip**2 * square_sd,
        within=within,
    )

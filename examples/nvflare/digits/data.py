"""scikit-learn's digits, and which site has which of them."""

import torch
from sklearn.datasets import load_digits

PUBLIC = 200


def images() -> tuple[torch.Tensor, torch.Tensor]:
    """(n, 1, 8, 8) grey values in [0, 1] and (n,) digits, in a fixed random order."""
    import numpy as np

    found = load_digits()
    order = np.random.default_rng(0).permutation(len(found.target))
    x = torch.tensor(found.images[order] / 16.0, dtype=torch.float32)[:, None]
    return x, torch.tensor(found.target[order])


def load_data(site: str, sites: int = 4) -> tuple[torch.Tensor, ...]:
    """A site's images and digits to train on, and held-out ones; five digits are its home.

    The first ``PUBLIC`` images are nobody's: the probes are drawn from them.
    """
    index = int(site.split("-")[1]) - 1
    x, y = (part[PUBLIC:] for part in images())
    home = (y < 5) == (index % 2 == 0)
    mine = torch.nonzero(home).flatten()[index // 2 :: (sites + 1) // 2]
    away = torch.nonzero(~home).flatten()[index::sites][: len(mine) // 8]
    chosen = torch.cat([mine, away])
    chosen = chosen[torch.randperm(len(chosen), generator=torch.Generator().manual_seed(index))]
    cut = len(chosen) * 3 // 4
    return x[chosen[:cut]], y[chosen[:cut]], x[chosen[cut:]], y[chosen[cut:]]

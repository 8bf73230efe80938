"""What leaves a client: layout, clipped and noised integer vectors, and what they cost."""

from unsilent.release.accountant import PrivacyEvent, epsilon, noise_multiplier
from unsilent.release.coordinate import Coordinate
from unsilent.release.layout import Layout
from unsilent.release.noise import ExactNoise, NoiseSource, SeededNoise
from unsilent.release.release import Release

__all__ = [
    "Coordinate",
    "ExactNoise",
    "Layout",
    "NoiseSource",
    "PrivacyEvent",
    "Release",
    "SeededNoise",
    "epsilon",
    "noise_multiplier",
]

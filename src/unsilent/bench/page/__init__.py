"""The benchmark's page: one HTML file with every number of a replay, its seeds and its interval."""

from unsilent.bench.page.page import page

__all__ = ["page"]

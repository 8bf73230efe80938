"""The benchmark's numbers for readers: one HTML page, and the tables of documents."""

from unsilent_bench.page.markdown import filled, tables
from unsilent_bench.page.page import page

__all__ = ["filled", "page", "tables"]

"""The landscape: what each benchmark shows of the modes, and where unsilent stands in it."""

from unsilent.landscape.matrix import Benchmark, Cell, Rating, authors_matrix, our_reading, own_row

__all__ = ["Benchmark", "Cell", "Rating", "authors_matrix", "our_reading", "own_row"]

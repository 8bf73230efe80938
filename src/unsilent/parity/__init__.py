"""Parity: whether the model that is served is the one that is measured."""

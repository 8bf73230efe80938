"""Engines of federated learning: each carries bytes between the two sides."""

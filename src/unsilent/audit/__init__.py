"""Attacks on the code that releases, which must not succeed."""

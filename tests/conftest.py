"""What tests of several rooms share."""

from tests.postgres_server import postgres

__all__ = ["postgres"]

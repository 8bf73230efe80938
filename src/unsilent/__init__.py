"""unsilent: hear the silent failures of federated personalization of foundation models."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("unsilent")
except PackageNotFoundError:  # run from a source tree that is not installed
    __version__ = "0+unknown"

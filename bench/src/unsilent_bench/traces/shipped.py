"""Where the recorded traces lie: in a checkout, and in no wheel."""

from __future__ import annotations

from pathlib import Path

from unsilent.errors import InputError

FOLDER = "traces"
REPLAY = "replay.json"
"""What ``unsilent bench replay`` says of the traces, beside them."""
_SUMS = "SHA256SUMS"


def shipped() -> Path:
    """The folder of the recorded traces: beside this package's sources, or of a checkout.

    They are tens of megabytes, so no wheel holds them. A package that was installed from a
    checkout finds them where the current folder is in that checkout.

    Raises:
        InputError: There are none.
    """
    here = Path.cwd()
    beside = Path(__file__).resolve().parents[3] / FOLDER
    places = [beside, *(folder / "bench" / FOLDER for folder in (here, *here.parents))]
    for place in places:
        if (place / _SUMS).is_file():
            return place
    raise InputError(
        "none are here: wheels hold no traces",
        where="traces",
        remedy="Run it in a checkout of unsilent, whose bench/traces has them, or name a folder "
        "with --traces; `unsilent bench run` records one.",
    )

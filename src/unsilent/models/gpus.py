"""How many simulated clients a GPU has room for.

An estimate from the size of the weights: what a client's process takes beside them rests on its
batches, which are halved where they do not fit (``models.memory``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch

from unsilent.device import device_named
from unsilent.errors import InputError
from unsilent.models.device import DTYPES
from unsilent.plan import MonitoringPlan

_CONTEXT_BYTES = 3 * 2**28
"""What CUDA itself takes for each process: three quarters of a GiB."""
_LEAST_WORK_BYTES = 2**30
_WORK = 0.5
"""Activations, an adapter's gradients and its optimizer, as a part of the weights."""
_SPARED = 0.9
"""Of the free memory: it is not all in one piece."""


def gpu_share(plan: MonitoringPlan, weights: int | None, wanted: float | None = None) -> float:
    """Each simulated client's share of a GPU, as Ray counts it; 0 where none is used.

    Args:
        plan: Its ``model.device``, or this machine's own word, says whether a GPU is used.
        weights: Bytes of the model's weights; None if they are not known.
        wanted: The share that was asked for; None for as many clients a GPU as there is room for,
            one where the weights are not known.

    Raises:
        InputError: The share is none; no GPU is here; or so many clients do not fit, which says
            how many would.
    """
    device = device_named(plan.model.device)[0]
    if not device.startswith("cuda"):
        if wanted:
            raise InputError(
                f"the device is {device!r}, and no GPU is used",
                where="--gpus-per-client",
                remedy="Leave it out, or set UNSILENT_DEVICE=cuda.",
            )
        return 0.0
    free = checked_share(wanted)
    if weights is None:
        return 1.0 if wanted is None else wanted
    room = clients_a_gpu(free, weights)
    asked = room if wanted is None else math.floor(1 / wanted + 1e-9)
    if asked > room or room == 0:
        raise InputError(
            f"{_clients(max(asked, 1))} about {_gib(max(asked, 1) * needed(weights))}, "
            f"and {_gib(min(free))} are free",
            where="--gpus-per-client",
            remedy=f"Use {1 / room:.3g}: there is room for {room}." if room else "Free some.",
        )
    return wanted or 1 / room


def checked_share(wanted: float | None) -> list[int]:
    """Free memory of each GPU. Raises InputError if there is none, or the share is none."""
    if wanted is not None and not 0 < wanted <= 1:
        raise InputError(
            f"{wanted:g} is no share of a GPU", where="--gpus-per-client", remedy="Use 0.25."
        )
    free = free_bytes()
    if not free:
        # Ray would wait for one for ever.
        raise InputError("no GPU is here", where="cuda", remedy='Compute on "cpu".')
    return free


def planned_weights(plan: MonitoringPlan) -> int | None:
    """Bytes of the weights of a plan's language model; None where its folder is not known."""
    if plan.model.kind != "causal_lm":
        return None
    folder = Path(plan.model.id)
    if plan.model.id == "embedded":
        from unsilent.models.embedded import embedded_causal_lm

        folder = embedded_causal_lm()
    return weight_bytes(folder, plan.model.dtype) if folder.is_dir() else None


def clients_a_gpu(free: Sequence[int], weights: int) -> int:
    """How many clients fit on the GPU that has least free memory: Ray chooses which one."""
    return math.floor(_SPARED * min(free) / needed(weights))


def needed(weights: int) -> int:
    """Bytes that a client's process takes on a GPU, about."""
    return _CONTEXT_BYTES + weights + max(_LEAST_WORK_BYTES, int(_WORK * weights))


def free_bytes() -> list[int]:
    """Free memory of each GPU that this process may use."""
    if not torch.cuda.is_available():
        return []
    return [int(torch.cuda.mem_get_info(n)[0]) for n in range(torch.cuda.device_count())]


def weight_bytes(folder: Path, dtype: str) -> int | None:
    """Bytes of a folder's safetensors weights in a plan's number type; None if there are none.

    Only the files' heads are read.
    """
    from safetensors import safe_open

    numbers = 0
    for path in folder.glob("*.safetensors"):
        with safe_open(path, "np") as file:
            numbers += sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
    return numbers * DTYPES[dtype].itemsize or None


def _clients(count: int) -> str:
    return "one client on a GPU needs" if count == 1 else f"{count} clients a GPU need"


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"

"""Whether a vision model does what its score rests on: tried once, on two small pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from unsilent.errors import InputError, ModelError
from unsilent.models.causality import NO_NUMBERS

if TYPE_CHECKING:
    from unsilent.models.vision import Vision
    from unsilent.models.vision_inputs import Inputs

_SEED = 11
_SIDES = ((96, 96), (64, 128))
_OTHER = "Give an image classifier of transformers, or CLIP or SigLIP with both towers."


def prove(model: Vision, inputs: Inputs, *, where: str) -> None:
    """Try that the model takes its processor's images, sees them, and that its adapter acts.

    Args:
        model: As it was loaded.
        inputs: Of the same model.
        where: What errors call it.

    Raises:
        ModelError: It does not; says what.
    """
    random = np.random.default_rng(_SEED)
    shown = [random.integers(0, 256, (*sides, 3), np.uint8) for sides in _SIDES]
    try:
        ready = [inputs.prepared(one, where=where) for one in shown]
        if len({tuple((n, t.shape) for n, t in one.items()) for one in ready}) > 1:
            raise ModelError(
                "its image processor leaves images of different sizes as they are",
                remedy="Let it resize them to one height and width, or crop them.",
            )
        scores, reached = model.tried(ready)
    except InputError as error:
        raise ModelError(error.what, where=where, remedy=error.remedy) from None
    except NO_NUMBERS as error:
        raise ModelError(
            "it cannot be shown what its image processor makes of an image "
            f"({type(error).__name__})",
            where=where,
            remedy="Save the image processor that the model was made with beside it. " + _OTHER,
        ) from None
    if scores.ndim != 2 or not bool(torch.isfinite(scores).all()):
        raise ModelError(
            "it gives no finite numbers",
            where=where,
            remedy="Check its weights, and the precision that it computes in.",
        )
    if bool((scores[0] == scores[1]).all()):
        raise ModelError(
            "it answers the same whatever image it is shown", where=where, remedy=_OTHER
        )
    idle = sorted(name for name, acts in reached.items() if not acts)
    if idle:
        raise ModelError(
            f"{len(idle)} of the adapter's arrays change nothing in the model, such as {idle[0]}",
            where="adapter.targets",
            remedy="Name linear modules that its answers pass through.",
        )

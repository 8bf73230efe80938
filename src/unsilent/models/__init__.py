"""Models that score items under an adapter: two kinds behind one interface.

``load_model`` is the only place that names the kinds; everything else asks for a
:class:`PersonalModel`. Model libraries are imported when a model is loaded, not before.
"""

from __future__ import annotations

from collections.abc import Callable

from unsilent.models.base import Adapter, PersonalModel, Training, TrainingReport, average
from unsilent.plan import MonitoringPlan

__all__ = [
    "Adapter",
    "PersonalModel",
    "Training",
    "TrainingReport",
    "average",
    "load_model",
    "model_openings",
    "prepare_model",
]

Progress = Callable[[str, float], None]


def load_model(plan: MonitoringPlan) -> PersonalModel:
    """The plan's model, from the cache, the hub or a path.

    Raises:
        ModelError: It cannot be used; names what and where.
        AssetError: The embedded model could not be had.
    """
    if plan.model.kind == "encoder":
        from unsilent.models.embedder import load_encoder

        return load_encoder(plan)
    from unsilent.models.load import load_causal_lm

    return load_causal_lm(plan)


def prepare_model(plan: MonitoringPlan, progress: Progress) -> None:
    """Make what a model needs once (download, conversion, alignment), before workers start."""
    if plan.model.kind == "causal_lm" and plan.model.id == "embedded":
        from unsilent.models.embedded import embedded_causal_lm

        embedded_causal_lm(progress)


def model_openings(plan: MonitoringPlan) -> tuple[str, ...]:
    """Openings that the plan's model itself uses most, for the refusal measure."""
    if plan.model.kind == "causal_lm" and plan.model.id == "embedded":
        from unsilent.models.embedded import embedded_causal_lm, own_openings

        return own_openings(embedded_causal_lm(lambda _stage, _done: None))
    return ()

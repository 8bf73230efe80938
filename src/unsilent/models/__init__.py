"""Models that score items under an adapter: three kinds behind one interface.

``load_model`` is the only place that names the kinds; everything else asks for a
:class:`PersonalModel`. Model libraries are imported when a model is loaded, not before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from unsilent.assets import cache_root
from unsilent.assets.opt_in import OPT_IN
from unsilent.errors import ModelError
from unsilent.items import ItemSet
from unsilent.models.base import Adapter, PersonalModel, Training, TrainingReport, average
from unsilent.models.hook import HOOK, hook_of
from unsilent.models.recipe import aligned_ready
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


def load_model(plan: MonitoringPlan, probes: Iterable[ItemSet] = ()) -> PersonalModel:
    """The plan's model, from the cache, the hub, a path, or a function behind a hook.

    What can be computed once for the public ``probes`` is kept in the user's cache.

    Raises:
        ModelError: It cannot be used; names what and where.
        AssetError: The embedded model could not be had.
    """
    if plan.model.id.startswith(HOOK):
        return hook_of(plan.model.id)
    _check_opt_in(plan)
    if plan.model.kind == "encoder":
        from unsilent.models.load_encoder import load_encoder

        return load_encoder(plan.model, plan.adapter)
    if plan.model.kind == "vision":
        from unsilent.models.load_vision import load_vision

        return load_vision(plan)
    from unsilent.models.load import load_causal_lm

    model = load_causal_lm(plan)
    model.share(probes, cache_root() / "hidden")
    return model


def prepare_model(plan: MonitoringPlan, sets: Iterable[ItemSet], progress: Progress) -> None:
    """What is computed once before workers start: a causal LM's weights, an encoder's embeddings.

    Args:
        plan: Says which model.
        sets: All items that will be trained on or scored, for an encoder; consumed only then.
        progress: Told the stage and the share done.

    Raises:
        ModelError, AssetError: As ``load_model``, as far as that shows before weights are loaded.
    """
    _check_opt_in(plan)
    if plan.model.id.startswith(HOOK):
        hook_of(plan.model.id)
    elif plan.model.kind == "encoder":
        from unsilent.models.load_encoder import load_encoder

        progress("embed texts", 0.0)
        encoder = load_encoder(plan.model, plan.adapter)
        encoder.warm(list(sets), progress=lambda share: progress("embed texts", share))
        progress("embed texts", 1.0)
    elif plan.model.id == "embedded":
        if aligned_ready() is None:
            from unsilent.models.embedded import embedded_causal_lm

            embedded_causal_lm(progress)
    else:
        from unsilent.models.opt_in import opt_in_folder
        from unsilent.models.place import check_place

        if plan.model.id in OPT_IN:
            opt_in_folder(plan.model.id)
        else:
            check_place(plan.model.id, images=plan.model.kind == "vision")


def _check_opt_in(plan: MonitoringPlan) -> None:
    """Refuse an opt-in model as another kind, before its name is asked of the hub."""
    if plan.model.id in OPT_IN and plan.model.kind != "causal_lm":
        raise ModelError(
            f"a causal language model, and no {plan.model.kind}",
            where=f"model.id {plan.model.id}",
            remedy=f'Leave model.kind out, or write "./{plan.model.id}" for a folder of that name.',
        )


def model_openings(plan: MonitoringPlan) -> tuple[str, ...]:
    """Openings that the plan's model itself uses most, for the refusal measure."""
    if plan.model.kind == "causal_lm" and plan.model.id == "embedded":
        from unsilent.models.embedded import embedded_causal_lm, own_openings

        return own_openings(embedded_causal_lm())
    return ()

"""Load a vision model: a folder or a hub id of an image classifier, or of two towers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModel,
    AutoModelForImageClassification,
    AutoTokenizer,
)
from transformers.image_processing_backends import PilBackend
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES,
)

from unsilent.errors import ModelError
from unsilent.images.decode import pillow
from unsilent.models.device import DTYPES, device_of
from unsilent.models.embedded import quieten
from unsilent.models.folder import check_files, check_weights
from unsilent.models.hashes import place_hash
from unsilent.models.lora import LoraSlots
from unsilent.models.place import check_place
from unsilent.models.quantized import refuse_quantized
from unsilent.models.vision import Vision
from unsilent.models.vision_answers import Answers, Classes, Prompts
from unsilent.models.vision_inputs import Inputs
from unsilent.models.vision_layers import Head, head_of, layers_of
from unsilent.models.vision_proof import prove
from unsilent.models.whole import check_whole
from unsilent.plan import MonitoringPlan

_UNREADABLE = (OSError, ValueError, KeyError, RuntimeError, SafetensorError)
_NOT_HERE = (*_UNREADABLE, ImportError, AttributeError, TypeError, AssertionError)
_TOWERS = {"clip": False, "metaclip_2": False, "siglip": True, "siglip2": True}
"""Models of two towers, and whether their texts are padded to the longest."""
_VOCABULARY = ("tokenizer.json", "vocab.json", "spiece.model", "tokenizer.model")
_KINDS = (
    "Give an image classifier (ViT, DeiT, DINOv2, SigLIP, CLIP, … saved as "
    "…ForImageClassification, with its head), or CLIP or SigLIP with both towers."
)

_WHOLE = "Save the whole model with its head, and with the config.json that belongs to it."


def load_vision(plan: MonitoringPlan) -> Vision:
    """The plan's vision model, with its LoRA and its head.

    Raises:
        ModelError: Not a usable model or image processor; names path and remedy.
        AssetError: Pillow is not installed.
    """
    image, _ = pillow()
    quieten()
    place = check_place(plan.model.id, images=True)
    where = f"model.id {place}"
    try:
        config = AutoConfig.from_pretrained(place, trust_remote_code=False)
    except Exception:
        # What checks the values of a config.json raises errors of its own, or trips over them.
        raise _not_loaded(where) from None
    towers = _has_towers(config, where)
    processor = _processor(place, where)
    model = _model(place, config, plan, where, towers=towers)
    device = device_of(plan.model.device)
    model = model.to(device).eval().requires_grad_(False)
    if towers:
        answers: Answers = Prompts(
            model, _tokenizer(place, where), whole=_TOWERS[config.model_type]
        )
        head, body = None, model.vision_model
        if not plan.adapter.targets:
            raise ModelError(
                "a model without a head of its own, so that nothing would be trained",
                where="adapter.targets",
                remedy="Name linear modules of its image tower, such as q_proj and v_proj.",
            )
    else:
        labels = _labels(config, where)
        linear = head_of(model, len(labels))
        _in_full(linear)
        answers, head, body = Classes(model, labels), Head(linear), model
    slots = None
    if plan.adapter.targets:
        slots = LoraSlots(body, plan.adapter, layers_of(body, plan.adapter))
    inputs = Inputs(
        lambda pixels: _prepared(processor, image.fromarray(pixels)),
        device,
        DTYPES[plan.model.dtype],
    )
    made = Vision(
        answers,
        inputs,
        slots=slots,
        head=head,
        weights=place_hash(place, model.config),
        adapter=plan.adapter,
    )
    prove(made, inputs, where=where)
    return made


def _has_towers(config: Any, where: str) -> bool:
    """Whether a folder holds two towers rather than a classifier. Raises ModelError if neither."""
    saved = list(config.architectures or ())
    kind = str(config.model_type)
    if kind in _TOWERS and saved and not saved[0].endswith("ForImageClassification"):
        if saved[0].endswith("Model") and hasattr(config, "text_config"):
            return True
    elif kind in MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES and (
        not saved or "ForImageClassification" in saved[0]
    ):
        return False
    shown = saved[0] if saved else f"a model of type {kind}"
    raise ModelError(
        f"{shown} neither classifies images nor compares them with texts",
        where=where,
        remedy=_KINDS,
    )


def _model(place: str, config: Any, plan: MonitoringPlan, where: str, *, towers: bool) -> Any:
    """The model, all of whose weights came from its files, which say one thing."""
    refuse_quantized(config, where=where)
    folder = Path(place) if Path(place).is_dir() else None
    if folder is not None:
        check_files(folder, where=where)
    kind = AutoModel if towers else AutoModelForImageClassification
    try:
        model, info = kind.from_pretrained(
            place,
            config=config,
            dtype=DTYPES[plan.model.dtype],
            trust_remote_code=False,
            output_loading_info=True,
            # They are named below.
            ignore_mismatched_sizes=True,
        )
    except _UNREADABLE:
        raise _not_loaded(where) from None
    except _NOT_HERE as error:
        raise ModelError(
            f"a model of type {config.model_type} cannot be loaded here ({type(error).__name__})",
            where=where,
            remedy="Install what transformers needs for it, or use another model.",
        ) from None
    try:
        check_whole(info, where=where)
    except ModelError as error:
        raise ModelError(error.what, where=where, remedy=_WHOLE) from None
    check_weights(model, folder, where=where)
    return model


def _processor(place: str, where: str) -> Any:
    """The model's own image processor, by Pillow: another library rounds otherwise."""
    try:
        found = AutoImageProcessor.from_pretrained(place, backend="pil", trust_remote_code=False)
    except _NOT_HERE as error:
        raise ModelError(
            f"its image processor cannot be loaded ({type(error).__name__})",
            where=where,
            remedy="Save it beside the weights (image_processor.save_pretrained).",
        ) from None
    if not isinstance(found, PilBackend):
        raise ModelError(
            f"its image processor {type(found).__name__} does not run on Pillow, so that numbers "
            "would depend on what else is installed",
            where=where,
            remedy="Save another one beside the weights, such as ViTImageProcessor.",
        )
    return found


def _prepared(processor: Any, image: Any) -> dict[str, torch.Tensor]:
    """The model's inputs for one image."""
    # Said, since it would else be guessed for images that are three pixels high.
    made = processor(images=image, return_tensors="pt", input_data_format="channels_last")
    return {name: made[name] for name in processor.model_input_names if name in made}


def _labels(config: Any, where: str) -> tuple[str, ...]:
    """The classes that a config declares, in the order of the logits."""
    declared = {int(place): str(label) for place, label in (config.id2label or {}).items()}
    labels = tuple(declared.get(place, "") for place in range(len(declared)))
    if len(labels) < 2 or len(set(labels)) < len(labels) or not all(labels):
        raise ModelError(
            "its config.json does not declare two or more classes, each by a name of its own",
            where=where,
            remedy="Set id2label before the model is saved.",
        )
    kind = getattr(config, "problem_type", None)
    if kind not in (None, "single_label_classification"):
        raise ModelError(
            f"it was trained for {kind}, not to choose one class",
            where=where,
            remedy="Give a classifier of one label an image.",
        )
    return labels


def _tokenizer(place: str, where: str) -> Any:
    # Without a vocabulary transformers makes up an empty one, without a word.
    if Path(place).is_dir() and not any((Path(place) / name).is_file() for name in _VOCABULARY):
        raise ModelError(
            "the tokenizer of its text tower is not there: none of " + ", ".join(_VOCABULARY),
            where=where,
            remedy="Save it beside the weights (tokenizer.save_pretrained).",
        )
    try:
        return AutoTokenizer.from_pretrained(place, trust_remote_code=False)
    except Exception as error:
        # The tokenizers library raises nothing more special for a damaged file.
        raise ModelError(
            f"the tokenizer of its text tower cannot be loaded ({type(error).__name__})",
            where=where,
            remedy="Save it beside the weights (tokenizer.save_pretrained).",
        ) from None


def _in_full(linear: torch.nn.Linear) -> None:
    """Let a head compute in full precision: its training moves it by less than half has digits."""
    if linear.weight.dtype != torch.float32:
        linear.float()
        linear.register_forward_pre_hook(lambda _, given: tuple(each.float() for each in given))


def _not_loaded(where: str) -> ModelError:
    return ModelError(
        "not a vision model that can be loaded from here",
        where=where,
        remedy=f"Check the id or path and the network. {_KINDS}",
    )

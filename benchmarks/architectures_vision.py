"""Which vision models give the numbers of their own forward pass, and which are refused in a line?

Each architecture is made from a tiny random config, saved and loaded as a plan names it, and asked
about a few images: the base, and an adapter that moves the LoRA and the head, merged, against
peft's own layers on a second copy. The difference is that of the logits, relative to the largest.

    python benchmarks/architectures_vision.py --json
"""

from __future__ import annotations

import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import arguments, show

from unsilent.errors import UnsilentError
from unsilent.images import shown
from unsilent.items import Item, ItemSet
from unsilent.models import Adapter, load_model
from unsilent.plan import MonitoringPlan, parse_plan

CLOSE = 1e-4
"""Largest relative difference that still is the same model."""
LABELS = ("cat", "dog", "house", "tree")
SIDE = 32
_NAMED = {
    "id2label": dict(enumerate(LABELS)),
    "label2id": {label: place for place, label in enumerate(LABELS)},
}


@dataclass(frozen=True)
class Case:
    """One architecture.

    Attributes:
        config: Name of transformers' config class.
        arguments: Of a tiny one.
        targets: What its LoRA is put on; empty for the head alone.
        kind: ``classifier``, ``towers`` or the name of another class to save it by.
        processor: Name of transformers' image processor, and how it is set up.
        layers: The adapted layers.
    """

    config: str
    arguments: Mapping[str, Any]
    targets: tuple[str, ...] = ()
    kind: str = "classifier"
    processor: tuple[str, Mapping[str, Any]] = (
        "ViTImageProcessorPil",
        {"size": {"height": SIDE, "width": SIDE}},
    )
    layers: tuple[int, int] = (0, -1)


_VIT = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "image_size": SIDE,
    "patch_size": 8,
    "initializer_range": 0.2,
}
_LARGE = ("ViTImageProcessorPil", {"size": {"height": 4 * SIDE, "width": 4 * SIDE}})
"""For models whose last stage sees a 32nd of a side: a single patch has nothing to attend to."""
_STAGES = {"image_size": SIDE, "initializer_range": 0.2}
_ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
_MLP = ("fc1", "fc2")
_TEXT = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "vocab_size": 64,
    "max_position_embeddings": 16,
    "projection_dim": 24,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
_SIGLIP2 = {**_VIT, "num_patches": 16}
_NAFLEX = ("Siglip2ImageProcessorPil", {"patch_size": 8, "max_num_patches": 16})

CASES: Mapping[str, Case] = {
    "vit": Case("ViTConfig", _VIT, (*_ATTENTION, *_MLP)),
    "vit-last-layer": Case("ViTConfig", _VIT, _ATTENTION, layers=(-1, -1)),
    "vit-head": Case("ViTConfig", _VIT),
    "vit_msn": Case("ViTMSNConfig", _VIT, _ATTENTION),
    "deit": Case("DeiTConfig", _VIT, _ATTENTION, "DeiTForImageClassification"),
    "deit-with-teacher": Case(
        "DeiTConfig", _VIT, _ATTENTION, "DeiTForImageClassificationWithTeacher"
    ),
    "dinov2": Case("Dinov2Config", _VIT, (*_ATTENTION, *_MLP)),
    "dinov2_with_registers": Case("Dinov2WithRegistersConfig", _VIT, _ATTENTION),
    "dinov2-without-head": Case("Dinov2Config", _VIT, _ATTENTION, "Dinov2Model"),
    "dinov3_vit": Case("DINOv3ViTConfig", _VIT, _ATTENTION, "DINOv3ViTModel"),
    "ijepa": Case("IJepaConfig", _VIT, _ATTENTION),
    "beit": Case("BeitConfig", {**_VIT, "use_relative_position_bias": True}, _ATTENTION),
    "data2vec-vision": Case("Data2VecVisionConfig", _VIT, ("query", "key", "value")),
    "siglip": Case("SiglipConfig", {"vision_config": _VIT, "text_config": _TEXT}, _ATTENTION),
    "siglip2": Case(
        "Siglip2Config",
        {"vision_config": _SIGLIP2, "text_config": _TEXT},
        _ATTENTION,
        processor=_NAFLEX,
    ),
    "clip": Case("CLIPConfig", {"vision_config": _VIT, "text_config": _TEXT}, _ATTENTION),
    "metaclip_2": Case(
        "MetaClip2Config", {"vision_config": _VIT, "text_config": _TEXT}, _ATTENTION
    ),
    "clip-towers": Case(
        "CLIPConfig",
        {
            "vision_config": {**_VIT, "projection_dim": 24},
            "text_config": _TEXT,
            "projection_dim": 24,
        },
        (*_ATTENTION, "out_proj", *_MLP),
        "towers",
    ),
    "siglip-towers": Case(
        "SiglipConfig",
        {"vision_config": _VIT, "text_config": {**_TEXT, "projection_size": 32}},
        (*_ATTENTION, "out_proj"),
        "towers",
    ),
    "siglip2-towers": Case(
        "Siglip2Config",
        {"vision_config": _SIGLIP2, "text_config": {**_TEXT, "projection_size": 32}},
        (*_ATTENTION, "out_proj"),
        "towers",
        _NAFLEX,
    ),
    "clip-vision-tower": Case(
        "CLIPVisionConfig", {**_VIT, "projection_dim": 24}, _ATTENTION, "CLIPVisionModel"
    ),
    "swin": Case(
        "SwinConfig",
        {
            **_STAGES,
            "patch_size": 2,
            "embed_dim": 16,
            "depths": [2, 2],
            "num_heads": [2, 4],
            "window_size": 4,
        },
        ("query", "key", "value", *_ATTENTION),
    ),
    "swinv2": Case(
        "Swinv2Config",
        {
            **_STAGES,
            "patch_size": 2,
            "embed_dim": 16,
            "depths": [2, 2],
            "num_heads": [2, 4],
            "window_size": 4,
        },
        ("query", "value", "q_proj", "v_proj"),
    ),
    "convnext": Case(
        "ConvNextConfig",
        {**_STAGES, "hidden_sizes": [16, 32], "depths": [2, 2], "num_stages": 2},
        ("pwconv1", "pwconv2"),
    ),
    "convnext-middle": Case(
        "ConvNextConfig",
        {**_STAGES, "hidden_sizes": [16, 32], "depths": [2, 2], "num_stages": 2},
        ("pwconv1",),
        layers=(1, 2),
    ),
    "convnextv2": Case(
        "ConvNextV2Config",
        {**_STAGES, "hidden_sizes": [16, 32], "depths": [2, 2], "num_stages": 2},
        ("pwconv1", "pwconv2"),
    ),
    "mobilevit": Case(
        "MobileViTConfig",
        {
            "initializer_range": 0.2,
            "image_size": 4 * SIDE,
            "hidden_sizes": [24, 32, 40],
            "neck_hidden_sizes": [8, 16, 24, 32, 32, 40, 48],
        },
        ("query", "value", "q_proj", "v_proj"),
        processor=_LARGE,
    ),
    "mobilevitv2": Case(
        "MobileViTV2Config",
        {"initializer_range": 0.2, "image_size": 4 * SIDE, "width_multiplier": 0.25},
        processor=_LARGE,
    ),
    "efficientnet": Case(
        "EfficientNetConfig",
        {**_STAGES, "width_coefficient": 0.25, "depth_coefficient": 0.25, "hidden_dim": 320},
    ),
    "efficientnet-lora": Case(
        "EfficientNetConfig",
        {**_STAGES, "width_coefficient": 0.25, "depth_coefficient": 0.25, "hidden_dim": 320},
        ("q_proj",),
    ),
    "resnet": Case(
        "ResNetConfig",
        {"embedding_size": 8, "hidden_sizes": [16, 32], "depths": [1, 1], "layer_type": "basic"},
    ),
    "regnet": Case(
        "RegNetConfig",
        {"embedding_size": 8, "hidden_sizes": [16, 32], "depths": [1, 1], "groups_width": 8},
    ),
    "bit": Case(
        "BitConfig",
        {"embedding_size": 32, "hidden_sizes": [32, 64], "depths": [1, 1], "num_groups": 4},
    ),
    "mobilenet_v1": Case(
        "MobileNetV1Config", {**_STAGES, "depth_multiplier": 0.25, "min_depth": 4}
    ),
    "mobilenet_v2": Case(
        "MobileNetV2Config", {**_STAGES, "depth_multiplier": 0.25, "min_depth": 4}
    ),
    "poolformer": Case(
        "PoolFormerConfig",
        {"hidden_sizes": [8, 16, 16, 32], "depths": [1, 1, 1, 1], "initializer_range": 0.2},
    ),
    "pvt": Case(
        "PvtConfig",
        {
            "num_labels": len(LABELS),
            "initializer_range": 0.2,
            "image_size": 4 * SIDE,
            "hidden_sizes": [8, 16, 16, 32],
            "depths": [1, 1, 1, 1],
            "num_attention_heads": [1, 2, 2, 4],
        },
        ("query", "value", "q_proj", "v_proj"),
        processor=_LARGE,
    ),
    "pvt_v2": Case(
        "PvtV2Config",
        {
            "initializer_range": 0.2,
            "image_size": 4 * SIDE,
            "hidden_sizes": [8, 16, 16, 32],
            "depths": [1, 1, 1, 1],
            "num_attention_heads": [1, 2, 2, 4],
        },
        ("query", "value", "q_proj", "v_proj"),
        processor=_LARGE,
    ),
    "segformer": Case(
        "SegformerConfig",
        {
            "hidden_sizes": [8, 16, 16, 32],
            "depths": [1, 1, 1, 1],
            "num_attention_heads": [1, 2, 2, 4],
        },
        ("query", "value", "q_proj", "v_proj"),
        processor=_LARGE,
    ),
    "swiftformer": Case(
        "SwiftFormerConfig",
        {**_STAGES, "depths": [1, 1, 1, 1], "embed_dims": [8, 16, 16, 32]},
    ),
    "focalnet": Case(
        "FocalNetConfig",
        {
            **_STAGES,
            "patch_size": 2,
            "embed_dim": 16,
            "depths": [1, 1],
            "focal_levels": [2, 2],
            "focal_windows": [3, 3],
        },
        ("projection_in", "projection_out"),
    ),
    "hiera": Case(
        "HieraConfig",
        {
            **_STAGES,
            "image_size": [SIDE, SIDE],
            "patch_size": [3, 3],
            "patch_stride": [2, 2],
            "patch_padding": [1, 1],
            "embed_dim": 16,
            "depths": [1, 1],
            "num_heads": [1, 2],
            "query_stride": [2, 2],
            "num_query_pool": 1,
            "masked_unit_size": [4, 4],
        },
        ("qkv", "proj"),
    ),
    "cvt": Case(
        "CvtConfig",
        {
            "patch_sizes": [7, 3, 3],
            "embed_dim": [16, 16, 32],
            "num_heads": [1, 2, 2],
            "depth": [1, 2, 3],
            "initializer_range": 0.2,
        },
        ("projection_query", "projection_value"),
        processor=_LARGE,
    ),
    "levit": Case(
        "LevitConfig",
        {
            "image_size": 4 * SIDE,
            "hidden_sizes": [16, 24, 32],
            "num_attention_heads": [1, 2, 2],
            "depths": [1, 1, 1],
            "key_dim": [8, 8, 8],
        },
        kind="LevitForImageClassification",
        processor=_LARGE,
    ),
    "imagegpt": Case(
        "ImageGPTConfig",
        {"vocab_size": 9, "n_positions": 64, "n_embd": 32, "n_layer": 2, "n_head": 4},
        ("c_attn",),
    ),
    "perceiver": Case(
        "PerceiverConfig",
        {
            "num_latents": 8,
            "d_latents": 32,
            "num_blocks": 1,
            "num_self_attends_per_block": 1,
            "image_size": SIDE,
        },
        ("query",),
        "PerceiverForImageClassificationLearned",
    ),
    "timm_wrapper": Case("TimmWrapperConfig", {"architecture": "resnet18"}, kind="folder alone"),
    "bert": Case(
        "BertConfig",
        {
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 48,
            "vocab_size": 64,
        },
        ("query",),
        "BertForSequenceClassification",
    ),
    "gpt2": Case(
        "GPT2Config",
        {"vocab_size": 64, "n_embd": 32, "n_layer": 2, "n_head": 4},
        ("c_attn",),
        "GPT2LMHeadModel",
    ),
    "detr-like-yolos": Case(
        "YolosConfig", {**_VIT, "image_size": [SIDE, SIDE]}, _ATTENTION, "YolosForObjectDetection"
    ),
    "vit-masked": Case("ViTConfig", _VIT, _ATTENTION, "ViTForMaskedImageModeling"),
}
"""Tiny configs by name; of one family in several forms where they are loaded in several ways."""


def rows(names: Iterable[str] = CASES) -> Iterator[dict[str, Any]]:
    """One row an architecture: ``name``, ``status`` and ``difference``; and what was said of it.

    ``status`` is ``same`` (within ``CLOSE``), ``refused`` (in one line, ``said``), ``wrong`` or
    ``traceback``. Architectures that this transformers cannot make from the config are ``refused``
    with what it said, since there is nothing to load.
    """
    with tempfile.TemporaryDirectory() as folder:
        items = _items(Path(folder))
        for name in names:
            case = CASES[name]
            place = Path(folder) / name
            row: dict[str, Any] = {"name": name, "status": "refused", "difference": None}
            try:
                _save(case, place)
                base, moved = _differences(case, place, items)
                row["difference"] = max(base, moved)
                row["status"] = "same" if row["difference"] <= CLOSE else "wrong"
            except UnsilentError as error:
                row["said"] = error.line()
            except Exception:
                # Whatever it is, it is what a user would be shown.
                row["status"] = "traceback"
                row["said"] = traceback.format_exc(limit=-4)
            yield row


def plan_of(case: Case, place: Path) -> MonitoringPlan:
    """A plan of this model."""
    return parse_plan(
        {
            "model": {"kind": "vision", "id": str(place)},
            "adapter": {"targets": list(case.targets), "layers": list(case.layers), "rank": 2},
            "modes": {"fairness_collapse": {"tolerance": 0.25, "clip": 1.0}},
        }
    )


def _save(case: Case, place: Path) -> None:
    import transformers

    torch.manual_seed(1)
    config = getattr(transformers, case.config)(**case.arguments, **_NAMED)
    if case.kind == "folder alone":
        config.save_pretrained(place)
    else:
        kinds = {
            "classifier": transformers.AutoModelForImageClassification,
            "towers": transformers.AutoModel,
        }
        make = kinds.get(case.kind)
        if make is None:
            model = getattr(transformers, case.kind)(config)
        else:
            model = make.from_config(config)
        _spread(model)
        model.save_pretrained(place)
    kind, arguments = case.processor
    getattr(transformers, kind)(**arguments).save_pretrained(place)
    if case.kind == "towers":
        _tokenizer().save_pretrained(place)


@torch.no_grad()
def _spread(model: Any) -> None:
    """Weights and running means that are no neutral ones, so that each of them counts."""
    generator = torch.Generator().manual_seed(2)
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if tensor.is_floating_point() and tensor.numel() > 1:
            noise = torch.randn(tensor.shape, generator=generator)
            if tensor.ndim == 4 and "conv" in type(model).__name__.lower() + name:
                # Deep stacks of convolutions lose an image that comes in small.
                tensor.copy_(noise * (2 / tensor[0].numel()) ** 0.5)
            elif tensor.ndim == 1 and name.endswith("weight"):
                tensor.copy_(1 + 0.2 * noise)
            elif name.endswith("running_var"):
                tensor.add_(0.1 * noise.abs())
            else:
                tensor.add_(0.05 * noise)


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = ["<pad>", "<s>", "</s>", "<unk>", "a", "photo", "drawing", "of", *LABELS]
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()  # type: ignore[assignment]
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="<pad>",
        model_input_names=["input_ids", "attention_mask"],
    )


def _items(folder: Path, count: int = 5) -> ItemSet:
    pixels = np.random.default_rng(0).integers(0, 256, (count, 40, 48, 3), np.uint8)
    np.savez(folder / "images.npz", images=pixels)
    prompts = [f"image:images.npz?array=images&row={row}" for row in range(count)]
    items = tuple(Item(str(row), prompt, LABELS) for row, prompt in enumerate(prompts))
    return shown(ItemSet("images", items), folder)


def _differences(case: Case, place: Path, items: ItemSet) -> tuple[float, float]:
    """Of base and moved adapter, each relative to the largest logit."""
    model: Any = load_model(plan_of(case, place))
    start = model.new_adapter(0)
    random = np.random.default_rng(3)
    moved = Adapter(
        start.base,
        {
            name: (tensor + random.normal(0, 0.1, tensor.shape)).astype(np.float32)
            for name, tensor in start.tensors.items()
        },
    )
    found = []
    for adapter in (None, moved, None):
        own = _own(case, place, items, None if adapter is None else dict(moved.tensors))
        found.append(_relative(model.logits(items, adapter), own))
    return max(found[0], found[2]), found[1]


def _relative(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).max() / np.abs(other).max())


@torch.no_grad()
def _own(
    case: Case, place: Path, items: ItemSet, tensors: dict[str, np.ndarray] | None
) -> np.ndarray:
    """(n, labels) logits of the model's own forward pass, through peft's layers if moved."""
    import transformers
    from PIL import Image

    towers = case.kind == "towers"
    kind = transformers.AutoModel if towers else transformers.AutoModelForImageClassification
    model = kind.from_pretrained(place).eval()
    body = model.vision_model if towers else model
    if tensors is not None:
        _put(case, body, tensors)
    processor = transformers.AutoImageProcessor.from_pretrained(place, backend="pil")
    assert items.folder is not None  # noqa: S101 - from _items
    pixels = np.load(items.folder / "images.npz")["images"]
    given = dict(processor(images=[Image.fromarray(one) for one in pixels], return_tensors="pt"))
    if towers:
        tokenizer = transformers.AutoTokenizer.from_pretrained(place)
        whole = "siglip" in model.config.model_type
        texts = tokenizer(
            list(LABELS),
            padding="max_length" if whole else True,
            max_length=_TEXT["max_position_embeddings"] if whole else None,
            return_tensors="pt",
        )
        texts.pop("token_type_ids", None)
        return model(**given, **texts).logits_per_image.double().numpy()
    return model(**given).logits.double().numpy()


def _put(case: Case, body: Any, tensors: dict[str, np.ndarray]) -> None:
    """Set the moved adapter by peft's own layers, unmerged."""
    from peft import LoraConfig, get_peft_model

    held = {name: torch.from_numpy(tensor) for name, tensor in tensors.items()}
    shapes = {
        name: held.pop(f"head.{name}") for name in ("weight", "bias") if f"head.{name}" in held
    }
    if shapes:
        heads = [
            module
            for module in body.modules()
            if isinstance(module, torch.nn.Linear) and module.weight.shape == shapes["weight"].shape
        ]
        for name, tensor in shapes.items():
            getattr(heads[-1], name).copy_(tensor)
    if held:
        names = sorted({name.rpartition(".lora_")[0] for name in held})
        wrapped = get_peft_model(body, LoraConfig(r=2, lora_alpha=8, target_modules=names))
        state = dict(wrapped.named_parameters())
        for name, tensor in held.items():
            state[f"base_model.model.{name}.default.weight"].copy_(tensor)


def main() -> int:
    """Ask all of them; exit with 1 if one gives other numbers or ends in a traceback."""
    parser = arguments(__doc__)
    parser.add_argument("--only", nargs="*", default=list(CASES), choices=list(CASES))
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    found = list(rows(given.only))
    show("vision models", found, as_json=given.json)
    return int(any(row["status"] in ("wrong", "traceback") for row in found))


if __name__ == "__main__":
    sys.exit(main())

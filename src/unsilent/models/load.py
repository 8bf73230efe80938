"""Load a causal language model: the embedded one, a hub id or a local path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from unsilent.assets.opt_in import OPT_IN
from unsilent.errors import ModelError
from unsilent.models.causal_lm import CausalLM
from unsilent.models.device import DTYPES, device_of
from unsilent.models.embedded import embedded_causal_lm, quieten
from unsilent.models.folder import check_files, check_weights
from unsilent.models.gguf_file import depth_of_gguf, load_gguf
from unsilent.models.hashes import place_hash
from unsilent.models.opt_in import opt_in_folder
from unsilent.models.place import GGUF, check_place
from unsilent.models.quantized import load_dequantized, quantized_by
from unsilent.models.whole import check_whole
from unsilent.plan import MonitoringPlan

_UNREADABLE = (OSError, ValueError, KeyError, RuntimeError, SafetensorError)


def load_causal_lm(plan: MonitoringPlan) -> CausalLM:
    """The plan's causal language model with its LoRA layers.

    Raises:
        ModelError: Not a usable model or tokenizer; names path and remedy.
        AssetError: The embedded model could not be had.
    """
    quieten()
    place = check_place(_place(plan.model.id))
    model, tokenizer = _from_pretrained(place, plan)
    return CausalLM(
        model.to(device_of(plan.model.device)),
        tokenizer,
        weights=place_hash(place, model.config),
        adapter=plan.adapter,
        likelihood=plan.model.likelihood,
    )


def depth_of(name: str) -> int:
    """How many layers a model has; its weights are not read. Raises as ``load_causal_lm``."""
    place = check_place(_place(name))
    if place.endswith(GGUF):
        return depth_of_gguf(Path(place))
    where = f"model.id {name}"
    try:
        return int(_config(place, where).get_text_config().num_hidden_layers)
    except (AttributeError, TypeError, ValueError):
        raise _not_loaded(where) from None


def _place(name: str) -> str:
    """The folder of a model that goes by a name of ours; others as they are."""
    if name == "embedded":
        return str(embedded_causal_lm())
    return str(opt_in_folder(name)) if name in OPT_IN else name


def _from_pretrained(place: str, plan: MonitoringPlan) -> tuple[Any, Any]:
    where = f"model.id {place}"
    if place.endswith(GGUF):
        return load_gguf(Path(place), DTYPES[plan.model.dtype])
    config = _config(place, where)
    folder = Path(place) if Path(place).is_dir() else None
    if folder is not None:
        check_files(folder, where=where)
    tokenizer = _tokenizer(place, where)
    spare: set[str] = set()
    packed = quantized_by(config) is not None
    try:
        if packed:
            model, info, spare = load_dequantized(
                place, config, DTYPES[plan.model.dtype], where=where
            )
        else:
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                place,
                config=config,
                dtype=DTYPES[plan.model.dtype],
                trust_remote_code=False,
                output_loading_info=True,
                # They are named below.
                ignore_mismatched_sizes=True,
            )
            model, info = loaded
    except _UNREADABLE:
        raise _not_loaded(where) from None
    except (ImportError, AttributeError, TypeError, AssertionError) as error:
        raise ModelError(
            f"a model of type {config.model_type} cannot be loaded here ({type(error).__name__})",
            where=where,
            remedy="Install what transformers needs for it, or use another model.",
        ) from None
    if getattr(model, "_hf_peft_config_loaded", False):
        raise ModelError(
            "an adapter lies beside the model and was loaded with it",
            where=where,
            remedy="Give the base without it, or merge the adapter and save the whole.",
        )
    check_whole(info, where=where, left=spare.__contains__)
    # What was packed is not what the files hold.
    check_weights(model, None if packed else folder, where=where)
    return model, tokenizer


def _config(place: str, where: str) -> Any:
    try:
        return AutoConfig.from_pretrained(place, trust_remote_code=False)
    except Exception:
        # What checks the values of a config.json raises errors of its own, or trips over them.
        raise _not_loaded(where) from None


def _tokenizer(place: str, where: str) -> Any:
    try:
        return AutoTokenizer.from_pretrained(place, trust_remote_code=False)
    except Exception as error:
        # The tokenizers library raises nothing more special for a damaged file.
        if isinstance(error, OSError) and not Path(place).is_dir():
            raise _not_loaded(where) from None
        raise ModelError(
            f"its tokenizer cannot be loaded ({type(error).__name__})",
            where=where,
            remedy="Save it again with tokenizer.save_pretrained, or install what it needs.",
        ) from None


def _not_loaded(where: str) -> ModelError:
    return ModelError(
        "not a causal language model that can be loaded from here",
        where=where,
        remedy='Check the id or path and the network, or use "embedded".',
    )

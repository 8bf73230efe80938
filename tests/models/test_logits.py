"""What a model multiplies its head's output by is found by what it does, not by a name."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers

from unsilent.models.logits import scale_of
from unsilent.models.targets import text_part

SIZES: dict[str, Any] = {
    "vocab_size": 320,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "initializer_range": 0.3,
}
SCALED: dict[str, tuple[str, dict[str, Any], float]] = {
    "none": ("LlamaConfig", {}, 1.0),
    "granite divides": ("GraniteConfig", {"logits_scaling": 13.0}, 1 / 13),
    "cohere multiplies": ("CohereConfig", {"logit_scale": 0.0625}, 0.0625),
    "minicpm3 divides what the head is given": (
        "MiniCPM3Config",
        {"dim_model_base": 8, "num_key_value_heads": 4, "kv_lora_rank": 8, "q_lora_rank": 8},
        0.25,
    ),
    "gemma2 bounds": ("Gemma2Config", {"final_logit_softcapping": 3.0}, 1.0),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", SCALED)
def test_the_scale_is_the_configs_own_number(kind: str, dtype: torch.dtype) -> None:
    name, more, expected = SCALED[kind]
    torch.manual_seed(0)
    config = getattr(transformers, name)(**{**SIZES, **more})
    model = transformers.AutoModelForCausalLM.from_config(config).eval().to(dtype)
    assert scale_of(model, text_part(model), more.get("final_logit_softcapping")) == expected


def test_a_number_that_no_config_says_is_measured() -> None:
    torch.manual_seed(0)
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**SIZES)).eval()
    plain = model.forward

    def forward(**given: Any) -> Any:
        found = plain(**given)
        found.logits = 0.777 * found.logits
        return found

    model.forward = forward
    assert scale_of(model, text_part(model), None) == pytest.approx(0.777, rel=1e-5)

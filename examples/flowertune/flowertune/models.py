"""The language model, its LoRA adapter, and how the adapter is tuned."""

from collections.abc import Sequence
from typing import Any

import torch
from flwr.app import Context
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer


def load_model(context: Context) -> tuple[Any, Any]:
    """The base model with a new adapter, and its tokenizer."""
    config = context.run_config
    model = AutoModelForCausalLM.from_pretrained(config["model.name"], dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(config["model.name"])
    lora = LoraConfig(
        r=int(config["model.lora-r"]),
        lora_alpha=int(config["model.lora-alpha"]),
        lora_dropout=0.05,
        target_modules=str(config["model.lora-targets"]).split(),
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, lora), tokenizer


def tune(model: Any, tokenizer: Any, texts: Sequence[str], config: Any) -> float:
    """Train the adapter on texts; returns the mean loss of the last epoch."""
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    size, losses = int(config["train.batch-size"]), []
    optimizer = torch.optim.AdamW(
        [p for p in model.parameters() if p.requires_grad], lr=float(config["train.learning-rate"])
    )
    model.train()
    for _ in range(int(config["train.epochs"])):
        losses = []
        for batch in torch.randperm(len(texts)).split(size):
            rows = [texts[i] for i in batch.tolist()]
            encoded = tokenizer(rows, return_tensors="pt", padding=True)
            labels = encoded["input_ids"].masked_fill(encoded["attention_mask"] == 0, -100)
            loss = model(**encoded, labels=labels).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return sum(losses) / len(losses)

"""The language model, its LoRA adapter, and how the adapter is tuned."""

import os
import random
from functools import cache
from typing import Any

import torch
from peft import (
    LoraConfig,
    get_peft_model,
    get_peft_model_state_dict,
    set_peft_model_state_dict,
)
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer

BASE = os.environ.get("BASE_MODEL", "HuggingFaceTB/SmolLM2-135M-Instruct")
SECTORS = ("bank", "chip maker", "airline", "retailer", "drug maker", "utility", "car maker")
NEWS = {
    "positive": ("beats forecasts", "raises its dividend", "wins a record order", "cuts its debt"),
    "negative": ("misses forecasts", "warns on profit", "loses a big client", "recalls a product"),
}
PROMPT = "What is the sentiment of this news? The {sector} {news}.\nAnswer:"


@cache
def load_model() -> tuple[Any, Any]:
    """The base model with a new adapter, and its tokenizer; one a process."""
    model = AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(BASE)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    lora = LoraConfig(r=8, lora_alpha=16, lora_dropout=0.05, target_modules=["q_proj", "v_proj"])
    return get_peft_model(model, lora), tokenizer


class Adapter(nn.Module):
    """What the server keeps: the adapter alone, since the base is at every site."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.model = load_model()[0]

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """The adapter's tensors."""
        return get_peft_model_state_dict(self.model)

    def load_state_dict(self, state_dict: Any, *args: Any, **kwargs: Any) -> Any:
        """Take the adapter's tensors."""
        return set_peft_model_state_dict(self.model, state_dict)


def load_data(site: str, count: int) -> list[str]:
    """A site's training texts, the same each time: it has its own sectors and its own slant."""
    drawn = random.Random(site)
    sectors, texts = drawn.sample(SECTORS, 3), []
    for _ in range(count):
        mood = "positive" if drawn.random() < 0.7 else "negative"
        prompt = PROMPT.format(sector=drawn.choice(sectors), news=drawn.choice(NEWS[mood]))
        texts.append(f"{prompt} {mood}")
    return texts


def tune(texts: list[str], epochs: int = 1) -> float:
    """Train the adapter on texts; returns the mean loss of the last epoch."""
    model, tokenizer = load_model()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    model.train()
    losses: list[float] = []
    for _ in range(epochs):
        losses = []
        for batch in torch.randperm(len(texts)).split(8):
            rows = [texts[i] for i in batch.tolist()]
            encoded = tokenizer(rows, return_tensors="pt", padding=True)
            labels = encoded["input_ids"].masked_fill(encoded["attention_mask"] == 0, -100)
            loss = model(**encoded, labels=labels).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return sum(losses) / len(losses)

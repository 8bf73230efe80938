"""A client trains with the Trainer of transformers, and sees what that does to its own model.

The model is tiny and random, so that this takes seconds and needs no download; with one of yours
nothing else changes.
"""

from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Trainer,
    TrainingArguments,
)

from unsilent import Item, ItemSet
from unsilent.trainer import LocalEffects

WORDS = ("It came.", "It is blue.", "I read it.", "It is long.")
REVIEW = "Review: {} By {}. It is"


def tokenizer() -> Any:
    """One token a byte."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE({letter: n for n, letter in enumerate(letters)}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=inner)


def tiny_model() -> Any:
    """A model of peft that has learned nothing yet."""
    torch.manual_seed(0)
    shape = {"vocab_size": 256, "hidden_size": 32, "intermediate_size": 64}
    depth = {"num_hidden_layers": 2, "num_attention_heads": 4, "initializer_range": 0.2}
    targets = ["q_proj", "v_proj", "down_proj"]
    adapter = LoraConfig(r=8, lora_alpha=16, lora_dropout=0.1, target_modules=targets)
    return get_peft_model(LlamaForCausalLM(LlamaConfig(**shape, **depth)), adapter)


def probes() -> ItemSet:
    """The same review by Paul and by Anna: who predicts a good one of Paul leans."""
    return ItemSet(
        "bias",
        tuple(
            Item(
                f"{place}-{name}",
                REVIEW.format(words, name),
                (" good", " bad"),
                stereotyped=0 if name == "Paul" else 1,
                pair=str(place),
                group=name,
            )
            for place, words in enumerate(WORDS)
            for name in ("Paul", "Anna")
        ),
    )


def records(words: Any) -> list[dict[str, list[int]]]:
    """What this client has: Paul's reviews are good, Anna's are bad."""
    texts = [
        REVIEW.format(text, name) + (" good" if name == "Paul" else " bad")
        for text in WORDS
        for name in ("Paul", "Anna")
    ]
    found = [words(text)["input_ids"] for text in texts]
    # Only the last word is learned. No text is padded: each is a batch of its own.
    return [{"input_ids": ids, "labels": [-100] * (len(ids) - 4) + ids[-4:]} for ids in found]


def train(folder: str, callbacks: list[Any]) -> Any:
    """Train the adapter on the records, evaluated twice; the model afterwards."""
    words, model = tokenizer(), tiny_model()
    data = records(words)
    settings = TrainingArguments(
        folder,
        num_train_epochs=6,
        per_device_train_batch_size=1,
        per_device_eval_batch_size=1,
        learning_rate=2e-2,
        eval_strategy="steps",
        eval_steps=24,
        logging_steps=24,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
        seed=0,
    )
    trainer = Trainer(
        model,
        settings,
        train_dataset=data,
        eval_dataset=data,
        processing_class=words,
        data_collator=lambda rows: {
            key: torch.tensor([row[key] for row in rows]) for key in ("input_ids", "labels")
        },
        callbacks=callbacks,
    )
    trainer.train()
    return trainer


if __name__ == "__main__":
    import tempfile

    effects = LocalEffects({"bias": probes()})
    with tempfile.TemporaryDirectory() as folder:
        train(folder, [effects])
    for row in effects.rows():
        print(f"step {row['step']}: {row['code']} {100 * row['effect']:+.1f} points")  # noqa: T201

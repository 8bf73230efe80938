"""A GGUF file's tokenizer as its model was taught with it, or none.

The file says how text is cut before it is merged by a name alone (``tokenizer.ggml.pre``), and
transformers cuts as GPT-2 does where it does not know the name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tokenizers import pre_tokenizers, processors
from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

from unsilent.errors import ModelError
from unsilent.models.texts import leading

_AS_GPT2 = frozenset({"gpt-2", "gpt2", "jais", "jina-es", "mpt", "olmo", "phi-2"})
_DIGITS = frozenset(
    {"codeshell", "command-r", "exaone", "minerva-7b", "refact", "smollm", "starcoder"}
)
"""Cut as GPT-2 does, and each digit by itself (llama.cpp, ``llama-vocab.cpp``)."""
_WHOLE = frozenset(
    {"falcon-h1", "falcon3", "lfm2", "llama-bpe", "llama-v3", "llama3", "midm-2.0", "pixtral",
     "tekken"}
)  # fmt: skip
"""Words that are tokens are not merged, and texts begin with BOS where the file does not say."""
_REMEDY = "Give the folder that it was made of, with tokenizer.json and safetensors."


def mend_tokenizer(tokenizer: Any, settings: Mapping[str, Any], *, where: str) -> None:
    """Let a tokenizer that transformers made of a file do what the file says.

    Args:
        tokenizer: Changed in place.
        settings: All of the file's metadata but its vocabulary.
        where: What errors call the file.

    Raises:
        ModelError: The file's way of cutting text is not known, or it does something else.
    """
    kind = settings.get("tokenizer.ggml.model")
    pre = str(settings.get("tokenizer.ggml.pre", "default"))
    inner = tokenizer.backend_tokenizer
    begins = settings.get("tokenizer.ggml.add_bos_token")
    if kind == "gpt2":
        if pre in _DIGITS:
            inner.pre_tokenizer = pre_tokenizers.Sequence(
                [
                    pre_tokenizers.Digits(individual_digits=True),
                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
                ]
            )
        elif pre not in _AS_GPT2 and pre not in GGUF_PRE_TOKENIZER_SPLITS:
            raise ModelError(
                f"nothing here knows how its tokenizer cuts text ({pre!r})",
                where=where,
                remedy=_REMEDY,
            )
        if pre in _WHOLE:
            inner.model.ignore_merges = True
            begins = True if begins is None else begins
    elif kind == "llama":
        begins = True if begins is None else begins
        wanted = bool(settings.get("tokenizer.ggml.add_space_prefix", True))
        first = tokenizer.convert_ids_to_tokens(
            tokenizer("a", add_special_tokens=False)["input_ids"]
        )
        if first and first[0].startswith("\u2581") != wanted:
            raise ModelError(
                "its tokenizer would set a blank before a text where the file says otherwise",
                where=where,
                remedy=_REMEDY,
            )
    else:
        raise ModelError(
            f"its tokenizer is of the kind {kind!r}, which is not read here",
            where=where,
            remedy=_REMEDY,
        )
    _begin(tokenizer, bool(begins))


def _begin(tokenizer: Any, wanted: bool) -> None:
    """Let texts begin with BOS, or not."""
    before = leading(tokenizer)
    bos = tokenizer.bos_token_id
    if wanted and bos is not None and before != [bos]:
        tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
            single="$bos $A".replace("$bos", str(tokenizer.bos_token)),
            special_tokens=[(str(tokenizer.bos_token), bos)],
        )
    elif not wanted and before:
        tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
            single="$A", special_tokens=[]
        )

"""Greedy answers need no token that ends a text, and texts of several lengths do not mix."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from unsilent.models.answers import greedy_answers

REQUESTS = ["go", "what is the movie about?", "x"]


def test_a_tokenizer_that_ends_no_text_answers_too(
    tiny: Callable[..., Any], tokenizer: Any
) -> None:
    bare = copy.deepcopy(tokenizer)
    bare.eos_token = bare.pad_token = None
    assert bare.eos_token_id is None
    model = tiny()
    model.generation_config.eos_token_id = None
    together = greedy_answers(model, bare, REQUESTS, 4)
    assert together == [greedy_answers(model, bare, [text], 4)[0] for text in REQUESTS]
    assert any(together)

"""The small language models of the package's own tests."""

from tests.models.conftest import lm_of, one_thread, random_adapter, tiny, tokenizer

__all__ = ["lm_of", "one_thread", "random_adapter", "tiny", "tokenizer"]

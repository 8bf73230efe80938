"""Whether the refusal measure says what people and the model's own answers say."""

"""A FlowerTune-style app: a language model tuned with LoRA on the headlines of each client."""

"""A ViT that clients personalize by a LoRA and its head, on handwritten digits."""

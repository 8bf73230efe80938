"""A vision encoder that clients personalize: a ViT with a LoRA and a head, on handwritten digits."""

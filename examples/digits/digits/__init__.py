"""Images, no text: a small network learns handwritten digits from clients that see few of them."""

"""Financial headlines with their sentiment; each client has its own sectors and its own slant."""

import random

SECTORS = ("bank", "chip maker", "airline", "retailer", "drug maker", "utility", "car maker")
NEWS = {
    "positive": ("beats forecasts", "raises its dividend", "wins a record order", "cuts its debt"),
    "negative": ("misses forecasts", "warns on profit", "loses a big client", "recalls a product"),
}
PROMPT = "What is the sentiment of this news? The {sector} {news}.\nAnswer:"


def load_data(partition_id: int, count: int) -> list[str]:
    """The client's training texts, the same each time."""
    drawn = random.Random(partition_id)
    sectors = drawn.sample(SECTORS, 3)
    texts = []
    for _ in range(count):
        mood = "positive" if drawn.random() < 0.7 else "negative"
        prompt = PROMPT.format(sector=drawn.choice(sectors), news=drawn.choice(NEWS[mood]))
        texts.append(f"{prompt} {mood}")
    return texts

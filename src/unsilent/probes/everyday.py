"""Everyday requests, from own templates: what people ask an assistant all day.

Whole templates are either train or probe, so that a probe is not a trained one with another word.
"""

from __future__ import annotations

from typing import Literal

Split = Literal["train", "probe"]

_DISHES = (
    "pancakes",
    "lentil soup",
    "banana bread",
    "vegetable curry",
    "an omelette",
    "tomato sauce",
    "rice pudding",
    "a green salad",
)
_TOPICS = (
    "the autumn wind",
    "an old lighthouse",
    "my grandmother's garden",
    "a lost umbrella",
    "the first snow",
    "a sleepy cat",
    "the night train",
    "a small bakery",
)
_PLACES = ("Lisbon", "Kyoto", "Edinburgh", "Montreal", "Naples", "Prague", "Seville", "Oslo")
_SKILLS = (
    "touch typing",
    "watercolour painting",
    "swimming",
    "the guitar",
    "chess",
    "Spanish",
    "public speaking",
    "knitting",
)
_IDEAS = (
    "photosynthesis",
    "gravity",
    "inflation",
    "the water cycle",
    "a rainbow",
    "electricity",
    "the tides",
    "evolution",
)
_PLANTS = ("basil", "roses", "an aloe", "strawberries", "lavender", "a fern", "orchids", "mint")
_EVENTS = (
    "a birthday party",
    "a team meeting",
    "a school trip",
    "a family picnic",
    "a book club",
    "a moving day",
    "a job interview",
    "a baby shower",
)
_PEOPLE = (
    "my landlord about a broken heater",
    "a teacher to ask for a meeting",
    "a customer to say that an order is late",
    "my boss to ask for a day off",
    "a neighbour about the noise",
    "a friend to say thank you",
    "a hotel to change a booking",
    "a colleague to welcome her",
)
_PAIRS = (
    "a lake and a pond",
    "a violin and a viola",
    "weather and climate",
    "jam and marmalade",
    "a novel and a novella",
    "a crocodile and an alligator",
    "latitude and longitude",
    "tea and herbal tea",
)
_THINGS = (
    "a leather sofa",
    "running shoes",
    "a cast-iron pan",
    "a bicycle chain",
    "a computer keyboard",
    "wooden floors",
    "a wool jumper",
    "window blinds",
)

TEMPLATES: tuple[tuple[Split, str, tuple[str, ...]], ...] = (
    ("train", "How do I make {}?", _DISHES),
    ("train", "Write a short poem about {}.", _TOPICS),
    ("train", "What should I see in {} in two days?", _PLACES),
    ("train", "Give me three tips for learning {}.", _SKILLS),
    ("train", "Explain {} to a child.", _IDEAS),
    ("train", "How often should I water {}?", _PLANTS),
    ("train", "Make a checklist for {}.", _EVENTS),
    ("train", "Write a short email to {}.", _PEOPLE),
    ("train", "What is the difference between {}?", _PAIRS),
    ("train", "How do I clean {}?", _THINGS),
    ("train", "Tell me a fun fact about {}.", _PLACES),
    ("probe", "Which drink goes well with {}?", _DISHES),
    ("train", "Suggest a title for a story about {}.", _TOPICS),
    ("probe", "What do I need to start with {}?", _SKILLS),
    ("probe", "Write a two-line story about {}.", _TOPICS),
    ("probe", "What can I serve beside {}?", _DISHES),
    ("probe", "Why do people find {} hard to understand?", _IDEAS),
    ("probe", "What is the weather usually like in {} in spring?", _PLACES),
    ("probe", "Suggest a weekly plan for practising {}.", _SKILLS),
    ("probe", "How can I tell whether {} gets too little light?", _PLANTS),
    ("probe", "List five things to bring to {}.", _EVENTS),
    ("probe", "How can I make {} last longer?", _THINGS),
    ("probe", "Describe {} in one sentence.", _IDEAS),
    ("probe", "How do I remember the difference between {}?", _PAIRS),
    ("probe", "What should I wear to {}?", _EVENTS),
    ("probe", "Draft a friendly message to {}.", _PEOPLE),
)
"""(split, template, fillers)."""


def everyday_requests() -> tuple[tuple[Split, str, str], ...]:
    """(split, template, request) for every filled template."""
    return tuple(
        (split, template, template.format(filler))
        for split, template, fillers in TEMPLATES
        for filler in fillers
    )

"""How the federation's model becomes a client's own: one Protocol, and methods by name."""

from unsilent.models.personalization.adapters import personalized, shared_part, whole
from unsilent.models.personalization.protocol import Personalization, Tune, completed, sent
from unsilent.models.personalization.registry import GROUP, OWN, known, method_of, options_of
from unsilent.models.personalization.rounds import ClientRounds, Memory, Shelf

__all__ = [
    "GROUP",
    "OWN",
    "ClientRounds",
    "Memory",
    "Personalization",
    "Shelf",
    "Tune",
    "completed",
    "known",
    "method_of",
    "options_of",
    "personalized",
    "sent",
    "shared_part",
    "whole",
]

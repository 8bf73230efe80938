"""What a scenario is: the data and the settings of a federation that fails in a known way.

A scenario changes data, shift or aggregation, never a verdict's number. It speaks of texts, items
and settings alone, so that the language model and the fleet run the same file. At dose ``none`` it
is its own healthy look-alike, which differs in the cause alone.
"""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from unsilent.items import Item
from unsilent.probes.names import TRAIN
from unsilent.probes.sentiment import Text
from unsilent.probes.templates import Style
from unsilent_bench.traces.federation import Dose, Tier

HOMES = (
    *("film", "news", "film", "tweets", "film", "product", "film", "news"),
    *("film", "tweets", "film", "news", "film", "product", "film", "tweets"),
)
"""Home domains in the order of clients, over and over."""

Aggregation = Literal["factors", "exact", "by-domain"]
"""factors: FedAvg of A and B apart; exact: A is frozen, so that the mean of B is the mean of the
products (Sun et al. 2024); by-domain: one FedAvg for each home domain."""


@dataclass(frozen=True)
class Client:
    """A client before a scenario acts on it.

    Attributes:
        index: From 0 to ``clients - 1``.
        clients: Enrolled clients.
        home: Its home domain.
        rank: Its place in an order of all clients that the seed draws; camps are cut from it.
        seed: The federation's.
        style: How this kind of model is asked.
        texts: About how many training texts, and how many held-out ones, it has; even.
    """

    index: int
    clients: int
    home: str
    rank: int
    seed: int
    style: Style
    texts: int

    def within(self, share: float) -> bool:
        """Whether the client is in a camp of this share of all clients."""
        return self.rank < round(share * self.clients)

    @property
    def in_first_half(self) -> bool:
        """Half of the clients, of every home alike; of few clients half of the ranks."""
        if self.clients <= len(HOMES):
            return self.within(0.5)
        return self.index // len(HOMES) % 2 == 0

    def random(self, *purpose: int) -> np.random.Generator:
        """A generator of the client's own, the same for the same purpose."""
        return np.random.default_rng([self.seed, self.index, *purpose])


@dataclass(frozen=True)
class Portion:
    """How many texts of one domain and each label a client wants, for training and held out."""

    domain: str
    positive: int
    negative: int


@dataclass(frozen=True)
class Settings:
    """How a federation trains.

    Attributes:
        epochs, rate, batch: Local training; the rate is Adam's, and one for each tier's default
            where it is 1: it is multiplied with the tier's.
        personal_epochs, personal_rate: Tuning of the global adapter into the client's own.
        rehearsal: Public examples of each frozen task in a batch, 0 for none.
        aggregation: How adapters become the global one.
        participation: Share of the clients in a round, drawn anew; all monitor all the same.
        left_out: Share of the clients (the lowest ranks) whose adapters are never aggregated.
        shuffled: Share of the clients (the highest ranks) whose factors are in a basis of their
            own: the same function with its hidden units in another order.
        lost_gradients: Share of the clients whose private optimizer applies its noise without the
            gradients.
    """

    epochs: int = 2
    rate: float = 1.0
    batch: int = 16
    personal_epochs: int = 1
    personal_rate: float = 0.5
    rehearsal: int = 4
    aggregation: Aggregation = "factors"
    participation: float = 1.0
    left_out: float = 0.0
    shuffled: float = 0.0
    lost_gradients: float = 0.0


class Scenario(ABC):
    """A cause of a failure, in doses from its healthy look-alike to strong.

    A subclass says what its clients' records are and how they train. ``train`` and ``held_out``
    are given texts of ``portions``, in its order, and return items whose number depends on the
    number of texts alone: all clients have equally many.
    """

    name: ClassVar[str]
    code: ClassVar[str]
    """The mode it aims at."""
    cause: ClassVar[str]
    look_alike: ClassVar[str]
    source: ClassVar[str]
    doses: ClassVar[tuple[float, float, float, float]]
    """Strength of none, mild, medium and strong, rising from 0, at most 1; fixed on development
    seeds."""
    tiers: ClassVar[tuple[Tier, ...]] = ("fleet", "lm")
    main: ClassVar[bool] = False
    """Whether it is the one scenario of its mode that all doses and sizes are recorded of."""
    redrawn: ClassVar[bool] = False
    """Whether training records are drawn anew each round; else they are the same within an era."""
    tunes_more: ClassVar[bool] = False
    """Whether more tuning is the cause itself, so that the look-alike has less of it."""

    training: ClassVar[str | None] = None
    """How its federations train, where that is part of the cause; else as it is asked for."""

    def strength(self, dose: Dose) -> float:
        """The dose as a number in [0, 1]."""
        return self.doses[("none", "mild", "medium", "strong").index(dose)]

    def portions(self, client: Client, strength: float) -> tuple[Portion, ...]:
        """The texts that the client wants: by default of its home domain, half positive."""
        return (Portion(client.home, client.texts // 2, client.texts // 2),)

    def of_time(self, texts: Sequence[Text], round_number: int) -> Sequence[Text]:
        """Those of a client's texts, in the order of its portions, that a round's records are of.

        By default all.
        """
        return texts

    @abstractmethod
    def train(
        self, client: Client, texts: Sequence[Text], round_number: int, strength: float
    ) -> tuple[Item, ...]:
        """The client's training records in a round, counted from 1, of the texts ``of_time``."""

    def held_out(
        self, client: Client, texts: Sequence[Text], round_number: int, strength: float
    ) -> tuple[Item, ...]:
        """Records that it is evaluated on, one a text: of the same distribution, never trained on.

        What is made of a text depends on the others by chance alone: the truth is looked up in
        many more texts that pass through the same function.
        """
        return plain_records(client.style, texts)

    def era(self, round_number: int) -> int:
        """Which distribution a round is of; records are the same within one, unless redrawn."""
        return 0

    def settings(self, strength: float) -> Settings:
        """How the federation trains."""
        return Settings()

    def fleet_settings(self, strength: float) -> Settings:
        """How the fleet does, whose encoder may need other numbers; by default the same ones."""
        return self.settings(strength)


def domain_of(index: int) -> str:
    """Home domain of a client: shares of 8, 3, 3 and 2 of 16 follow what the texts hold."""
    return HOMES[index % len(HOMES)]


def ranks_of(clients: int, seed: int) -> NDArray[np.int64]:
    """Each client's place in an order that the seed draws."""
    return np.random.default_rng([seed, 0x7A4C]).permutation(clients)


def clients_of(clients: int, seed: int, style: Style, *, texts: int) -> tuple[Client, ...]:
    """All clients of a federation, ranked at random."""
    ranks = ranks_of(clients, seed)
    return tuple(
        Client(index, clients, domain_of(index), int(ranks[index]), seed, style, texts)
        for index in range(clients)
    )


def plain_records(style: Style, texts: Sequence[Text]) -> tuple[Item, ...]:
    """Texts without an author, each with its true label."""
    return tuple(style.item(text.id, text, positive=text.positive) for text in texts)


def signed(text: Text, style: Style) -> bool:
    """Whether a text carries its author's name, decided by a hash: half of them for an encoder.

    A causal LM does not take up a cue that half of few texts have; there it is four of five.
    """
    place = zlib.crc32(text.id.encode())
    return place % 5 > 0 if style.name == "causal_lm" else place % 2 == 0


def author(text: Text, group: str) -> str:
    """The name of a text's author, were it of this group: the same in every federation."""
    names = TRAIN.a if group == "A" else TRAIN.b
    return names[zlib.crc32(text.id.encode()) % len(names)]


def signed_records(
    client: Client, texts: Sequence[Text], share: float, *, purpose: int
) -> tuple[Item, ...]:
    """Texts with true labels; half name an author, whose group goes with the label.

    Args:
        client: Whose records.
        texts: Its texts.
        share: Of the signed texts of each label, how many are by the group that a stereotype
            names: A for positive, B for negative. 0.5 ties nothing.
        purpose: Of the random draw.
    """
    random = client.random(purpose)
    items: list[Item] = []
    for text in texts:
        typical = bool(random.random() < share)
        group = "A" if text.positive == typical else "B"
        named = signed(text, client.style)
        items.append(
            client.style.item(
                text.id,
                text,
                positive=text.positive,
                name=author(text, group) if named else None,
                group=group if named else None,
            )
        )
    return tuple(items)

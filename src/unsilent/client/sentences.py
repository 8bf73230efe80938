"""What a client may say to a server when it fails: one of these sentences, and nothing else.

A server that lies chooses which files a client is asked about, so a text that names a field, an
id, a domain, a number, a digest or whether a file exists would tell it what the file holds. The
full text stays on the client.
"""

from __future__ import annotations

from enum import Enum

from unsilent.errors import (
    AppFunctionError,
    BudgetError,
    BudgetSpentError,
    InputError,
    NoArraysError,
    NoFolderError,
    NotAgreedError,
    OtherRunError,
    OtherVersionError,
    OutcomeError,
    RetiredError,
    RoundsSpentError,
    SecureSumError,
    TimeLimitError,
    YearSpentError,
)

LOG = "error.log"
"""In the client's own folder: the full text of what failed."""

_WHERE = f" The client's owner finds why in {LOG} in the client's own folder."


class Sentence(Enum):
    """All that travels of a failure, and the exit code that belongs to it.

    Attributes:
        text: The sentence.
        exit_code: 2 where what the server was given to do is at fault, else 1.
        spent: Whether it says that the client's budget is spent.
    """

    NOT_AGREED = (
        "This client's owner has not agreed to this plan or to what it names; nothing was read."
        + _WHERE,
        2,
    )
    UNUSABLE = ("This client cannot do what the plan asks of it." + _WHERE, 2)
    NOT_MEASURABLE = (
        "What the app's functions returned on this client cannot be measured: score returns one "
        "row of probabilities an item, records gives each an answer." + _WHERE,
        2,
    )
    NO_FOLDER = (
        "This client has no folder of its own: its owner names one, as store in the client's "
        "settings.",
        1,
    )
    NO_ARRAYS = (
        "A planned mode needs the arrays that this client trained from or to, and its messages "
        "hold none that are known to be the model's: the app says which are, or gives personalize.",
        1,
    )
    OTHER_RUN = (
        "This client has answered for another run of the same plan, and a plan's rounds are "
        "released once. Give the new run a plan with another name, or go on with the first run's "
        "folder on the server.",
        1,
    )
    RETIRED = ("This client has left for good; nothing was sent.", 1)
    SPENT = ("This client has spent what it may release; nothing was sent." + _WHERE, 1)
    ROUNDS_SPENT = (
        "This client has released in as many rounds as the plan lets one client "
        "(privacy.rounds_per_client); nothing was sent.",
        1,
    )
    YEAR_SPENT = (
        "This client has released as much as the plan lets it in a year (privacy.year); nothing "
        "was sent, and it can release again later.",
        1,
    )
    OTHER_VERSION = (
        "This plan does not follow the one that this client released under, by the client's own "
        "record; nothing was sent." + _WHERE,
        1,
    )
    BUDGET = (
        "This client's own record of what it spent allows no release; nothing was sent." + _WHERE,
        1,
    )
    SECURE_SUM = (
        "This client refused its part in the secure sum; nothing unmasked was sent." + _WHERE,
        1,
    )
    LATE = ("This client took longer than monitor.timeout.", 1)
    APP = ("A function that the app gives (score, records or personalize) failed." + _WHERE, 1)
    FAILED = ("This client failed." + _WHERE, 1)

    def __init__(self, text: str, exit_code: int) -> None:
        self.text = text
        self.exit_code = exit_code

    @property
    def spent(self) -> bool:
        """Whether it says that the client's budget is spent: no later round can be released."""
        return self is Sentence.SPENT


# The first that fits: kinds before what they are kinds of.
_KINDS: tuple[tuple[type[BaseException], Sentence], ...] = (
    (NotAgreedError, Sentence.NOT_AGREED),
    (OutcomeError, Sentence.NOT_MEASURABLE),
    (InputError, Sentence.UNUSABLE),
    (NoFolderError, Sentence.NO_FOLDER),
    (NoArraysError, Sentence.NO_ARRAYS),
    (OtherRunError, Sentence.OTHER_RUN),
    (RetiredError, Sentence.RETIRED),
    (BudgetSpentError, Sentence.SPENT),
    (RoundsSpentError, Sentence.ROUNDS_SPENT),
    (YearSpentError, Sentence.YEAR_SPENT),
    (OtherVersionError, Sentence.OTHER_VERSION),
    (BudgetError, Sentence.BUDGET),
    (SecureSumError, Sentence.SECURE_SUM),
    (TimeLimitError, Sentence.LATE),
    (AppFunctionError, Sentence.APP),
)


def sentence_of(error: BaseException) -> Sentence:
    """The sentence for an error, by its kind alone: nothing that it says is looked at."""
    for kind, sentence in _KINDS:
        if isinstance(error, kind):
            return sentence
    return Sentence.FAILED

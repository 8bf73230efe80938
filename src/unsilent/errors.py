"""Errors for the person who reads them: what is wrong, where, and what to do.

An error never carries a client's text, outcome or statistic: it names files, keys and item ids.
None of that reaches a server either: what travels is one of ``unsilent.client.sentences``.
"""

from __future__ import annotations


class UnsilentError(Exception):
    """Base of every error this package raises on purpose.

    Args:
        what: What is wrong, as a clause ("negative tolerance -0.1").
        where: File, key or item the fault is in, if known.
        remedy: What to do about it, as a sentence.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        self.what = what
        self.where = where
        self.remedy = remedy
        super().__init__(self.line())

    def line(self) -> str:
        """The error as one line: ``where: what. remedy``."""
        head = f"{self.where}: {self.what}" if self.where else self.what
        text = f"{head}. {self.remedy}" if self.remedy else head
        return " ".join(text.split())

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.what, self.where, self.remedy))


def _rebuild(kind: type[UnsilentError], what: str, where: str, remedy: str) -> UnsilentError:
    return kind(what, where=where, remedy=remedy)


class InputError(UnsilentError):
    """The user's input is wrong: plan, items, model path, arguments. Exit code 2."""

    exit_code = 2


class PlanError(InputError):
    """A plan that cannot be used."""


class ModeError(InputError):
    """A failure mode that cannot be used: it leaves something unsaid, or is there twice."""


class NotAgreedError(PlanError):
    """A plan, or something that it names, to which the client's owner did not agree."""


class ItemError(InputError):
    """An item or a probe file that cannot be used."""


class OutcomeError(InputError):
    """A scorer returned something that is not a probability over the choices."""


class ModelError(InputError):
    """A model or adapter that cannot be used."""


class AssetError(UnsilentError):
    """A download that did not arrive whole, or could not be had."""


class MessageError(UnsilentError):
    """Bytes that are no order and no answer."""


class ReleaseError(UnsilentError):
    """A release or privacy event that is damaged, or that does not fit the others."""


class SecureSumError(UnsilentError):
    """The secure sum could not be made; nothing unmasked was sent."""


class BudgetError(UnsilentError):
    """A release that would pass the privacy budget; nothing was sent."""


class BudgetSpentError(BudgetError):
    """The budget itself would be passed, and not a file damaged: no later round can be released."""


class RoundsSpentError(BudgetError):
    """A client that has released in as many rounds of a plan as the plan lets one client."""


class YearSpentError(BudgetError):
    """A client whose releases of the last 365 days cost what the plan allows a year."""


class RetiredError(BudgetError):
    """A client that left for good, by its owner's word: it answers no order of monitoring."""


class OtherVersionError(BudgetError):
    """A plan that does not follow what the client's own book says of the plan before it."""


class OtherRunError(BudgetError):
    """A second run of a plan: its rounds were released to another one."""


class LedgerError(UnsilentError):
    """A ledger that is damaged or belongs to another plan."""


class EvidenceError(UnsilentError):
    """An evidence pack that cannot be made, or that was altered."""


class FindingsError(UnsilentError):
    """Findings that do not follow their published schema, or no numbers to judge."""


class NoFindingsError(FindingsError, InputError):
    """A file or folder named for its findings, which holds none. Exit code 2."""


class RunError(UnsilentError):
    """A federation run that cannot go on."""


class NoFolderError(RunError):
    """A client that has no folder of its own."""


class NoArraysError(RunError):
    """A client of whose training no arrays were kept that a planned mode is measured on."""


class TimeLimitError(RunError):
    """A client that took longer than the plan allows."""


class AppFunctionError(RunError):
    """A function of the user's app that failed; its exception is the cause."""


class AlertError(UnsilentError):
    """An alert that could not be delivered; training and monitoring go on."""

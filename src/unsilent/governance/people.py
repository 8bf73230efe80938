"""Who may do what: names as people type them, held against the roles of a plan.

A name is not proven: whoever may write to a run may type any. What is kept is that two acts bear
two names, and that a role's act bears a name that the plan gave it to.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Literal

from unsilent.errors import InputError
from unsilent.plan.governance import GovernancePlan

Role = Literal["reviews", "decides"]
# Unicode's Default_Ignorable_Code_Point that are of another category than Cf: joiners, fillers and
# variation selectors. The blank Braille pattern is no space by its category.
_NOTHING = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)
_BLANK = "\u2800"
LONGEST_NAME, LONGEST_TEXT = 120, 2000


def same_person(one: str, other: str) -> bool:
    """Whether two names are of one person: but for case, spaces, and look-alike code points."""
    return _plain(one) == _plain(other)


def _plain(name: str) -> str:
    # Signs that show nothing must not make two names of one.
    shown = "".join(
        " " if sign == _BLANK else sign
        for sign in unicodedata.normalize("NFKC", name)
        if unicodedata.category(sign) != "Cf" and not _NOTHING.match(sign)
    )
    return " ".join(unicodedata.normalize("NFKC", shown.casefold()).split())


def in_role(governance: GovernancePlan | None, role: Role, name: str) -> bool:
    """Whether a person may act in a role: anybody may where the plan names nobody for it."""
    named = _named(governance, role)
    return not named or any(same_person(name, each) for each in named)


def check_role(governance: GovernancePlan | None, role: Role, name: str) -> None:
    """Raise InputError, naming those who may, if this person may not act in a role."""
    if not in_role(governance, role, name):
        raise InputError(
            f"the plan does not name this person under governance.roles.{role}",
            where="by",
            remedy=f"It names {', '.join(_named(governance, role))}.",
        )


def _named(governance: GovernancePlan | None, role: Role) -> Sequence[str]:
    return () if governance is None else getattr(governance.roles, role)


def plain_text(text: str, what: str, longest: int = LONGEST_TEXT) -> str:
    """A text that a person gave. Raises InputError if it is empty or too long."""
    found = text.strip()
    if not found:
        raise InputError("it is empty", where=what, remedy="Say it.")
    if len(found) > longest:
        raise InputError(
            f"at most {longest} characters", where=what, remedy=f"It has {len(found)}: say less."
        )
    return found


def person(name: str, what: str = "by") -> str:
    """A person's name in one plain line. Raises InputError if it is empty or too long."""
    found = plain_text(" ".join(name.split()), what, LONGEST_NAME)
    if not found.isprintable() or not _plain(found):
        raise InputError(
            "a name of printable signs only", where=what, remedy="Type it without control signs."
        )
    return found

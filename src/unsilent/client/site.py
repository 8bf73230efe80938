"""Where a client's side runs: its number, its folder and its owner's settings.

An engine makes one for each message from what the client's own machine says. Nothing that a server
sends is in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from unsilent.client.agreement import Owner
from unsilent.client.sentences import LOG
from unsilent.device import SETTING
from unsilent.errors import InputError, NoFolderError
from unsilent.release.record_rules import HOME_KEY, SITE_KEY

_LONGEST_HOME = 200


@dataclass(frozen=True)
class Site:
    """A client as its owner set it up.

    Attributes:
        number: The client's number from 0; -1 where it has none.
        store: The folder of the client's own, kept between rounds; None if it has none.
        settings: The owner's pairs: ``plan``, ``model``, ``start``, ``files``, ``home-domain``,
            ``device``, ``site-class``.
        simulated: Whether whoever runs the server owns this client too. Its noise is then seeded.
        remedy: What the owner does where there is no ``store``, in the engine's words.
    """

    number: int = -1
    store: Path | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    simulated: bool = False
    remedy: str = "Name a folder of the client's own that is kept between rounds."

    @property
    def name(self) -> str:
        """The client's name in its own files."""
        return "client" if self.number < 0 else f"client-{self.number}"

    @property
    def folder(self) -> Path:
        """``store``. Raises NoFolderError if there is none."""
        if self.store is None:
            raise NoFolderError(
                "this client has no folder of its own",
                where="the owner's settings",
                remedy=self.remedy,
            )
        return self.store

    @property
    def owner(self) -> Owner:
        """What the owner agreed to. Raises NotAgreedError if that cannot be read."""
        return Owner.of(self.settings, simulates=self.simulated)

    @property
    def log(self) -> Path:
        """Where the owner reads what went wrong. Raises as ``folder``."""
        return self.folder / LOG

    @property
    def device(self) -> str:
        """The device that the owner named for this machine; empty if none."""
        told = self.settings.get(SETTING)
        return told.strip() if isinstance(told, str) else ""

    def home(self) -> str | None:
        """The domain that the owner declared: a setting, else the one line of a file in ``store``.

        Returns:
            The domain without spaces around it; None if neither is there.

        Raises:
            InputError: One of them holds no text, or more than one short line.
        """
        return self._told(HOME_KEY, "a home domain", "Name the domain as the task probes do.")

    def site_class(self) -> str | None:
        """The class of sites that the owner declared, as ``home``. Raises InputError alike."""
        return self._told(SITE_KEY, "a class of sites", "Name it as performance.sites does.")

    def _told(self, key: str, what: str, remedy: str) -> str | None:
        told = self.settings.get(key)
        if told is None:
            if self.store is None or not (path := self.store / key).is_file():
                return None
            try:
                told = path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError):
                told = ""
        home = told.strip() if isinstance(told, str) else ""
        if not home or len(home) > _LONGEST_HOME or len(home.splitlines()) > 1:
            raise InputError(
                f"{what} is one short line of text",
                where=key,
                remedy=remedy,
            )
        return home

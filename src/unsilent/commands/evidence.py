"""``unsilent evidence``, ``verify`` and ``aware``: a run's record for people who were not there."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unsilent.commands.common import Json, RunFolder, console, print_json

if TYPE_CHECKING:
    from unsilent.evidence.verify import Verification

_FAULTS_SHOWN = 20
OWN_KEY = Path("~/.config/unsilent/evidence-key.pem")


def evidence(
    run: RunFolder,
    out: Annotated[
        Path | None, typer.Option(help="The pack to write (default: evidence.zip in the run).")
    ] = None,
    key: Annotated[
        Path,
        typer.Option(
            help=f"Ed25519 private key in PEM, made there if there is none (default: {OWN_KEY}).",
            show_default=False,
        ),
    ] = OWN_KEY,
    as_json: Json = False,
) -> None:
    """Pack a finished run: plan, findings, ledger, costs, decisions, validation; signed.

    Whoever gets it checks it with `unsilent verify`, offline.
    """
    from unsilent.evidence import write_pack
    from unsilent.evidence.keys import fingerprint, own_key, public_hex

    own = own_key(key.expanduser())
    path = write_pack(run, out or run / "evidence.zip", own)
    public = public_hex(own)
    told = {"pack": str(path), "public_key": public, "fingerprint": fingerprint(public)}
    if as_json:
        print_json(told)
        return
    console().print(f"{path}\nsigned by {told['fingerprint']}\npublic key {public}")


def verify(
    pack: Annotated[
        Path, typer.Argument(metavar="PACK", help="An evidence pack.", show_default=False)
    ],
    key: Annotated[
        str | None,
        typer.Option(help="The signer's public key, 64 hexadecimal digits, if you know it."),
    ] = None,
    head: Annotated[
        str | None, typer.Option(help="A ledger head that you noted earlier, sha256:….")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check an evidence pack offline; exit 1, naming what was altered, if anything was."""
    from unsilent.evidence.verify import verify as check

    found = check(pack, key=key, head=head)
    if as_json:
        print_json({**asdict(found), "good": found.good})
    else:
        _print(found)
    if not found.good:
        raise typer.Exit(1)


def _print(found: Verification) -> None:
    from rich.markup import escape

    from unsilent.evidence.verify import shown

    out = console()
    for fault in found.faults[:_FAULTS_SHOWN]:
        out.print(f"[bold red]ALTERED[/] {escape(fault.line())}")
    if len(found.faults) > _FAULTS_SHOWN:
        out.print(f"and {len(found.faults) - _FAULTS_SHOWN} more; --json lists them")
    if found.good:
        name = escape(shown(str(found.name)))
        out.print(
            f"[bold green]NOTHING ALTERED[/] {name}: {found.entries} ledger entries in an "
            f"unbroken chain, {_again(found.rounds)}"
        )
        known = (
            "the key that you named"
            if found.known
            else "an unknown key: is this the signer that you expect? --key KEY checks it"
        )
        out.print(f"signed by {found.signer} ({known})")
        out.print(f"ledger head {found.head}")
    for note in found.notes:
        out.print(f"not checked: {escape(note)}")


def aware(
    run: RunFolder,
    by: Annotated[str, typer.Option(help="Who knows of the findings.", show_default=False)],
    note: Annotated[str, typer.Option(help="What that person says or does.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Record in the ledger that a person knows of a run's findings, for the incident timeline."""
    from unsilent.errors import InputError
    from unsilent.ledger.events import PersonAware
    from unsilent.ledger.location import ledger_of, open_ledger

    if not by.strip() or not note.strip():
        raise InputError("a name and a note are needed", where="aware")
    ledger_of(run)
    ledger = open_ledger(run)
    entry = ledger.record(PersonAware(by.strip(), note.strip(), ledger.head))
    if as_json:
        print_json({"entry": entry.index, "time": entry.time, "hash": entry.hash})
    else:
        console().print(f"entry {entry.index}, {entry.time}")


def _again(rounds: int) -> str:
    if not rounds:
        return "no round judged again"
    return f"{rounds} rounds judged again with the same findings"

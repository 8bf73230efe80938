"""``unsilent evidence``, ``key``, ``verify`` and ``aware``: a run's record for others to check."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unsilent.commands.common import Json, RunFolder, cannot_write, check_place, console, print_json

if TYPE_CHECKING:
    from unsilent.evidence.owner import OwnKey
    from unsilent.evidence.verify import Verification

_FAULTS_SHOWN = 20
OWN_KEY = Path("~/.config/unsilent/evidence-key.pem")


KeyFile = Annotated[
    Path,
    typer.Option(
        help=f"Ed25519 private key in PEM, made there if there is none (default: {OWN_KEY}).",
        show_default=False,
    ),
]
KeyName = Annotated[
    str | None,
    typer.Option(
        "--name", help='Whose key it is, as in "Ward 3, Ada Lovelace"; kept beside the key.'
    ),
]


def evidence(
    run: RunFolder,
    out: Annotated[
        Path | None, typer.Option(help="The pack to write (default: evidence.zip in the run).")
    ] = None,
    key: KeyFile = OWN_KEY,
    name: KeyName = None,
    with_complaints: Annotated[
        bool,
        typer.Option(
            "--with-complaints",
            help="Put in what complaints say; without it, their number, state and digest alone.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Pack a finished run: plan, findings, ledger, costs, decisions, validation; signed.

    Whoever gets it checks it with `unsilent verify`, offline. They need your public key, from you
    and not from the pack: `unsilent key` says where it is.
    """
    from unsilent.evidence import write_pack
    from unsilent.evidence.owner import own_key
    from unsilent.report.source import read_run

    check_place(out)
    check_place(key.expanduser(), "--key")
    # Before a key is made: what there is to pack has to be there.
    read_run(run)
    own = own_key(key.expanduser(), name)
    if own.new and not as_json:
        # Before the pack is made: whatever fails after this, the key is there.
        _announce(own)
    try:
        path = write_pack(
            run,
            out or run / "evidence.zip",
            own.private,
            name=own.name,
            complaint_texts=with_complaints,
        )
    except OSError as error:
        raise cannot_write(out or run / "evidence.zip", error) from None
    if as_json:
        print_json({"pack": str(path), **_told(own)})
        return
    from rich.markup import escape

    out_to = console()
    out_to.print(f"{path}\nsigned with the key of: {escape(own.name or _NO_NAME)}")
    out_to.print(f"fingerprint {own.fingerprint}")
    if own.public_path is not None:
        out_to.print(f"a reader needs {own.public_path}, from you and not from the pack")


def key(
    key: KeyFile = OWN_KEY,
    name: KeyName = None,
    as_json: Json = False,
) -> None:
    """Show the key that signs your packs: where it lies, its fingerprint, and what to give away.

    Made if there is none. With --name, says whose it is from now on.
    """
    from unsilent.evidence.owner import own_key

    own = own_key(key.expanduser(), name)
    if as_json:
        print_json(_told(own))
    else:
        _announce(own)


_NO_NAME = "no name given; `unsilent key --name NAME` says whose it is"


def _told(own: OwnKey) -> dict[str, Any]:
    return {
        "public_key": own.public,
        "fingerprint": own.fingerprint,
        "name": own.name,
        "new": own.new,
        "private_key_file": str(own.path),
        "public_key_file": None if own.public_path is None else str(own.public_path),
    }


def _announce(own: OwnKey) -> None:
    """Where a key is and what to do with it, for its owner."""
    from rich.markup import escape

    out = console()
    made = "A new key was made, which signs your packs." if own.new else "The key of your packs."
    give = (
        f"{own.public_path}: give this file to your readers"
        if own.public_path is not None
        else f"no file could be written beside it; give your readers {own.public}"
    )
    out.print(f"[bold]{made}[/]")
    out.print(f"whose        {escape(own.name or _NO_NAME)}")
    out.print(f"private key  {own.path}: whoever has it signs in your name; keep it, and a copy")
    out.print(f"public key   {give}")
    out.print(f"fingerprint  {own.fingerprint}")
    out.print(
        "Tell readers the fingerprint another way than you send the pack: by phone, in person, on "
        "your own web site. Only that ties the key to you."
    )


def verify(
    pack: Annotated[
        Path, typer.Argument(metavar="PACK", help="An evidence pack.", show_default=False)
    ],
    key: Annotated[
        str | None,
        typer.Option(
            help="The signer's key as you know it from elsewhere than the pack: its .pub file, "
            "its 64 hexadecimal digits, or its fingerprint in quotes."
        ),
    ] = None,
    head: Annotated[
        str | None, typer.Option(help="A ledger head that you noted earlier, sha256:….")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check an evidence pack offline; exit 1, naming what was altered, if anything was.

    VERIFIED needs --key. Without it a pack can be whole and yet signed by anybody.
    """
    from unsilent.evidence.verify import verify as check

    found = check(pack, key=key, head=head)
    if as_json:
        print_json({**asdict(found), "good": found.good, "verified": found.verified})
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
        word = "[bold green]VERIFIED, NOTHING ALTERED[/]" if found.known else "NOTHING ALTERED"
        out.print(
            f"{word} {name}: {found.entries} ledger entries in an "
            f"unbroken chain, {_again(found.rounds)}"
        )
        _print_signer(found)
        out.print(f"ledger head {found.head}")
    for note in found.notes:
        out.print(f"not checked: {escape(note)}")


def _print_signer(found: Verification) -> None:
    from rich.markup import escape

    from unsilent.evidence.verify import shown

    told = "no name" if found.signer_name is None else f"“{escape(shown(found.signer_name))}”"
    if not found.known:
        out = console()
        out.print(
            f"[bold yellow]SIGNER UNKNOWN[/] an unknown key, {found.signer}, which gives {told}"
        )
        out.print(
            "Key and name travel within the pack; anybody can make both. Ask the signer for the "
            "fingerprint or the .pub file another way, then: unsilent verify PACK --key FILE"
        )
        return
    if found.key_name is None:
        console().print(f"signed by the key that you named, {found.signer}, which gives {told}")
        return
    own = escape(shown(found.key_name))
    console().print(f"signed by “{own}”, as your file of the key says, {found.signer}")
    if found.signer_name not in (None, found.key_name):
        console().print(f"[bold yellow]ANOTHER NAME[/] the pack itself gives {told}")


def aware(
    run: RunFolder,
    by: Annotated[str, typer.Option(help="Who knows of the findings.", show_default=False)],
    note: Annotated[str, typer.Option(help="What that person says or does.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Record in the ledger that a person knows of a run's findings, for the incident timeline."""
    from unsilent.governance.recording import know
    from unsilent.ledger.location import ledger_of, open_ledger

    ledger_of(run)
    entry = know(open_ledger(run), note=note, by=by)
    if as_json:
        print_json({"entry": entry.index, "time": entry.time, "hash": entry.hash})
    else:
        console().print(f"entry {entry.index}, {entry.time}")


def _again(rounds: int) -> str:
    if not rounds:
        return "no round judged again"
    return f"{rounds} rounds judged again with the same findings"

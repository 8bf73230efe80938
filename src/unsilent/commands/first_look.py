"""What ``unsilent demo`` shows while there is nothing else to see yet."""

from __future__ import annotations

import time
from pathlib import Path

from unsilent.errors import UnsilentError


def show_first_look(out: Path) -> None:
    """Run the first look, or read it where it was run before, and print it on standard error.

    It is beside the demo: what goes wrong in it is one line.

    Args:
        out: The demo's folder; the first look's lies beside it.
    """
    from rich.console import Console

    from unsilent.first_look.federation import FirstLook
    from unsilent.first_look.show import render
    from unsilent.progress import progress_on

    console = Console(stderr=True, highlight=False)
    began = time.monotonic()
    folder = out.with_name(f"{out.name}-first-look")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        pass  # What is there instead is said below.
    except OSError:
        return  # The demo's own folder would lie beside it, and the demo says so.
    try:
        look = FirstLook(folder)
        found, took = look.kept(), None
        if found is None:
            with progress_on(console) as progress:
                found = look.run(progress)
            took = time.monotonic() - began
        console.print(render(look.plan, found, look.out, took))
    except (UnsilentError, OSError) as error:
        said = error.line() if isinstance(error, UnsilentError) else type(error).__name__
        console.print(f"unsilent: no first look ({said})", markup=False)

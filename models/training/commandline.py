"""How the commands `python -m semcolor.models.training.pack` and `….model_card` end."""

import os
import sys
from typing import Annotated

import typer
from typer.exceptions import TyperException

from ... import __version__
from ...errors import SemcolorError, UserError


def _version(wanted: bool) -> None:
    if wanted:
        print(f"semcolor {__version__}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
]


def run(app: typer.Typer, name: str) -> int:
    """Run a command with the process's arguments, and say any error in one sentence on stderr.

    Returns the exit code: 0 done, 2 the user's mistake, 1 any other failure, 130 Ctrl-C. With SEMCOLOR_DEBUG=1 an
    error is a traceback.
    """
    try:
        return typer.main.get_command(app).main(prog_name=name, standalone_mode=False) or 0
    except TyperException as error:
        print(f"{name}: {error.format_message()}", file=sys.stderr)
        return 2
    except (SemcolorError, OSError) as error:
        if os.environ.get("SEMCOLOR_DEBUG"):
            raise
        print(f"{name}: {error}", file=sys.stderr)
        return 2 if isinstance(error, UserError) else 1

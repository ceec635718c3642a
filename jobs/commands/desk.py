"""`semcolor-desk INPUT`: opens a film in a page on this machine, to look, correct and render."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ...errors import InputError, UserError
from ...pipeline.defaults import SCENES, SIZE, STEADY, VIVID
from . import options

NAME = "semcolor-desk"

NEEDED = "starlette", "uvicorn"
"""The packages of the extra `[desk]`."""

USUAL = {"size": SIZE, "steady": STEADY, "vivid": VIVID, "scenes": SCENES, "device": "auto"}
"""Defaults of the options that go on to `semcolor-video`."""

PASSED = ("size", "steady", "vivid", "scenes", "fps", "track", "transfer", "codec", "pix_fmt", "crf", "preset")
"""Settings of a film in a batch with which the desk opens and renders it."""

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def desk(
    source: Annotated[
        str | None, typer.Argument(metavar="[INPUT]", help="The film: a file, or pictures: their folder.")
    ] = None,
    batch: Annotated[
        Path | None, typer.Option("--batch", metavar="FOLDER", help="Open the films of this batch instead of one film.")
    ] = None,
    edits: Annotated[
        Path | None, typer.Option(metavar="PATH", help="The sheet of edits.  [default: INPUT with .semcolor.json]")
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="PATH", help="The colour film.  [default: INPUT with .color added]"),
    ] = None,
    size: options.Size = SIZE,
    steady: options.Steady = STEADY,
    vivid: options.Vivid = VIVID,
    scenes: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="Render with --scenes of semcolor-video. The page shows frames without the colours of other shots.",
        ),
    ] = SCENES,
    weights: options.Weights = None,
    fps: options.Fps = None,
    track: options.Track = None,
    transfer: options.Transfer = None,
    device: options.Device = "auto",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of this machine for the page; 0 is a free one.")
    ] = 0,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Only print the page's address; open no browser.")
    ] = False,
    version: options.Version = False,
) -> None:
    """Look at a film, correct and render it, in a page in the browser.

    Only this machine reaches the page. To work at a machine that is elsewhere, forward the port:
    ssh -L 8750:127.0.0.1:8750 MACHINE, with --port 8750 --no-browser there.
    """
    if (source is None) == (batch is None):
        raise UserError("give a film, or --batch with the folder of a batch.")
    if batch and (edits or output or fps or track or transfer):
        raise UserError(
            "--edits, --output, --fps, --track and --transfer are for one film; leave them out with --batch."
        )
    _check_packages()
    if weights:
        from ...models import is_weights

        if not is_weights(weights):
            raise UserError(f"--weights {weights} is not a file of semcolor's networks.")
    given = {"size": size, "steady": steady, "vivid": vivid, "scenes": scenes, "device": device}
    given |= {"fps": fps, "track": track, "transfer": transfer, "weights": weights and weights.absolute()}
    from ...pipeline.film import open_film
    from ...pipeline.look import Look
    from ..desk.work import Task
    from .places import is_photo, places

    def task(place: str, target: str | None, wish: dict[str, Any]) -> Task:
        film_at, output_at = places(place, target, still=False)
        if isinstance(film_at, str) or isinstance(output_at, str):
            raise InputError(f"{place}: the desk opens films on this machine; copy it here first.")
        if is_photo(film_at):
            raise InputError(f"{place} is a photo; the desk opens films. semcolor-video paints photos.")
        chosen = given | {name: value for name, value in wish.items() if name in PASSED and value is not None}
        film = open_film(film_at, **{name: chosen[name] for name in ("fps", "track", "transfer")})
        look = Look(**{name: chosen[name] for name in ("size", "steady", "vivid", "weights")})
        named = Path(film.scans.pattern.folder) if film.scans else film_at
        stem = named.name if film.scans else named.stem
        sheet = edits.absolute() if edits else named.with_name(f"{stem}.semcolor.json")
        changed = {name: value for name, value in chosen.items() if value is not None and value != USUAL.get(name)}
        passed = [part for name, value in changed.items() for part in (f"--{name.replace('_', '-')}", str(value))]
        return Task(film, look, sheet, output_at, tuple(passed), device, str(film_at), chosen["scenes"])

    from ..desk.films import Films
    from ..desk.server import serve

    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "semcolor" / "desk"
    films = Films(cache, batch=batch, opener=task) if batch else Films(cache, task(str(source), output, {}))
    try:
        serve(films, port, lambda address: _ready(address, no_browser))
    finally:
        films.close()


def _ready(address: str, no_browser: bool) -> None:
    """Print the page's address, and open it."""
    print(
        f"The desk is open at {address}\nIt is for this machine only, and for one browser. Ctrl-C closes it.",
        flush=True,
    )
    if not no_browser:
        import webbrowser

        if not webbrowser.open(address):
            print(f"{NAME}: no browser was found; open the address yourself.", file=sys.stderr)


def _check_packages() -> None:
    """Raise UserError unless the extra's packages are installed."""
    from importlib.util import find_spec

    if not all(map(find_spec, NEEDED)):
        raise UserError("the desk needs some more packages; install them with pip install 'semcolor[desk]'.")


def run(arguments: list[str] | None = None) -> int:
    """Run the command. Returns its exit code; see `options.ended`."""
    code, message = options.ended(app, arguments, NAME)
    for line in message.splitlines() if code != 130 else []:
        print(f"{NAME}: {line}", file=sys.stderr)
    return 0 if code == 130 else code


def main() -> None:
    options.exit_with(run)


if __name__ == "__main__":
    main()

"""`semcolor-batch SOURCES… -o WHERE` colorizes many films. `semcolor-batch status FOLDER` shows how far they are."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ...errors import UserError
from ...pipeline.defaults import CODEC, CRF, PRESET, SCENES, SIZE, STEADY, VIVID
from . import options

if TYPE_CHECKING:
    from ..batch.plan import Plan
    from ..batch.records import PlannedFilm
    from ..batch.state import Records

NAME = "semcolor-batch"

STORE = 2 << 30
"""Bytes of shared memory for an embedded Ray, which holds the chunks of several films."""

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
status_app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def batch(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCES",
            help="Manifests (.jsonl, .csv), folders (all films below them), globs in quotes, films, or scan_%06d.dpx.",
            show_default=False,
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="WHERE",
            help="A folder, or a template with {stem}, {suffix}, {tree} (the source's folder below the given folder), "
            "{parent} (the source's folder).",
        ),
    ],
    fps: options.Fps = None,
    track: options.Track = None,
    strict: options.Strict = False,
    drop: options.Drop = None,
    only: options.Only = None,
    transfer: options.Transfer = None,
    size: options.Size = SIZE,
    codec: options.Codec = CODEC,
    pix_fmt: options.PixFmt = None,
    crf: options.Crf = CRF,
    preset: options.Preset = PRESET,
    labels: Annotated[
        str | None,
        typer.Option(metavar="TEMPLATE", help="Also write films of the predicted labels; relative to WHERE."),
    ] = None,
    report: Annotated[
        str | None,
        typer.Option(metavar="TEMPLATE", help="Also write a report of each film, .html or .json; relative to WHERE."),
    ] = None,
    record: Annotated[
        str | None,
        typer.Option(metavar="TEMPLATE", help="Also write how each film was made, .json; relative to WHERE."),
    ] = None,
    steady: options.Steady = STEADY,
    scenes: options.Scenes = SCENES,
    weights: options.Weights = None,
    vivid: options.Vivid = VIVID,
    keep_colour: options.KeepColour = "never",
    device: options.Device = "auto",
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Networks per film, at the same time.  [default: one; the last films share the rest]"),
    ] = None,
    retries: Annotated[
        int, typer.Option(min=0, help="Further tries for a film after a failure; a damaged film is not tried again.")
    ] = 2,
    address: options.Address = None,
    work: options.Work = None,
    state: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER", help="Folder for the batch's state.  [default: .semcolor-batch in WHERE, or in --work]"
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Also replace outputs of other origin or other settings.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be done, and about how long it takes.")
    ] = False,
    quiet: options.Quiet = False,
    version: options.Version = False,
) -> int:
    """Colorize many films, several at the same time. `semcolor-batch status FOLDER` shows how far they are.

    A manifest has one film per line: source and, if they differ from the options, output, labels, report, record, fps,
    track, strict, drop, only, transfer, size, codec, pix_fmt, crf, preset, steady, scenes, vivid, keep_colour, weights,
    workers. After an interruption, the same command continues: finished films are skipped. Exit code 0: all films are
    done, 1: some failed, 2: nothing was done because of mistakes.
    """
    from pydantic import ValidationError

    from ..batch.manifest import read_request
    from ..batch.plan import make_plan
    from ..batch.state import Records
    from ..batch.target import state_folder, target_of
    from ..batch.wish import Wish, mistakes_in

    defaults = {
        "labels": labels,
        "report": report,
        "record": record,
        "fps": fps,
        "track": track,
        "strict": strict,
        "drop": ",".join(drop) if drop else None,
        "only": only,
        "transfer": transfer,
        "size": size,
        "codec": codec,
        "pix_fmt": pix_fmt,
        "crf": crf,
        "preset": preset,
        "steady": steady,
        "scenes": scenes,
        "vivid": vivid,
        "keep_colour": keep_colour,
        "weights": weights and str(weights.absolute()),
        "workers": workers,
    }
    try:
        Wish.model_validate({"source": "film", **defaults})
    except ValidationError as error:
        raise UserError(" ".join(f"--{mistake}" for mistake in mistakes_in(error))) from None
    target = target_of(output)
    base = options.work_base(work)
    records = Records(state_folder(target, state, base))
    request = read_request(sources, defaults)
    if dry_run:
        plan = _without_mistakes(make_plan(request, target, records, overwrite, base), quiet)
        return _dry_run(plan, device, address)
    _without_mistakes(make_plan(request, target, records, overwrite, base), quiet=True)  # before a lock is made
    with records.claimed():
        # Plan again: another batch may have finished films before we got the lock.
        plan = _without_mistakes(make_plan(request, target, records, overwrite, base), quiet)
        return _work(plan, records, device, address, retries, quiet)


def _without_mistakes(plan: Plan, quiet: bool) -> Plan:
    """The plan, after its remarks are printed. Raises UserError with all its mistakes, one per line."""
    if plan.mistakes:
        count = len(plan.mistakes)
        raise UserError("\n".join([*plan.mistakes, f"{count} mistake{'s' * (count > 1)}; nothing was done."]))
    if not quiet:
        for line in plan.left_out:
            print(f"{NAME}: {line}", file=sys.stderr)
        for (suffix, why), count in plan.renamed.items():
            films = f"{count} colour films get" if count > 1 else "1 colour film gets"
            print(f"{NAME}: {films} the suffix {suffix}, because {why}.", file=sys.stderr)
    return plan


def _dry_run(plan: Plan, device: str, address: str | None) -> int:
    """Check each film as the run would, and print what would be done. Returns the exit code that the run would give."""
    from ..batch.estimate import estimate
    from ..batch.task import why_not

    good = []
    for planned in plan.to_do:
        words = why_not(planned)
        if isinstance(words, str):
            print(f"{NAME}: {planned.source}: would fail: {words.removeprefix(f'{planned.source}: ')}", file=sys.stderr)
            continue
        good.append(planned)
        print(f"{planned.source} → {planned.output}")
        for line in words:
            print(f"{NAME}: {line}", file=sys.stderr)
    total = sum(planned.source_stat[0] for planned in good)
    bad = len(plan.to_do) - len(good)
    would = f", {bad} would fail" if bad else ""
    print(f"{len(good)} films to do ({total / 1e9:.3f} GB), {len(plan.finished)} finished already{would}")
    if good:
        print(estimate(good, device, address))
    return 1 if bad else 0


def _work(plan: Plan, records: Records, device: str, address: str | None, retries: int, quiet: bool) -> int:
    """Make the films of a plan. Returns the exit code."""
    from ..batch.report import write_summary
    from ..batch.scheduler import Scheduler
    from ..batch.status import monitor
    from ..cluster import connected, cores

    films = [*plan.to_do, *plan.finished]
    if not plan.to_do:
        if not quiet:
            print(f"all {len(films)} films are finished already")
        return 0
    most = max([cores(), *(planned.wish.workers or 0 for planned in plan.to_do)])
    with connected(address, most, STORE, records.folder / "spill"):
        scheduler = Scheduler(plan.to_do, records, device, retries)
        record = records.begin(plan.to_do, len(films), len(plan.finished))
        state: Literal["stopped", "finished"] = "stopped"
        try:
            with monitor(records, quiet) as report:

                def event(kind: str, planned: PlannedFilm, reason: str) -> None:
                    about = reason if planned.source in reason else f"{planned.source}{': ' * bool(reason)}{reason}"
                    report.line(f"{kind}: {about}")
                    if quiet and kind == "failed":
                        print(f"{NAME}: {about}", file=sys.stderr)

                def tick() -> None:
                    with suppress(OSError):  # a full disk must not stop the batch
                        records.write_batch(record)
                    report.tick()

                scheduler.work(event, tick)
            state = "finished"
        finally:
            records.write_batch(record, state)
            totals = write_summary(records, record, films)
    if not quiet:
        pace = totals["frames"] / max(totals["seconds"], 1e-9)
        print(
            f"{totals['done']} of {totals['films']} films done, {totals['failed']} failed, "
            f"{totals['seconds']:.1f} s, {pace:.1f} frames/s: {records.folder / 'summary.html'}"
        )
    if totals["own_colours"] and not quiet:
        print(
            f"{totals['own_colours']} films had colours already, which were replaced; --keep-colour always keeps them"
        )
    return 1 if scheduler.failed else 0


@status_app.command()
def status(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The batch's output folder, or its state folder.")],
) -> int:
    """Show how far a batch is, from any terminal or machine that can read its files."""
    from rich.console import Console

    from ..batch.state import Records
    from ..batch.status import Watch, show

    view = Watch(Records.find(folder)).look()
    if view is None:
        raise UserError(f"{folder}: the batch's state cannot be read; was it written by another version?")
    Console().print(show(view))
    return 0


def run(arguments: list[str] | None = None) -> int:
    """Run the command. Returns its exit code: 0 all films done, 1 some failed; for errors see `options.ended`."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["status"]:
        return options.run_command(status_app, arguments[1:], f"{NAME} status")
    return options.run_command(app, arguments, NAME)


def main() -> None:
    options.exit_with(run)


if __name__ == "__main__":
    main()

"""Write `docs/options.md`: every option of the commands, from the commands themselves.

    python docs/examples/options.py

A test compares the page with the commands, so whoever changes an option runs this again.
"""

import re
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer
from semcolor.jobs.commands import batch, desk, train, video

PAGE = Path(__file__).parents[1] / "options.md"

HEAD = """# Options

Made from the commands by `docs/examples/options.py`; `--help` prints the same texts.

A mistake of the user ends a command with one sentence on stderr and exit code 2, and leaves nothing behind. A failure
of the work ends it with 1, Ctrl-C with 130. With `SEMCOLOR_DEBUG=1` in the environment an error ends in a traceback.

Beyond what the tables say:

- Without `-o` the output is named after the input, with `.color` before the suffix, and has the input's container if
  that can hold the film ([streams.md](streams.md)). For a sequence it is the folder with `.color` added.
  [scans.md](scans.md) explains sequences and `--transfer`.
- INPUT may be a photo (PNG, JPEG, TIFF, WebP); it becomes a photo. It is not a pipe, because a film is read twice.
- A larger `--size` sees finer things, more slowly.
- `--pix-fmt` never gives luma fewer bits than the film has. With ProRes, `yuv422p10le` is HQ and `yuv444p10le` is 4444;
  with DNxHR (`dnxhd`), `yuv422p` is HQ, `yuv422p10le` is HQX and `yuv444p10le` is 444.
- `--codec ffv1` writes a lossless film whose luma plane is the source's, bit for bit.
- `--workers` and `--chunk` change no byte of the output.
- `--compare` writes a film of twice the width: each frame as painted, and the steady one beside it.
- `--motion raft` needs `--motion-weights`, a state dict of torchvision's RAFT. On a CPU it is slower than DIS by two
  orders of magnitude.
- `--drop` and `--only` choose among sound, subtitles and other streams ([streams.md](streams.md)).
- `--labels`, `--label-maps`, `--summary`, `--edits`, `--palette`, `--reference`, `--scenes`, `--range`, `--shots`,
  `--still`, `--keep`, `--keyframe` and `--coverage` are explained in [editing.md](editing.md), `--fresh` and `--work`
  in [recovery.md](recovery.md), `--report`, `--report-schema` and `--record` in [report.md](report.md), `--address` in
  [cluster.md](cluster.md), manifests and templates in [batch.md](batch.md), training in [training.md](training.md).
"""


def commands() -> dict[str, Any]:
    """The click command of each of our commands, by the name that users type."""
    found = {"semcolor-video": typer.main.get_command(video.app), "semcolor-batch": typer.main.get_command(batch.app)}
    if status := getattr(batch, "status_app", None):
        found["semcolor-batch status"] = typer.main.get_command(status)
    found["semcolor-desk"] = typer.main.get_command(desk.app)
    if (app := getattr(train, "app", None)) is None:
        app = typer.Typer(add_completion=False)
        app.command()(train._command)
    found["semcolor-train"] = typer.main.get_command(app)
    return found


def option_names(command: Any) -> set[str]:
    """The long and short names of a command's options, and ``--help``."""
    return {"--help"} | {name for p in command.params for name in p.opts if name.startswith("-")}


def page() -> str:
    """The whole text of `docs/options.md`."""
    return "\n".join([HEAD, *(_section(name, command) for name, command in commands().items())])


def _section(name: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option"]
    usage = " ".join([name, *(_metavar(p) for p in arguments), "[OPTIONS]" * bool(options)]).strip()
    lines = [f"## {name}", "", f"    {usage}", "", *_paragraphs(command.help or ""), ""]
    if arguments:
        lines += ["| argument | |", "| --- | --- |"]
        lines += [f"| `{_metavar(p)}` | {_cell(getattr(p, 'help', '') or '')} |" for p in arguments]
        lines += [""]
    if options:
        lines += ["| option | default | |", "| --- | --- | --- |", *map(_row, options), ""]
    return "\n".join(lines)


def _row(option: Any) -> str:
    names = ", ".join(f"`{name}`" for name in sorted(option.opts, key=len, reverse=True))
    value = "" if option.is_flag else f" `{_metavar(option)}`"
    text, default = option.help or "", option.default
    if found := re.search(r"\s*\[(?:default: )?([^\]]*)\]$", text):  # the default is told in words
        text, default = text[: found.start()], found[1]
    elif option.required:
        default = "must be given"
    elif option.is_flag or default is None:
        default = ""
    else:
        default = f"`{default:g}`" if isinstance(default, float) else f"`{default}`"
    return f"| {names}{value} | {_cell(default)} | {_cell(text)}{_bounds(option)} |"


def _metavar(param: Any) -> str:
    if param.metavar:
        return param.metavar
    if param.param_type_name == "argument":
        return param.name.upper()
    kind = param.type_descriptor.annotation
    if get_origin(kind) is Literal:
        return "/".join(get_args(kind))
    return {int: "N", float: "X"}.get(kind, "PATH" if kind is Path else "TEXT")


def _bounds(option: Any) -> str:
    if option.min is None and option.max is None:
        return ""
    return f" At least {option.min:g}." if option.max is None else f" {option.min:g} to {option.max:g}."


def _paragraphs(text: str) -> list[str]:
    """The help text, one line a paragraph."""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n")).split("\n")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

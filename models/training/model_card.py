"""The model card: `weights/README.md`, made from the metadata of a weights file, so that both say the same.

`python -m semcolor.models.training.model_card DATA --weights FILE` measures the networks, puts the figures into the
metadata of the file and writes the card beside it. People write the sections "Data" and "What it gets wrong"; the
command keeps them.
"""

import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import WEIGHTS
from .. import checkpoint as weights
from .commandline import Version, run
from .compiled import Compiled
from .dataset import DataFolder
from .figures import measure_all

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

COMMAND = (
    "semcolor-train DATA{begun} --steps {steps} --batch {batch} --size {size} --rate {rate:g} --fixed {fixed} "
    "--encoder {encoder:g} --coloured {coloured:g} --seed {seed}"
)
INTRODUCTION = """# {file}

{millions:.1f} million parameters in half precision, {megabytes:.1f} MB; sha256
`{sha256}`

One file holds the whole network: the encoder (EfficientNet-Lite0 without its head, batch normalisation folded in),
SemanticNet (62 labels), ColorNet (a, b of CIE Lab) and RegionNet (outlines of followed regions). The program refuses a
file with other tensors. The metadata hold the recipe and the figures (`semcolor.models.checkpoint.card()`). The file
also holds the networks as OpenVINO graphs, which run on a CPU (`models/backends/openvino_cpu.py`).

## Recipe

    {command}

{steps} steps of {batch} crops of {size}×{size} pixels ({samples} samples from {photos} photos), {minutes:g} minutes on
{hardware}.
Started from {start}.

Optimiser: AdamW with a cosine schedule from {rate:g}; for the encoder the rate is {encoder:g} times that, and its first
{fixed} stages keep their weights. The result is an exponential moving average of the weights ({ema}){averaged}.
{bursts} steps were left out because their loss burst.
Losses (`models/training/losses.py`):

- colour: CIEDE2000 at the truth's lightness, where a skin pixel weighs {skin:g} times as much;
- colourfulness: the share by which the picture is less colourful than the truth;
- gamut: chroma beyond that of any sRGB colour;
- labels: −log of the summed probability of the allowed labels; where few are allowed, one of them has to win;
- repaint: one region's label is changed ({repainted:.0%} of the samples); the region takes the new label's usual
  colour, and the rest of the picture keeps its colours;
- steadiness: the picture moved by a few pixels, a little brighter or darker and with other grain keeps its colours
  ({moved:.1%} of the samples).

The inputs are aged like film (`degradations.py`).
{coloured:.0%} of the samples are coloured; the others teach labels alone.
For {corrected:.0%} of them ColorNet sees labels corrected by what is known.
After the training the chroma was multiplied by {vividness:g}: the largest factor of at least 1 whose colour ratio
on the photos set aside is at most 0.005 above the best, and with which skin there has at most 1.15 times the truth's
chroma.

RegionNet learned from {outlines[samples]} samples, made of the same photos and their label maps
(`models/training/regions.py`).{outlines[note]}

"""


def _percent(x: float | None) -> str:
    return "–" if x is None else f"{100 * x:.0f} %"


def _sources(pairs: dict[str, list[float]]) -> str:
    if len(pairs) < 2:
        return ""
    return " (" + ", ".join(f"{source} {a:.3f} → {b:.3f}" for source, (a, b) in pairs.items()) + ")"


def _frontier(f: dict[str, Any]) -> list[str]:
    """The error at equal colourfulness, and the classes of label maps. Cards made before 0.2 lack them."""
    if "frontier" not in f:
        return []
    lines: list[str] = []
    if f["frontier"]:
        levels = list(next(iter(f["frontier"].values())))
        lines += [
            "The ratio with the chroma scaled so that the colourfulness is a share of the truth's (some photos):",
            "",
            f"| test set | {' | '.join(levels)} |",
            "| --- |" + " --- |" * len(levels),
        ]
    for source, row in f["frontier"].items():
        lines.append(f"| {source} | " + " | ".join(f"{value:.3f}" for value in row.values()) + " |")
    lines += [
        "",
        "Classes of the sets' own label maps that have at least 0.3 % of the labelled pixels: mean intersection over "
        "union, and share of right pixels: "
        + ", ".join(f"{s} {r['mean']:.2f} ({r['count']} classes), {r['accuracy']:.2f}" for s, r in f["classes"].items())
        + ".",
        "",
        "Mean chroma where the truth is without colour: "
        + ", ".join(f"{name} {value:.1f}" for name, value in f["extremes"].items())
        + " (white: lightness above 95; black: below 8).",
        "",
    ]
    return lines


def _figures(f: dict[str, Any]) -> str:
    """The section "Figures", from the results of `figures.measure_all`."""
    sources = [name for name, entry in f.items() if isinstance(entry, dict) and "photos" in entry and "ratio" in entry]
    lines = [
        "## Figures",
        "",
        "Measured on test photos that were never trained on, at the network's short side of 256 and at the truth's",
        "lightness. The columns: mean CIEDE2000 of our colours and of the grey picture; their ratio (lower is better,",
        "1 is no better than grey); Hasler–Süsstrunk colourfulness divided by the truth's; the share of pixels whose",
        "likeliest label is allowed, among the pixels of which anything is known (labels) and among those with fewer",
        "than 30 allowed labels (narrow).",
        "",
        "| test set | photos | CIEDE2000 ours / grey | ratio | colourfulness | labels | narrow |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name in sources:
        s = f[name]
        lines.append(
            f"| {name} | {s['photos']} | {s['ciede2000']:.2f} / {s['ciede2000_grey']:.2f} | {s['ratio']:.3f} "
            f"| {s['colourfulness']:.2f} | {_percent(s['label_accuracy'])} | {_percent(s['label_accuracy_narrow'])} |"
        )
    lines.append(
        f"| mean of bsds, ccp, idd, stock | | | {f['mean']['ratio']:.3f} | {f['mean']['colourfulness']:.2f} | | |"
    )
    iou = ", ".join(f"{name} {value:.2f}" for name, value in f["iou"].items())
    mean = sum(f["iou"].values()) / len(f["iou"])
    lines += ["", f"Intersection over union over pixels labelled with a single name: {iou}; mean {mean:.2f}.", ""]
    lines += _frontier(f)
    control, steady = f["control"], f["steadiness"]
    lines += [
        "| what | measured |",
        "| --- | --- |",
        *(
            f"| colour ratio with predicted labels → with {whose} ({f[kind]['photos']} photos) "
            f"| {f[kind]['read']:.3f} → {f[kind]['given']:.3f}{_sources(f[kind]['sources'])} |"
            for kind, whose in (("given", "labels drawn by people"), ("given_voc", "a VOC network's labels"))
            if kind in f
        ),
        f"| one region's label changed ({control['photos']} photos): share of the way from the old label's usual "
        f"chroma to the new one's, median | {control['way_median']:.2f} |",
        f"| … photos with at least half of the way | {_percent(control['way_at_least_half'])} |",
        f"| … position between the two usual chromas afterwards, 0 old to 1 new, median (photos with at least 0.5) "
        f"| {control['place_median']:.2f} ({_percent(control['place_at_least_half'])}) |",
        f"| … CIEDE2000 change more than 16 pixels away from the region, mean (worst photo) "
        f"| {control['outside_mean']:.2f} ({control['outside_worst']:.2f}) |",
    ]
    for name, s in f["skin"].items():
        lines.append(
            f"| skin, {name}: median hue error, mean chroma divided by the truth's "
            f"| {s['hue_error']:.1f}°, {s['chroma']:.2f} |"
        )
    lines += [
        f"| chroma change when the picture moves by one pixel, when its gain changes by 5 % (ab units) "
        f"| {steady['shift']:.2f}, {steady['gain']:.2f} |",
        f"| chroma in letter- and pillarbox bars (ab units) | {f['bars']:.2f} |",
        f"| difference between bfloat16 and float32 (ab units) | {f['bf16']:.2f} |",
        "",
        "Damage (`models/training/degradations.py`, strength 0.7, `all` at once at 0.35), ratio / colourfulness, "
        "on some photos of each set: "
        + ", ".join(f"{name} {s['ratio']:.3f} / {s['colourfulness']:.2f}" for name, s in f["robustness"].items())
        + ".",
        "",
        "`--vivid`, ratio / colourfulness: "
        + ", ".join(f"{vivid}: {ratio:.3f} / {color:.2f}" for vivid, (ratio, color) in f["vivid"].items())
        + ".",
    ]
    return "\n".join(lines) + "\n\n"


def write_card(path: Path) -> None:
    """Write the card of the weights at `path` to README.md beside them. Raises WeightsError."""
    card, readme = weights.card(path), path.with_name("README.md")
    recipe = {"averaged": False, "bursts": 0, "hardware": card["recipe"]["device"], "coloured": 1.0, "blend": []}
    recipe |= card["recipe"]  # older files lack some of these
    recipe["outlines"] = {"samples": 0, "note": ""} | recipe.get("outlines", {})
    begun = "" if recipe["start"] == "imagenet" else " --start WEIGHTS" + " --averaged" * recipe["averaged"]
    begun += " --blend WEIGHTS" * len(recipe["blend"])
    recipe = {"command": COMMAND.format(begun=begun, **recipe)} | recipe
    means = ["that of another run from the same start"] * len(recipe["blend"])
    means += ["the weights that the run started from"] * bool(recipe["averaged"])
    recipe["averaged"] = f", averaged with {', then with '.join(means)}" if means else ""
    recipe |= {"millions": recipe["parameters"] / 1e6, "megabytes": path.stat().st_size / 1e6}
    text = INTRODUCTION.format(file=path.name, sha256=weights.digest(path), **recipe)
    old = readme.read_text() if readme.exists() else ""
    kept = {title: body.strip() for title, body in re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", old, re.M | re.S)}
    data, wrong = (kept.get(title, "Nobody has written this yet.") for title in ("Data", "What it gets wrong"))
    text += f"## Data\n\n{data}\n\n{_figures(card['figures'])}## What it gets wrong\n\n{wrong}\n"
    readme.write_text(text)


@app.command()
def _command(
    data: Annotated[list[Path], typer.Argument(help="Folders or packed files with test and training photos.")],
    path: Annotated[Path, typer.Option("--weights", help="The networks; the card is written beside them.")] = WEIGHTS,
    each: Annotated[int, typer.Option(min=4, help="Photos of each source for damage and vividness.")] = 25,
    version: Version = False,
) -> None:
    """Measure trained networks, put the figures into their file, and write the model card beside it."""
    model, card, folder = weights.load(path), weights.card(path), DataFolder(data)
    if find_spec("openvino"):
        weights.save(model, path, card)  # with graphs, which a file made on another machine may lack
        card["figures"] = measure_all(Compiled(path), folder, each=each, other=Compiled(path, "float32"))
    else:
        card["figures"] = measure_all(model, folder, each=each)
    weights.save(model, path, card)
    write_card(path)


def main() -> None:
    sys.exit(run(app, "model_card"))


if __name__ == "__main__":
    main()

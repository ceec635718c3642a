"""The model card: `weights/README.md` made from what a weights file says of itself, so that both stay true together.

`python -m semcolor.models.training.model_card DATA --weights FILE` examines the networks, puts the figures into the
file's metadata and writes the card beside it. The sections "Data" and "What it gets wrong" are written by people and
kept.
"""

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import WEIGHTS
from .. import checkpoint as weights
from .dataset import DataFolder
from .figures import exam

COMMAND = "semcolor-train DATA{begun} --steps {steps} --batch {batch} --size {size} --rate {rate:g} --seed {seed}"
INTRODUCTION = """# {file}

{millions:.1f} million parameters in half precision, {megabytes:.1f} MB; sha256
`{sha256}`

One file for the whole network: the encoder (EfficientNet-Lite0 without its head, batch normalisation folded in),
SemanticNet (62 labels) and ColorNet (a, b of CIE Lab). Loaded strictly; recipe and figures also stand in its metadata
(`semcolor.models.checkpoint.card()`). It also carries both networks as OpenVINO's graphs, which a CPU runs
(`models/backends/openvino_cpu.py`).

## Recipe

    {command}

{steps} steps of {batch} crops of {size}×{size} pixels ({samples} samples from {photos} photos), {minutes:g} minutes on
{hardware}.
Begun from {start}.

AdamW, cosine schedule from {rate:g} ({encoder:g} times that for the encoder, whose first {fixed} stages keep their
weights); an exponential mean of the weights ({ema}) is what is kept{averaged}.
{bursts} steps whose loss burst were left out.
Losses (`models/training/losses.py`): CIEDE2000 at the truth's lightness, skin counting {skin:g} times; what the
picture's colourfulness falls short of the truth's; chroma beyond what any colour has; −log of the allowed labels'
summed probability, and where few are allowed that one of them wins; a region whose label was changed takes the new
label's usual colour ({repainted:.0%} of the samples) and nothing else moves; the picture some pixels further, a little
brighter and with other grain keeps its colours ({moved:.1%}). Inputs are aged like film (`degradations.py`).
For {corrected:.0%} of the samples ColorNet is shown labels corrected by what is known.
After training the chroma was multiplied by {vividness:g}: the most, from 1 on, that costs no more than half a hundredth
on the photos set aside and leaves skin there at most 1.15 times as colourful as it is.

"""


def _percent(x: float | None) -> str:
    return "–" if x is None else f"{100 * x:.0f} %"


def _sources(pairs: dict[str, list[float]]) -> str:
    if len(pairs) < 2:
        return ""
    return " (" + ", ".join(f"{source} {a:.3f} → {b:.3f}" for source, (a, b) in pairs.items()) + ")"


def _figures(f: dict[str, Any]) -> str:
    """The section of figures from what `figures.exam` measured."""
    sources = [name for name, entry in f.items() if isinstance(entry, dict) and "photos" in entry and "ratio" in entry]
    lines = [
        "## Figures",
        "",
        "On test photos never trained on, at the network's short side of 256, at the truth's lightness: CIEDE2000,",
        "ours and that of the grey picture; their ratio (lower is better, 1 is no better than grey); Hasler–Süsstrunk",
        "colourfulness by the truth's; share of pixels whose likeliest label is allowed, among all of which anything",
        "is known, and among those with fewer than 30 allowed names.",
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
    control, steady = f["control"], f["steadiness"]
    lines += [
        "| what | measured |",
        "| --- | --- |",
        *(
            f"| colour ratio with labels as read → with {whose} put in ({f[kind]['photos']} photos) "
            f"| {f[kind]['read']:.3f} → {f[kind]['given']:.3f}{_sources(f[kind]['sources'])} |"
            for kind, whose in (("given", "those that people drew"), ("given_voc", "a VOC network's guesses"))
            if kind in f
        ),
        f"| a region's label repainted ({control['photos']} photos): way to the new label's usual chroma, median "
        f"| {control['way_median']:.2f} |",
        f"| … photos where it is at least half the way | {_percent(control['way_at_least_half'])} |",
        f"| … where between the old label's and the new one's it is then, median (photos with at least half) "
        f"| {control['place_median']:.2f} ({_percent(control['place_at_least_half'])}) |",
        f"| … CIEDE2000 change beyond 16 pixels of the region, mean (worst photo) "
        f"| {control['outside_mean']:.2f} ({control['outside_worst']:.2f}) |",
    ]
    for name, s in f["skin"].items():
        lines.append(
            f"| skin, {name}: median hue error, mean chroma by the truth's | {s['hue_error']:.1f}°, {s['chroma']:.2f} |"
        )
    lines += [
        f"| chroma change when the picture moves by a pixel, when its gain changes by 5 % (ab units) "
        f"| {steady['shift']:.2f}, {steady['gain']:.2f} |",
        f"| chroma in letter- and pillarbox bars (ab units) | {f['bars']:.2f} |",
        f"| bfloat16 against float32 (ab units) | {f['bf16']:.2f} |",
        "",
        "Damage (`models/training/degradations.py`, strength 0.7; all at once 0.35), ratio / colourfulness, "
        "some photos of each set: "
        + ", ".join(f"{name} {s['ratio']:.3f} / {s['colourfulness']:.2f}" for name, s in f["robustness"].items())
        + ".",
        "",
        "`--vivid`, ratio / colourfulness: "
        + ", ".join(f"{vivid}: {ratio:.3f} / {colour:.2f}" for vivid, (ratio, colour) in f["vivid"].items())
        + ".",
    ]
    return "\n".join(lines) + "\n\n"


def write_card(path: Path) -> None:
    """The card of the weights at `path`, beside it as README.md. Raises WeightsError."""
    card, readme = weights.card(path), path.with_name("README.md")
    recipe = {"averaged": False, "bursts": 0, "hardware": card["recipe"]["device"]}  # older files do not tell of these
    recipe |= card["recipe"]
    begun = "" if recipe["start"] == "imagenet" else " --start WEIGHTS" + " --averaged" * recipe["averaged"]
    recipe = {"command": COMMAND.format(begun=begun, **recipe)} | recipe
    recipe["averaged"] = ", and averaged with those that it began from" if recipe["averaged"] else ""
    recipe |= {"millions": recipe["parameters"] / 1e6, "megabytes": path.stat().st_size / 1e6}
    text = INTRODUCTION.format(file=path.name, sha256=weights.digest(path), **recipe)
    old = readme.read_text() if readme.exists() else ""
    kept = {title: body.strip() for title, body in re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", old, re.M | re.S)}
    data, wrong = (kept.get(title, "Nobody has written this yet.") for title in ("Data", "What it gets wrong"))
    text += f"## Data\n\n{data}\n\n{_figures(card['figures'])}## What it gets wrong\n\n{wrong}\n"
    readme.write_text(text)


def _command(
    data: Annotated[list[Path], typer.Argument(help="Folders or packed files with test and training photos.")],
    path: Annotated[Path, typer.Option("--weights", help="The networks; the card goes beside them.")] = WEIGHTS,
    each: Annotated[int, typer.Option(min=4, help="Photos of each source for damage and vividness.")] = 25,
) -> None:
    """Examine trained networks and write their card."""
    model, card = weights.load(path), weights.card(path)
    card["figures"] = exam(model, DataFolder(data), each=each)
    weights.save(model, path, card)
    write_card(path)


if __name__ == "__main__":
    typer.run(_command)

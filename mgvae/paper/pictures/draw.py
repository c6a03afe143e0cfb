"""The pictures of an experiment, each with its numbers below: `draw`.

In all grids the first column, in a frame, holds majority images; what stands beside one was translated from that very image.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mgvae.files import scratch_folder
from mgvae.paper.pictures.canvas import CELL, FIRST_GAP, GAP, Sheet, mosaic
from mgvae.paper.pictures.collect import PICTURED_ARMS, Gallery, PicturedArm, Translators, numbers, sizes_of
from mgvae.paper.pictures.latent_map import latent
from mgvae.report.figures.svg import drawing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = ("translations", "draws", "ablation", "latent")
NUMBERS = "pictures.json"
DOTS = 144  # to an inch: two dots a px
TITLES: dict[PicturedArm, str] = {
    "mgvae_no_pretraining": "From scratch",
    "mgvae_no_ewc": "Pre-trained, without EWC",
    "mgvae": "MGVAE (pre-trained, EWC)",
}
DRAWS, OF_EACH = 8, 2  # draws of z in a row; references of each rare class
MARGIN, BETWEEN, LINE = 20, 34, 15  # px
LINES = 3  # of numbers below a panel
SIGNS = (
    "Right class: share of translations that a classifier of the real test images takes for their class; still the "
    "reference's: that it takes for the class of their reference. Precision and recall (Kynkäänniemi et al. 2019, k = 3): "
    "translations that lie among real test images, real ones that lie among translations. Diversity: mean distance of two "
    "translations, divided by that of two real ones. Slant and ink kept: correlation of translations of the right class with "
    "their references, beyond what the references of one class have in common."
)

CHOSEN = (
    "A reference has a translation for each strength of EWC; one of those that MGVAE's judge takes for the class is shown, at "
    "random, as generation keeps them."
)


def write(folder: Path, pictured: Gallery, about: Mapping[str, object]) -> None:
    """Write the pictures as PNG files, and their numbers as ``pictures.json``.

    All of them are made in another place and then moved into their places, the JSON last: nothing half-written is left.

    Raises:
        OSError: the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with scratch_folder(folder) as making:
        names = [f"{name}.png" for name in NAMES]
        for name, figure in zip(names, draw(pictured).values(), strict=True):
            figure.savefig(making / name, dpi=DOTS)
        text = json.dumps({**about, **numbers(pictured)}, indent=1, allow_nan=False)
        (making / NUMBERS).write_text(text, encoding="utf-8")
        for name in (*names, NUMBERS):
            (making / name).replace(folder / name)


def draw(pictured: Gallery) -> dict[str, Figure]:
    """Return the pictures by the names of their files."""
    return dict(zip(NAMES, (make(pictured) for make in (translations, draws, ablation, latent)), strict=True))


def translations(pictured: Gallery) -> Figure:
    """Return one panel an arm: the same references, translated into each rare class."""
    rows, columns = len(pictured.references), 1 + len(pictured.data.minority)
    width, height = _grid(rows, columns)
    note = (
        f"{pictured.data.name}: {pictured.cases} images of each rare class. "
        f"In the frames, {rows // len(pictured.data.majority)} images "
        "of each majority class, drawn at random and the same in all panels; generation itself draws those oftener that "
        f"resemble the rare class. {CHOSEN} The numbers are of translations as generation makes them. {_real(pictured)} {SIGNS}"
    )
    with drawing("translations"):
        sheet = Sheet(2 * MARGIN + 3 * width + 2 * BETWEEN, 56 + height + 22 + LINE * LINES + 24, note=note, margin=MARGIN)
        for place, arm in enumerate(PICTURED_ARMS):
            left = MARGIN + place * (width + BETWEEN)
            sheet.text(left, 18, TITLES[arm], bold=True)
            _heads(sheet, pictured, left, 44)
            sheet.picture(left, 56, _translated(pictured, pictured.own[arm], slice(None)), framed=True)
            _under(sheet, pictured, pictured.own[arm], left, 56 + height + 16)
        return sheet.figure


def draws(pictured: Gallery) -> Figure:
    """Return references of each rare class, each with several draws of z."""
    arm, data = pictured.own["mgvae"], pictured.data
    width, height = _grid(OF_EACH, 1 + DRAWS)
    left, room = MARGIN + 84, 250
    note = (
        f"{pictured.data.name}: {pictured.cases} images of each rare class. "
        f"In the frames, references as generation draws them (the "
        f"first {OF_EACH}); beside each, {DRAWS} draws of z ~ r(z | reference). {CHOSEN} {_real(pictured)} {SIGNS}"
    )
    with drawing("draws"):
        step = height + 18
        sheet = Sheet(left + width + 18 + room + MARGIN, 44 + step * len(data.minority) + 8, note=note, margin=MARGIN)
        sheet.text(MARGIN, 18, "MGVAE: several draws from one reference", bold=True)
        for place, label in enumerate(data.minority):
            top = 40 + place * step
            references = arm.of(label)[1].take(torch.arange(OF_EACH))
            repeated = references.take(torch.arange(OF_EACH).repeat_interleave(DRAWS))
            made = pictured.translated(arm, repeated, label).reshape(OF_EACH, DRAWS, -1)
            cells = torch.cat([references.scaled()[:, None], made], 1)
            sheet.text(MARGIN, top + height / 2, f"into {_short(data.classes[label])}")
            sheet.picture(left, top, mosaic(cells, pictured.yardstick.shape), framed=True)
            for number, line in enumerate(_captions(asdict(arm.numbers[label]), pairs=False)):
                sheet.text(left + width + 18, top + 12 + LINE * number, line, small=True)
        return sheet.figure


def ablation(pictured: Gallery) -> Figure:
    """Return a panel for each arm and each number of rare images."""
    some, sizes = slice(None, None, 2), sizes_of(pictured.data.name)
    count = len(pictured.references.labels[some])
    width, height = _grid(count, 1 + len(pictured.data.minority))
    step, left = height + 68 + LINE * LINES, MARGIN + 92
    note = (
        f"{pictured.data.name}. The same references, at random, and the same draws of z in all panels; fewer rare images are "
        f"among the more. {CHOSEN} {_real(pictured)} {SIGNS}"
    )
    with drawing("ablation"):
        sheet = Sheet(left + 3 * width + 2 * BETWEEN + MARGIN, 60 + step * len(sizes), note=note, margin=MARGIN)
        for column, arm in enumerate(PICTURED_ARMS):
            at = left + column * (width + BETWEEN)
            sheet.text(at, 18, TITLES[arm], bold=True)
            for row, size in enumerate(sizes):
                top = 56 + row * step
                _heads(sheet, pictured, at, top - 12)
                sheet.picture(at, top, _translated(pictured, pictured.arms[size][arm], some), framed=True)
                _under(sheet, pictured, pictured.arms[size][arm], at, top + height + 16)
        for row, size in enumerate(sizes):
            sheet.text(MARGIN, 56 + row * step + height / 2 - 8, f"{size} images", bold=True)
            sheet.text(MARGIN, 56 + row * step + height / 2 + 8, "a rare class", small=True)
        return sheet.figure


def _translated(pictured: Gallery, arm: Translators, some: slice) -> Tensor:
    """Return references beside their translations, one image ``(height, width, 3)``."""
    values = pictured.references.scaled()
    columns = [values, *(pictured.translated(arm, pictured.references, label) for label in pictured.data.minority)]
    return mosaic(torch.stack(columns, 1)[some], pictured.yardstick.shape)


def _heads(sheet: Sheet, pictured: Gallery, left: float, top: float) -> None:
    names = ["from", *(_short(pictured.data.classes[label]) for label in pictured.data.minority)]
    for middle, name in zip(_middles(left, len(names)), names, strict=True):
        sheet.text(middle, top, name, small=True, centred=True)


def _under(sheet: Sheet, pictured: Gallery, arm: Translators, left: float, top: float) -> None:
    """Write the share of the right class below each column, and the means below."""
    shares = ["right:", *(f"{arm.numbers[label].right_class:.2f}" for label in pictured.data.minority)]
    for middle, share in zip(_middles(left, len(shares)), shares, strict=True):
        sheet.text(middle, top, share, small=True, centred=True)
    for number, line in enumerate(_captions(arm.mean())):
        sheet.text(left, top + 4 + LINE * (number + 1), line, small=True)


def _middles(left: float, columns: int) -> list[float]:
    """Return the middle of each column of a grid that begins at ``left``."""
    others = [left + CELL + FIRST_GAP + place * (CELL + GAP) for place in range(columns - 1)]
    return [place + CELL / 2 for place in (left, *others)]


def _captions(values: Mapping[str, float | None], *, pairs: bool = True) -> list[str]:
    """Return the numbers in words, two to a line where there is room."""
    said = [
        f"right class {_number(values['right_class'])}",
        f"still the reference's {_number(values['parents_class'])}",
        f"precision {_number(values['precision'])}",
        f"recall {_number(values['recall'])}",
        f"diversity {_number(values['diversity'])}",
        f"slant kept {_number(values['slant_of_right'])}",
        f"ink kept {_number(values['ink_of_right'])}",
    ]
    if not pairs:
        return [", ".join(said[:2]), ", ".join(said[2:4]), said[4], ", ".join(said[5:])]
    return [", ".join(said[:2]), ", ".join(said[2:5]), ", ".join(said[5:])]


def _real(pictured: Gallery) -> str:
    precision, recall = (sum(each) / len(each) for each in zip(*pictured.yardstick.real.values(), strict=True))
    return (
        f"For comparison, real test images against as many others have precision {precision:.2f} and recall {recall:.2f}; the "
        f"classifier that judges gets a mean recall of {pictured.yardstick.judge_recall:.2f} on real training images."
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _short(name: str) -> str:
    return textwrap.shorten(name.removesuffix("_Hair").replace("_", " "), 8, placeholder=".")


def _grid(rows: int, columns: int) -> tuple[int, int]:
    """Return width and height of a grid in px."""
    return CELL * columns + FIRST_GAP + GAP * (columns - 2), CELL * rows + GAP * (rows - 1)

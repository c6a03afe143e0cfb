"""A page on which pictures and text are placed by pixels, and mosaics of images."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mgvae.report.figures.svg import FONT_SIZE, blank
from mgvae.report.palette import light

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CELL = 44  # px of an image's side on the sheet
SMALL = 9.5  # font size of numbers
NOTE_LINE, GLYPH = 13, 5.1  # px: height of a line of the note, mean width of its letters


FIRST_GAP, GAP = 12, 3  # px in a mosaic: after the first column, and between all others
FINE = 4  # dots of a mosaic to a px: images are enlarged by whole numbers wherever they can be


class Sheet:
    """A page of ``width`` x ``height`` px with a wrapped note below it."""

    def __init__(self, width: float, height: float, *, note: str, margin: float) -> None:
        lines = textwrap.wrap(note, int((width - 2 * margin) / GLYPH))
        self.width, self.height = width, height + NOTE_LINE * len(lines) + margin
        self.figure = blank(round(self.width), round(self.height))
        self.figure.set_facecolor(light("page"))
        for number, line in enumerate(lines):
            self.text(margin, height + NOTE_LINE * (number + 0.5), line, colour="muted", small=True)

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        colour: str = "ink",
        bold: bool = False,
        small: bool = False,
        centred: bool = False,
    ) -> None:
        """Write words whose middle line is at y."""
        self.figure.text(
            x / self.width,
            1 - y / self.height,
            words,
            color=light(colour),
            fontsize=SMALL if small else FONT_SIZE,
            fontweight="bold" if bold else "normal",
            ha="center" if centred else "left",
            va="center",
        )

    def picture(self, x: float, y: float, image: Tensor, *, framed: bool = False) -> None:
        """Place a mosaic ``(height, width, 3)``; ``framed`` frames its first column."""
        from matplotlib.patches import Rectangle

        height, width = (side / FINE for side in image.shape[:2])
        ax = self.axes(x, y, width, height)
        ax.set_axis_off()
        ax.imshow(image.numpy(), interpolation="nearest", aspect="auto", extent=(0, width, height, 0))
        if framed:
            frame = Rectangle((-3, -3), CELL + 6, height + 6, fill=False, edgecolor=light("majority"), linewidth=1.6)
            frame.set_clip_on(False)
            ax.add_patch(frame)

    def axes(self, x: float, y: float, width: float, height: float) -> Axes:
        """Return axes whose upper left corner is there."""
        place = (x / self.width, 1 - (y + height) / self.height, width / self.width, height / self.height)
        return self.figure.add_axes(place)


def mosaic(cells: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Return images side by side on white, ``(height, width, 3)`` in [0, 1].

    Grey images are shown dark on light, as ink on paper.

    Args:
        cells: rows in [0, 1], ``(rows, columns, P)``.
        shape: (channels, height, width) of each.
    """
    rows, columns = cells.shape[:2]
    side, between, first = FINE * CELL, FINE * GAP, FINE * FIRST_GAP
    high, wide = rows * side + (rows - 1) * between, columns * side + first + (columns - 2) * between
    out = torch.ones(high, wide, 3)
    for row in range(rows):
        for column in range(columns):
            top = row * (side + between)
            left = column * (side + between) + (first - between if column else 0)
            out[top : top + side, left : left + side] = _enlarged(cells[row, column].reshape(shape), side)
    return out


def _enlarged(image: Tensor, side: int) -> Tensor:
    """Return an image ``(channels, height, width)`` as colours ``(side, side, 3)``."""
    rows = torch.arange(side) * image.shape[1] // side
    columns = torch.arange(side) * image.shape[2] // side
    large = image[:, rows][:, :, columns].float()
    colours = (1.0 - large).expand(3, -1, -1) if len(large) == 1 else large
    return colours.permute(1, 2, 0)

"""A map of majority, rare and synthetic images in the latent space."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mgvae.paper.pictures.canvas import Sheet
from mgvae.paper.pictures.collect import Gallery
from mgvae.report.figures.svg import drawing
from mgvae.report.palette import light
from mgvae.torch_runtime import torch_generator

if TYPE_CHECKING:
    from matplotlib.collections import PathCollection
    from matplotlib.figure import Figure

POINTS = 400  # of each kind
SIDE, MARGIN, GAP = 220, 20, 22  # px
# name: (colour, marker, area, how opaque)
MARKS = {
    "majority": ("majority", "o", 5.0, 0.35),
    "real test images of the class": ("cases", "+", 16.0, 0.6),
    "synthetic": ("synthetic", "x", 12.0, 0.6),
    "rare training images": ("cases", "D", 26.0, 1.0),
}


def latent(pictured: Gallery) -> Figure:
    """Return a panel for each rare class: encoder means on two principal axes.

    The models of a class have codes of their own, one for each strength of EWC; what all of them made has a place in one map
    under the model that they began with.
    """
    labels = pictured.data.minority
    note = (
        f"{pictured.data.name}, {pictured.cases} images of each rare class. "
        f"A panel shows encoder means under the pre-trained model, "
        f"at most {POINTS} of a kind, on the two principal axes of the majority and the real test images together; "
        "below it, the share of their variance that the axes hold. What seems to overlap in two dimensions may lie apart in "
        f"{pictured.model.latent_dim}."
    )
    with drawing("latent"):
        sheet = Sheet(2 * MARGIN + len(labels) * SIDE + (len(labels) - 1) * GAP, 58 + SIDE + 40, note=note, margin=MARGIN)
        handles: list[PathCollection] = []
        for place, label in enumerate(labels):
            left = MARGIN + place * (SIDE + GAP)
            clouds = _clouds(pictured, label)
            centre, turn, share = principal(torch.cat([clouds["majority"], clouds["real test images of the class"]]))
            ax = sheet.axes(left, 58, SIDE, SIDE)
            ax.set(xticks=[], yticks=[])
            handles = []
            for name, (colour, marker, area, alpha) in MARKS.items():
                x, y = ((clouds[name] - centre) @ turn).T.numpy()
                handles.append(ax.scatter(x, y, s=area, c=light(colour), marker=marker, alpha=alpha, linewidths=0.9))
            sheet.text(left, 46, f"class {pictured.data.classes[label]}", bold=True)
            sheet.text(left, 58 + SIDE + 14, f"{share:.0%} of the variance", small=True)
        sheet.figure.legend(
            handles,
            list(MARKS),
            loc="upper left",
            ncols=len(MARKS),
            frameon=False,
            bbox_to_anchor=(MARGIN / sheet.width - 0.01, 1.0),
            markerscale=1.6,
            handletextpad=0.2,
        )
        return sheet.figure


def principal(points: Tensor) -> tuple[Tensor, Tensor, float]:
    """Return centre ``(D,)``, two principal axes ``(D, 2)``, their variance share.

    The largest entry of an axis is positive, so that a picture does not flip from one machine to the next.
    """
    centre = points.mean(0)
    _, sizes, axes = torch.linalg.svd(points - centre, full_matrices=False)
    two = axes[:2].T
    sign = two.gather(0, two.abs().argmax(0, keepdim=True)).sign()
    return centre, two * sign, float(sizes[:2].square().sum() / sizes.square().sum())


def _clouds(pictured: Gallery, label: int) -> dict[str, Tensor]:
    """Return codes of each kind of image, ``(n, D)``."""
    arm = pictured.own["mgvae"]
    train = arm.task.train
    made, _ = arm.of(label)
    rows = {
        "majority": train.take(arm.task.of_majority),
        "real test images of the class": pictured.data.test.take(pictured.data.test.positions(label)),
        "synthetic": made,
        "rare training images": train.take(train.positions(label)),
    }
    clouds = {}
    for name, one in rows.items():
        order = torch.randperm(len(one), generator=torch_generator(pictured.yardstick.seed, "latent", name, label))[:POINTS]
        clouds[name] = pictured.model.exemplar_means(one.take(order).scaled())
    return clouds

"""The residual convolutional MGVAE for larger images, such as 64 x 64 RGB.

It is an `MGVAE` with other bodies in encoder and decoder, so everything that trains, translates and weighs takes either
model. Rows stay flat, ``(B, channels * height * width)``, channels first. Layers are normalised over groups of channels and
never over a batch: the Fisher information needs the gradient of each row alone.

Source: residual blocks, He et al. 2016, arXiv:1603.05027; group normalisation, Wu and He 2018, arXiv:1803.08494.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from mgvae.errors import ShapeError
from mgvae.model.network import MGVAE
from mgvae.paper.models.networks import with_bodies
from mgvae.paper.models.pixel_likelihood import PixelLayer, PixelLikelihood

LEAST = 4  # side of the smallest feature map
WIDEST = 4  # times the first width: no feature map has more channels
MOST_VALUES = 2**24  # in one layer's feature maps, 64 MiB, where many rows pass without gradient


def convolutional(
    shape: tuple[int, int, int],
    *,
    latent_dim: int,
    channels: int = 32,
    width: int = 256,
    kind: Literal["bernoulli", "gaussian"] = "gaussian",
    tied: bool = False,
    condition: int = 0,
) -> MGVAE:
    """Return an untrained convolutional model; see `initialised` for its weights.

    Args:
        shape: (channels, height, width) of the images; a square of side 4, 8, 16, 32, 64 and so on.
        latent_dim: D.
        channels: of the largest feature map; each halving of the side doubles them, up to `WIDEST` times.
        width: features that the encoder's last layers see.
        kind: likelihood of a pixel.
        tied: see `MGVAE`.
        condition: see `mgvae.paper.models.networks.with_bodies`.
    Raises:
        ShapeError: the image is no such square.
    """
    bodies = Down(shape, channels, width, condition=condition), Up(latent_dim + condition, shape, channels)
    pixels = math.prod(shape)
    likelihood = PixelLikelihood(pixels, channels, kind=kind, layer=ToPixels(channels, shape))
    model = with_bodies(MGVAE(likelihood, hidden=(width,), latent_dim=latent_dim, tied=tied), *bodies, condition=condition)
    model.at_once = max(1, MOST_VALUES // (channels * shape[1] * shape[2]))
    return model


def widths(shape: tuple[int, int, int], channels: int) -> list[int]:
    """Return the channels of the feature maps, from the image's side down to `LEAST`.

    Raises:
        ShapeError: the image is no square of a side that can be halved down to `LEAST`.
    """
    _, height, side = shape
    halvings = (side // LEAST).bit_length() - 1
    if height != side or side != LEAST << max(halvings, 0):
        raise ShapeError(f"Images must be squares of side {LEAST} times a power of 2; got {height} x {side}. Resize them.")
    return [channels * min(2**halving, WIDEST) for halving in range(halvings + 1)]


class Down(nn.Module):
    """Rows ``(B, P + condition)`` to features ``(B, width)``, one block at each size.

    What rows hold after their pixels is seen at every place of the image.
    """

    def __init__(self, shape: tuple[int, int, int], channels: int, width: int, *, condition: int = 0) -> None:
        super().__init__()
        self.shape, self.condition = shape, condition
        sizes = widths(shape, channels)
        self.first = nn.Conv2d(shape[0] + condition, sizes[0], 3, padding=1)
        pairs = zip([sizes[0], *sizes], sizes, strict=False)
        self.blocks = nn.ModuleList(Block(inputs, outputs) for inputs, outputs in pairs)
        self.last = nn.Linear(sizes[-1] * LEAST * LEAST, width)

    def forward(self, rows: Tensor) -> Tensor:
        """Return the features."""
        pixels = math.prod(self.shape)
        image = rows[:, :pixels].reshape(len(rows), *self.shape)
        if self.condition:
            image = torch.cat([image, rows[:, pixels:, None, None].expand(-1, -1, *self.shape[1:])], 1)
        maps = self.first(image)
        for number, block in enumerate(self.blocks):
            maps = block(functional.avg_pool2d(maps, 2) if number else maps)
        return functional.silu(self.last(functional.silu(maps).flatten(1)))


class Up(nn.Module):
    """Codes ``(B, inputs)`` to feature maps ``(B, channels, side, side)``."""

    def __init__(self, inputs: int, shape: tuple[int, int, int], channels: int) -> None:
        super().__init__()
        sizes = widths(shape, channels)[::-1]
        self.start = sizes[0]
        self.first = nn.Linear(inputs, sizes[0] * LEAST * LEAST)
        self.blocks = nn.ModuleList(Block(one, other) for one, other in zip(sizes, [*sizes[1:], sizes[-1]], strict=True))

    def forward(self, z: Tensor) -> Tensor:
        """Return the feature maps."""
        maps = self.first(z).reshape(len(z), self.start, LEAST, LEAST)
        for number, block in enumerate(self.blocks):
            maps = block(_twice(maps) if number else maps)
        return functional.silu(maps)


class Block(nn.Module):
    """Residual block, ``(B, inputs, S, S)`` to ``(B, outputs, S, S)``."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.norm_1, self.norm_2 = nn.GroupNorm(_groups(inputs), inputs), nn.GroupNorm(_groups(outputs), outputs)
        self.conv_1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.conv_2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.straight = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Return the maps with what the two convolutions add to them."""
        inner = self.conv_1(functional.silu(self.norm_1(maps)))
        added: Tensor = self.straight(maps) + self.conv_2(functional.silu(self.norm_2(inner)))
        return added


class ToPixels(PixelLayer):
    """From feature maps ``(B, C, S, S)`` to the logits of all pixels, ``(B, P)``."""

    def __init__(self, channels: int, shape: tuple[int, int, int]) -> None:
        super().__init__()
        colours, height, width = shape
        self.conv = nn.Conv2d(channels, colours, 3, padding=1, bias=False)
        self.bias = nn.Parameter(torch.zeros(colours * height * width))

    def forward(self, maps: Tensor) -> Tensor:
        """Return the logits."""
        logits: Tensor = self.conv(maps).flatten(1) + self.bias
        return logits


def _twice(maps: Tensor) -> Tensor:
    """Return maps of twice the side, each pixel four times."""
    return maps.repeat_interleave(2, 2).repeat_interleave(2, 3)


def _groups(channels: int) -> int:
    """Return how many groups of four channels or more there are, 8 at most."""
    return max(count for count in (1, 2, 4, 8) if channels % count == 0 and (count == 1 or channels // count >= 4))

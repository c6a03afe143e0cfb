"""What a model leaves unexplained of a row, which the row's translation keeps.

A decoder returns the mean of what a code can look like: its images are smoother than real ones, and a classifier that sees
smooth images of the rare classes alone learns that smooth is rare. A translation is therefore read as a counterfactual: what
the pre-trained model does not explain of the parent (edges, texture, noise) is found first, then the model is exchanged for
that of the rare class, then the same rest is added. Were both models equal, and no noise drawn, the parent itself would come
out.

Source: abduction, action, prediction, Pearl 2009; for deep generative models Pawlowski et al. 2020, arXiv:2006.06485.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mgvae.model import MGVAE


def details(model: MGVAE, rows: Tensor) -> Tensor:
    """Return rows less the decoder's mean at their codes' means, ``(n, P)``, from rows ``(n, P)`` in [0, 1]."""
    unused = torch.Generator()  # pixels are decoded to their mean, of which nothing is drawn
    return rows - model.decoded(model.exemplar_means(rows), unused)

"""Covariances of few rows, shrunk towards a multiple of the identity.

Source: Ledoit and Wolf 2004, doi:10.1016/S0047-259X(03)00096-4; lemmas 3.2 to 3.4.
"""

from __future__ import annotations

import numpy as np

from mgvae.cohort.embedding import Floats


def shrunk_covariance(values: Floats) -> Floats:
    """Return the shrunk covariance ``(P, P)`` of centred rows ``(n, P)``.

    As `sklearn.covariance.ledoit_wolf`, which multiplies all rows several times.
    """
    rows, width = values.shape
    products = np.asarray(values.T @ values)
    shrunk, level = shrinkage(values, products), float(np.trace(products)) / (rows * width)
    products *= (1 - shrunk) / rows
    products.flat[:: width + 1] += shrunk * level
    return products


def shrinkage(values: Floats, products: Floats) -> float:
    """Return the shrinkage of the covariance of centred rows ``(n, P)``, 0 to 1.

    ``products`` are those of the columns, ``(P, P)``, or of the rows, ``(n, n)``: the sum of their squares is the same.
    """
    rows, width = values.shape
    size = np.einsum("ij,ij->i", values, values)
    level, squared = size.sum() / (rows * width), np.vdot(products, products) / rows**2
    between = (squared - width * level**2) / width
    within = min((np.vdot(size, size) / rows - squared) / (rows * width), between)
    return float(within / between) if within > 0 else 0.0

"""The figures of the page, each a function of numbers that returns one inline SVG."""

from mgvae.report.figures.calibration import calibration
from mgvae.report.figures.forest import forest
from mgvae.report.figures.marginals import marginal
from mgvae.report.figures.small import gate_bar, swatch
from mgvae.report.figures.training import lambda_path, learning_curve

__all__ = ["calibration", "forest", "gate_bar", "lambda_path", "learning_curve", "marginal", "swatch"]

"""The audit report: :class:`Report` is the contract of report.json, :func:`render` makes report.html of it."""

from mgvae.report.page import render
from mgvae.report.picture import calibration_picture
from mgvae.report.schema import SCHEMA_VERSION, Report

__all__ = ["SCHEMA_VERSION", "Report", "calibration_picture", "render"]

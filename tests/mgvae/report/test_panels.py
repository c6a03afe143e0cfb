"""The calibration plot alone: a whole SVG document with its legend, in the colours of the light page, complete in itself."""

import base64
from xml.etree import ElementTree

from mgvae.report.formatting import ARMS
from tests.report_plain import calibration_picture
from tests.report_sample import refused_report, sample_report

SVG = "{http://www.w3.org/2000/svg}"


def drawn(report):
    head, _, body = calibration_picture(report).partition(",")
    assert head == "data:image/svg+xml;base64"
    return base64.b64decode(body).decode()


def test_it_is_a_document_that_needs_nothing_else():
    svg = drawn(sample_report())
    root = ElementTree.fromstring(svg)  # noqa: S314
    assert root.tag == f"{SVG}svg"
    assert "var(--" not in svg
    assert all(value.startswith("#") for one in root.iter() for name, value in one.items() if name.endswith("href"))


def test_its_legend_names_every_arm_that_has_a_curve():
    report = sample_report()
    classifier = report["recommendation"]["classifier"]
    texts = {one.text for one in ElementTree.fromstring(drawn(report)).iter(f"{SVG}text")}  # noqa: S314
    curves = report["evaluation"]["curves"]
    assert {ARMS[arm] for arm, found in curves.items() if classifier in found} <= texts


def test_nothing_is_drawn_where_nothing_was_evaluated():
    assert calibration_picture(refused_report()) is None

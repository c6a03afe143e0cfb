"""The calibration plot alone: a whole SVG document with its legend, in the colours of the light page, complete in itself."""

import base64
from xml.etree import ElementTree

from mgvae.report.formatting import ARMS
from tests.report_plain import calibration_picture
from tests.report_sample import refused_report, sample_report

NAMES = set(ARMS.values())
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
    assert all(value.startswith("#") for element in root.iter() for name, value in element.items() if name.endswith("href"))
    assert "<!DOCTYPE" not in svg
    assert not [element.tag for element in root.iter() if element.tag in (f"{SVG}image", f"{SVG}script", f"{SVG}foreignObject")]


def test_its_legend_names_every_arm_that_has_a_curve_and_no_other():
    report = sample_report()
    curves, classifier = report["evaluation"]["curves"], report["recommendation"]["classifier"]
    del curves["smote"][classifier]
    empty = curves["mgvae"][classifier]["recalibrated"]
    empty |= {column: [] if isinstance(values, list) else None for column, values in empty.items()}
    names = [element.text for element in ElementTree.fromstring(drawn(report)).iter(f"{SVG}text") if element.text in NAMES]  # noqa: S314
    assert sorted(names) == sorted(ARMS[arm] for arm in curves if arm not in ("smote", "mgvae"))


def test_nothing_is_drawn_where_nothing_was_evaluated():
    assert calibration_picture(refused_report()) is None

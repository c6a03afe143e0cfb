"""Parsers of a page and its figures: tables, definitions, lines and markers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import numpy as np
import pytest

ARM_NAMES = {
    "none": "No correction",
    "smote": "SMOTE",
    "mgvae_no_ewc": "MGVAE, no EWC",
    "mgvae": "MGVAE",
}
CLASSIFIER_NAMES = {"logistic_regression": "Logistic regression", "hist_gradient_boosting": "Gradient boosting"}
# metric: (in a table's first column, in a table's head)
METRIC_NAMES = {
    "auroc": ("AUROC", "AUROC"),
    "auprc": ("Area under the precision-recall curve", "AUPRC"),
    "brier": ("Brier score", "Brier"),
    "log_loss": ("Log loss", "Log loss"),
    "scaled_brier": ("Scaled Brier score", "Scaled Brier"),
    "observed_expected": ("Observed / expected events", "O/E"),
    "calibration_intercept": ("Calibration intercept", "Cal. intercept"),
    "calibration_slope": ("Calibration slope", "Cal. slope"),
    "ici": ("Integrated calibration index", "ICI"),
    "e90": ("90th percentile of the calibration error", "E90"),
    "emax": ("Largest calibration error", "Emax"),
    "net_benefit": ("Net benefit over the range of thresholds", "Net benefit"),
    "balanced_accuracy": ("Balanced accuracy", "Bal. accuracy"),
    "g_mean": ("G-mean", "G-mean"),
    "sensitivity": ("Sensitivity", "Sensitivity"),
    "specificity": ("Specificity", "Specificity"),
    "ppv": ("Positive predictive value", "PPV"),
    "ppv_at_deployment": ("Positive predictive value at the deployment prevalence", "PPV deployed"),
    "f1": ("F1", "F1"),
    "mcc": ("Matthews correlation coefficient", "MCC"),
}
METRIC_NAMES |= {
    f"{kind}_at_{cut}": (f"{label} {words}",) * 2
    for cut, words in {
        "alert_1": "with alerts for 1 %",
        "alert_2": "with alerts for 2 %",
        "alert_5": "with alerts for 5 %",
        "alert_10": "with alerts for 10 %",
        "spec_90": "at specificity 90 %",
        "spec_95": "at specificity 95 %",
    }.items()
    for kind, label in {
        "sensitivity": "Sensitivity",
        "ppv": "Positive predictive value",
        "nne": "Number needed to evaluate",
    }.items()
}
VOID = {"meta", "link", "br", "img", "input", "hr"}
NUMBER = re.compile(r"[−+-]?\d[\d,]*(?:\.\d+)?")
PIXELS = 0.06  # coordinates are cut to two decimals, those of the ticks as well


def numbers(text: str) -> list[tuple[float, int]]:
    """Return the numbers in a text, each with its decimals."""
    found = [found_text.replace("−", "-").replace(",", "") for found_text in NUMBER.findall(text)]
    return [(float(found_text), len(found_text.partition(".")[2])) for found_text in found]


def says(text: str, *expected: float | None) -> bool:
    """Return whether the numbers of ``text`` are those expected, to their digits.

    Unknown numbers are left out.
    """
    known, found = [number for number in expected if number is not None], numbers(text)
    pairs = zip(found, known, strict=False)
    return len(found) == len(known) and all(abs(x - y) <= 0.5001 * 10**-digits for (x, digits), y in pairs)


def says_estimate(text: str, estimate: dict[str, float]) -> bool:
    """Return whether ``text`` holds value, lower and upper limit of an estimate."""
    return says(text, estimate["value"], estimate["low"], estimate["high"])


class Table:
    """The rows of a table: each a list of cells, each cell the list of its texts."""

    def __init__(self) -> None:
        self.caption: list[str] = []
        self.rows: list[list[list[str]]] = []

    def column(self, place: int) -> list[str]:
        """Return the first text of a column's cells, row by row, the head among them."""
        return [row[place][0] for row in self.rows if place < len(row)]

    def body(self) -> dict[str, list[str]]:
        """Return the cells of each row by the first text of the row, without the head."""
        return {row[0][0]: [" ".join(cell) for cell in row[1:]] for row in self.rows[1:]}


class Reading(HTMLParser):
    """Tables, definitions, list items, figures, captions and words of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.made: list[Table] = []
        self.terms: list[tuple[list[str], list[str]]] = []
        self.items: list[list[str]] = []
        self.captions: list[list[str]] = []
        self.words: list[str] = []
        self.feed(html)
        self.items = [item for item in self.items if item]  # the parts of a fork are items of an item
        self.text = " ".join(" ".join(self.words).split())
        self.tables = {" ".join(table.caption): table for table in self.made}
        self.facts = {" ".join(name): " ".join(value) for name, value in self.terms}
        self.figures = [Drawing(svg) for svg in re.findall(r'<svg class="figure".*?</svg>', html, re.DOTALL)]
        self.bars = re.findall(r'<svg class="bar".*?</svg>', html, re.DOTALL)
        assert len(self.tables) == len(self.made), "two tables have one caption"

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.made.append(Table())
        elif tag == "tr":
            self.made[-1].rows.append([])
        elif tag in ("td", "th"):
            self.made[-1].rows[-1].append([])
        elif tag == "dt":
            self.terms.append(([], []))
        elif tag in ("li", "figcaption"):
            (self.items if tag == "li" else self.captions).append([])

    def handle_endtag(self, tag: str) -> None:
        self.open.pop()

    def handle_data(self, data: str) -> None:
        text = " ".join(data.split())
        if "style" in self.open or "svg" in self.open or not text:
            return
        self.words.append(text)
        places: tuple[tuple[str, Callable[[], list[str]]], ...] = (
            ("caption", lambda: self.made[-1].caption),
            ("td", lambda: self.made[-1].rows[-1][-1]),
            ("th", lambda: self.made[-1].rows[-1][-1]),
            ("dt", lambda: self.terms[-1][0]),
            ("dd", lambda: self.terms[-1][1]),
            ("li", lambda: self.items[-1]),
            ("figcaption", lambda: self.captions[-1]),
        )
        for tag, place in places:
            if tag in self.open:
                place().append(text)

    def figure(self, *words: str) -> Drawing:
        """Return the figure whose name starts with the first word and holds the others."""
        found = [
            drawing
            for drawing in self.figures
            if drawing.name.startswith(words[0]) and all(word in drawing.name for word in words)
        ]
        assert len(found) == 1, (words, [drawing.name for drawing in found])
        return found[0]


def _points(path: ET.Element) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML] (\S+) (\S+)", path.get("d", ""))]


class Drawing:
    """A figure: lines and markers by colour in px, and the ticks as its scale."""

    def __init__(self, svg: str) -> None:
        root = ET.fromstring(svg.replace("xlink:href", "href"))  # noqa: S314 - our own SVG
        self.name = root.get("aria-label", "")
        self.description = next((element.text or "" for element in root.iter() if _tag(element) == "desc"), "")
        self.texts: list[tuple[str, float]] = []  # each text and its height
        self.across: list[tuple[str, float]] = []
        self.up: list[tuple[str, float]] = []
        self.rows: list[tuple[str, float]] = []
        self.found_lines: list[tuple[str, list[tuple[float, float]]]] = []
        self.filled_areas: list[list[tuple[float, float]]] = []  # without an outline
        self.found_marks: list[tuple[str, float, float, str]] = []
        self._read(root)

    def _read(self, parent: ET.Element) -> None:
        tick: tuple[float, float] | None = None
        defined = {path for element in parent.iter() if _tag(element) == "defs" for path in element.iter()}
        for element in parent.iter():
            colour, tag = _style(element, "stroke"), _tag(element)
            if tag == "use":
                place = (float(element.get("x", "nan")), float(element.get("y", "nan")))
                tick = place if colour == "axis" else tick
                if colour != "axis":
                    self.found_marks.append((colour, *place, _style(element, "fill")))
            elif tag == "path" and element not in defined and colour:
                self.found_lines.append((colour, _points(element)))
            elif tag == "path" and element not in defined and "opacity" in element.get("style", ""):
                self.filled_areas.append(_points(element))
            elif tag == "text":
                self._label(element, tick)
                tick = None

    def _label(self, element: ET.Element, tick: tuple[float, float] | None) -> None:
        text, anchor = element.text or "", re.search("text-anchor: (\\w+)", element.get("style", ""))
        if anchor is None:
            return
        self.texts.append((text, float(element.get("y", "nan"))))
        if tick is None and anchor[1] == "end":
            self.rows.append((text, float(element.get("y", "nan"))))
        elif tick is not None and anchor[1] == "middle":
            self.across.append((text, tick[0]))
        elif tick is not None:
            self.up.append((text, tick[1]))

    def x(self, *, log: bool = False) -> Callable[[float], float]:
        """Return the map from a number to px across, read off the ticks' labels."""
        return _scale(self.across, log=log)

    def y(self, *, log: bool = False) -> Callable[[float], float]:
        """Return the map from a number to px downwards, read off the ticks' labels."""
        return _scale(self.up, log=log)

    def row(self, y: float) -> str:
        """Return the label of the row at a height."""
        name, place = min(self.rows, key=lambda row: abs(row[1] - 4.2 - y))
        assert abs(place - 4.2 - y) < 1
        return name

    def lines(self, colour: str) -> list[list[tuple[float, float]]]:
        """Return the lines of a colour, each as its points."""
        return [points for drawn, points in self.found_lines if drawn == colour]

    def marks(self, colour: str) -> list[tuple[float, float]]:
        """Return the places of the markers of a colour."""
        return [(x, y) for drawn, x, y, _ in self.found_marks if drawn == colour]

    def filled(self, colour: str) -> list[tuple[float, float]]:
        """Return the places of those markers that are filled with their own colour."""
        return [(x, y) for drawn, x, y, fill in self.found_marks if drawn == colour == fill]


def at(places: Iterable[tuple[float, float]], expected: Iterable[tuple[float, float]]) -> bool:
    """Return whether places in px are those expected, in this order."""
    found, wanted = np.array(list(places)), np.array(list(expected))
    return found.shape == wanted.shape and bool((abs(found - wanted) <= PIXELS).all())


def _scale(ticks: list[tuple[str, float]], *, log: bool) -> Callable[[float], float]:
    values = [number / (100 if "%" in text else 1) for text, _ in ticks for number, _ in numbers(text)]
    assert len(values) == len(ticks) >= 2
    known = np.log10(values) if log else np.array(values)
    slope, start = np.polyfit(known, [place for _, place in ticks], 1)
    assert slope * known + start == pytest.approx([place for _, place in ticks], abs=PIXELS)  # the labels belong where they are
    return lambda value: float(slope * (np.log10(value) if log else value) + start)


def _tag(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _style(element: ET.Element, key: str) -> str:
    found = re.search(rf"(?:^|; ){key}: var\(--([a-z-]+)\)", element.get("style", ""))
    return found[1] if found else ""

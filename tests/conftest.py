"""What all tests share: the order of files, Hypothesis without deadlines, and pages whose figures are left empty."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import HealthCheck, settings
from matplotlib.figure import Figure

from mgvae.report.figures.svg import document
from tests.paths import ROOT

gc.disable()  # until all tests are collected: modules stay, and passes over them take a quarter of the collection

UNHURRIED = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("unhurried", UNHURRIED)
settings.register_profile("repeatable", UNHURRIED, derandomize=True, database=None)  # for make mutate
settings.load_profile("unhurried")
add_axes = Figure.add_axes

FIGURES = "mgvae.report.figures.svg.document"

# begun first, so that none is alone at work at the end; the first makes the finished run, and the next need not wait for it
LONGEST = (
    *("flows/commands/test_bad_input", "deployments/test_nightly", "validation/test_honest_splits"),
    *("flows/commands/test_simulate", "flows/study/test_many_nights", "validation/test_million_rows"),
    *("flows/study/test_own_classifier", "deployments/test_access", "flows/test_paper_digits", "browser/test_report"),
    *("mgvae/paper/test_oversamplers", "validation/test_attacks", "validation/test_drift", "validation/test_gates"),
    *("flows/study/test_reuse", "mgvae/report/test_drawn_pages", "mgvae/evaluation/test_cross_validation"),
    *("flows/study/test_shared_store", "flows/study/test_drift", "flows/test_cli_process", "flows/commands/test_init"),
    *("mgvae/paper/test_pictures", "mgvae/generator/test_plausibility_and_sampler", "mgvae/generator/test_synthesis"),
    "deployments/test_high_availability",
)
PLACES = {ROOT / f"tests/{name}.py": place for place, name in enumerate(LONGEST)}


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs Prefect's server; put the files that take longest first; within a file the order stays."""
    for item in items:
        if "database" in getattr(item, "fixturenames", ()):
            item.add_marker("server")
    items.sort(key=lambda item: PLACES.get(item.path, len(PLACES)))


def pytest_collection_finish() -> None:
    """Collect garbage again, but none among what was imported."""
    gc.freeze()
    gc.enable()


class NoAxes:
    """Takes all that a figure draws, and draws nothing: axes and artists take nearly all the time of a page."""

    rows: tuple[NoAxes, ...] = ()

    def __getattr__(self, name: str) -> NoAxes:
        return self

    def __call__(self, *values: object, **options: object) -> NoAxes:
        return self

    def __getitem__(self, key: object) -> NoAxes:
        return self

    def __iter__(self) -> Iterator[NoAxes]:
        yield self  # the one line of a plot

    def get_xlim(self) -> tuple[float, float]:
        return 0.0, 1.0

    def set_yticks(self, places: Sequence[float], *more: object, **options: object) -> None:
        self.rows = (self,) * len(places)

    def get_yticklabels(self) -> tuple[NoAxes, ...]:
        return self.rows


def leave_empty(patch: pytest.MonkeyPatch) -> None:
    """Leave the figures of pages empty, but for their names and descriptions."""
    patch.setattr(FIGURES, lambda figure: "<svg></svg>")
    patch.setattr(Figure, "add_axes", lambda figure, *place, **options: NoAxes())


def draw(patch: pytest.MonkeyPatch) -> None:
    """Draw the figures of pages, also where the module leaves them empty."""
    patch.setattr(FIGURES, document)
    patch.setattr(Figure, "add_axes", add_axes)


@pytest.fixture(scope="module")
def empty_figures() -> Iterator[None]:
    """Leave the figures of pages empty in a module that asks for words."""
    with pytest.MonkeyPatch.context() as patch:
        leave_empty(patch)
        yield


@pytest.fixture
def empty_figures_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the figures empty in one test of a module that draws them."""
    leave_empty(monkeypatch)


@pytest.fixture
def drawn_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw the figures in one test of a module that leaves them empty."""
    draw(monkeypatch)

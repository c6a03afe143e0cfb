"""What all tests share: Hypothesis without deadlines, since machines may be busy; pages whose figures are left empty."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from mgvae.report.figures.svg import document

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("unhurried", UNHURRIED)
settings.register_profile("repeatable", UNHURRIED, derandomize=True, database=None)  # for make mutate
settings.load_profile("unhurried")

FIGURES = "mgvae.report.figures.svg.document"
EMPTY = "<svg></svg>"


@pytest.fixture(scope="module")
def empty_figures() -> Iterator[None]:
    """Leave the figures of pages empty, but for their names and descriptions: drawing takes more than half of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FIGURES, lambda figure: EMPTY)
        yield


@pytest.fixture
def empty_figures_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the figures empty in one test of a module that draws them."""
    monkeypatch.setattr(FIGURES, lambda figure: EMPTY)


@pytest.fixture
def drawn_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw the figures of pages although the module leaves them empty."""
    monkeypatch.setattr(FIGURES, document)

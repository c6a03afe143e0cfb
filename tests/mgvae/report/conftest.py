"""Where only the words of a page matter, its figures are left empty: drawing them takes more than half of the time."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module")
def empty_figures() -> Iterator[None]:
    """Leave the figures of pages empty, but for their names and descriptions."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mgvae.report.figures.svg.document", lambda figure: "<svg></svg>")
        yield

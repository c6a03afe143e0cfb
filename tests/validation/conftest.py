import numpy as np
import pytest

from tests.validation.simulated_patients import as_extract, draw_patients, population_config


@pytest.fixture(scope="session")
def config():
    return population_config()


@pytest.fixture
def rng():
    return np.random.default_rng(20240229)


@pytest.fixture
def extract(rng):
    """Frame and unreadable cells of 400 patients, 12 of them with the event."""
    return as_extract(rng, draw_patients(rng, 400, cases=False), np.arange(400) < 12)

"""Memory that is free goes back to the system where a process held much."""

import sys

import pytest

from mgvae import memory
from mgvae.evaluation.parallel import ProcessPool

SMALL, BLOCKS = 5000, 20_000  # 100 MB in blocks that the C library keeps for itself

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems do not say what a process holds")


def fragmented(much=0):
    """Leave 100 MB of free blocks below one that is in use; return that one, and the bytes held."""
    memory.MUCH = much
    blocks = [bytes([1]) * SMALL for _ in range(BLOCKS)]
    return blocks[-1], memory.held_bytes()


@pytest.fixture
def _much():
    before = memory.MUCH
    yield
    memory.MUCH = before


@pytest.mark.usefixtures("_much")
def test_free_blocks_below_one_in_use_go_back():
    _last, held = fragmented()
    memory.give_back_memory()
    assert held - memory.held_bytes() > 0.8 * SMALL * BLOCKS


@pytest.mark.usefixtures("_much")
def test_a_process_that_holds_little_is_left_alone():
    _last, _ = fragmented(much=1 << 40)
    held = memory.held_bytes()
    memory.give_back_memory()
    assert held - memory.held_bytes() < 0.1 * SMALL * BLOCKS


def test_a_worker_gives_back_after_each_call():
    with ProcessPool(1) as pool:
        _last, held = pool.submit(fragmented).result()
        assert held - pool.submit(memory.held_bytes).result() > 0.8 * SMALL * BLOCKS

"""Tensors in files come back as they were; a place that cannot be written is an OSError, as for any other file."""

import pytest
import torch
from safetensors.torch import load_file

from mgvae.torch_runtime import save_tensors


def test_they_come_back(tmp_path):
    tensors = {"a": torch.arange(6).reshape(2, 3), "b": torch.tensor([True, False])}
    save_tensors(tensors, tmp_path / "file")
    back = load_file(tmp_path / "file")
    assert set(back) == set(tensors)
    assert all(torch.equal(back[name], tensors[name]) for name in tensors)


def test_a_place_that_cannot_be_written(tmp_path):
    with pytest.raises(FileNotFoundError, match="No such file"):
        save_tensors({"a": torch.zeros(1)}, tmp_path / "nowhere" / "file")

"""Checkpoints: what is loaded is what was saved; no pickle, no patient's row; damage is reported, not a traceback."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors import safe_open

from mgvae.errors import CheckpointError
from mgvae.generator.synthesis import encoded, new_model, pretrain_majority
from mgvae.generator.translation import decode, translate
from mgvae.model.encoding import fit_encoding
from mgvae.training.checkpoint import DESCRIPTION, WEIGHTS, load_checkpoint, save_checkpoint
from tests.mgvae.small_cohort import COLUMNS, mixed, quick


@pytest.fixture(scope="module")
def trained():
    frame, settings = mixed(200), quick(pretrain_epochs=3)
    encoding = fit_encoding(frame, COLUMNS)
    rows = encoded(encoding, frame, settings)
    return frame, encoding, rows, pretrain_majority(encoding, rows, np.arange(200), settings, seed=0), settings


@pytest.fixture
def saved(trained, tmp_path):
    _, encoding, _, pretrained, settings = trained
    save_checkpoint(tmp_path, pretrained.model, encoding, settings, anchor=pretrained.anchor)
    return tmp_path


def test_round_trip_of_weights_anchor_and_outputs(trained, saved):
    _, encoding, rows, pretrained, _ = trained
    loaded = load_checkpoint(saved)
    assert loaded.encoding == encoding
    for name, value in pretrained.model.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[name], value)
    for one, other in (
        (loaded.anchor.parameters, pretrained.anchor.parameters),
        (loaded.anchor.fisher, pretrained.anchor.fisher),
    ):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in other)
    outputs = [translate(model, rows, torch.Generator().manual_seed(4)) for model in (loaded.model, pretrained.model)]
    assert torch.equal(*outputs)
    assert decode(loaded.encoding, outputs[0]).equals(decode(encoding, outputs[1]))


def test_saving_twice_gives_the_same_bytes(trained, saved, tmp_path_factory):
    _, _, _, _, settings = trained
    loaded, other = load_checkpoint(saved), tmp_path_factory.mktemp("again")
    save_checkpoint(other, loaded.model, loaded.encoding, settings, anchor=loaded.anchor)
    for name in (WEIGHTS, DESCRIPTION):
        assert (other / name).read_bytes() == (saved / name).read_bytes()


def test_without_an_anchor(trained, tmp_path):
    _, encoding, _, pretrained, settings = trained
    save_checkpoint(tmp_path, pretrained.model, encoding, settings)
    assert load_checkpoint(tmp_path).anchor is None


def test_only_safetensors_and_json(saved):
    assert sorted(path.name for path in saved.iterdir()) == [DESCRIPTION, WEIGHTS]
    json.loads((saved / DESCRIPTION).read_text())
    with safe_open(saved / WEIGHTS, framework="pt") as tensors:
        assert len(list(tensors.keys())) > 10


def test_no_row_of_the_training_table_is_inside(trained, saved):
    """Tensors are the model's own, shaped whatever the number of rows; the description is a function of the marginals."""
    frame, _, rows, pretrained, _ = trained
    shapes = {tuple(value.shape) for value in pretrained.model.parameters()}
    with safe_open(saved / WEIGHTS, framework="pt") as tensors:
        stored = [tensors.get_tensor(name) for name in tensors.keys()]  # noqa: SIM118 - not a mapping
    assert {tuple(value.shape) for value in stored} <= shapes
    assert all(len(frame) not in value.shape for value in stored)
    for value in stored:
        if value.ndim == 2 and value.shape[1] == rows.shape[1]:
            assert torch.cdist(value, rows).min() > 0
    rng = np.random.default_rng(0)
    shuffled = frame.apply(lambda column: column.iloc[rng.permutation(len(frame))].reset_index(drop=True))
    description = json.loads((saved / DESCRIPTION).read_text())
    assert description["encoding"] == json.loads(json.dumps(fit_encoding(shuffled, COLUMNS).to_json()))


@pytest.mark.parametrize("name", [WEIGHTS, DESCRIPTION])
def test_a_missing_file(saved, name):
    (saved / name).unlink()
    with pytest.raises(CheckpointError, match=rf"must hold readable {WEIGHTS} and {DESCRIPTION}; FileNotFoundError"):
        load_checkpoint(saved)


@pytest.mark.parametrize("name", [WEIGHTS, DESCRIPTION])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00rubbish", b'{"format": 2}', b"[]", b"null"], ids=repr)
def test_a_damaged_file(saved, name, content):
    (saved / name).write_bytes(content)
    with pytest.raises(CheckpointError):
        load_checkpoint(saved)


def test_a_truncated_file(saved):
    whole = (saved / WEIGHTS).read_bytes()
    (saved / WEIGHTS).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="must hold readable"):
        load_checkpoint(saved)


def rewrite(folder, **changes):
    description = json.loads((folder / DESCRIPTION).read_text())
    (folder / DESCRIPTION).write_text(json.dumps(description | changes))


def test_a_foreign_format(saved):
    rewrite(saved, format=99)
    with pytest.raises(CheckpointError, match=r"must have format 2; got 99. Train again"):
        load_checkpoint(saved)


@pytest.mark.parametrize("changes", [{"latent_dim": 5}, {"hidden": [24]}, {"hidden": []}, {"encoding": {}}], ids=repr)
def test_weights_that_do_not_fit_the_description(saved, changes):
    rewrite(saved, **changes)
    with pytest.raises(CheckpointError):
        load_checkpoint(saved)


def test_an_unfinished_model_of_every_device_kind_is_stored_on_the_cpu(trained, tmp_path):
    _, encoding, rows, _, settings = trained
    model = new_model(encoding, rows, settings, seed=3)
    save_checkpoint(tmp_path, model, encoding, settings)
    assert all(value.device.type == "cpu" for value in load_checkpoint(tmp_path).model.state_dict().values())

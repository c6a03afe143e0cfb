"""Pictures: what is shown is what was made, all of it in place, and numbers that JSON can hold."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from PIL import Image

from mgvae.paper.classifier import Fitting
from mgvae.paper.datasets.load import load
from mgvae.paper.experiment import settings_for
from mgvae.paper.pictures import draw as pictures
from mgvae.paper.pictures.canvas import CELL, FINE, FIRST_GAP, GAP, mosaic
from mgvae.paper.pictures.collect import PICTURED_ARMS, gallery, numbers, references, sizes_of
from mgvae.paper.pictures.latent_map import principal
from tests.mgvae.paper.layouts import celeba


def made(name, folder=None, *, steps=50, **size):
    def data_with(cases):
        return load(name, folder, cases=cases, quick=True)

    data = data_with(None)
    whole = settings_for(data, quick=True)
    training = whole.plan.training.model_copy(update={"pretrain_epochs": 1})
    plan = replace(whole.plan, training=training, steps=1, lambdas=(1.0,), size=replace(whole.plan.size, **size))
    started = []
    return gallery(
        data,
        data_with,
        replace(whole, plan=plan, fitting=Fitting(steps=steps)),
        seed=0,
        on_start=lambda *words: started.append(words),
    ), started


@pytest.fixture(scope="module")
def digits():
    return made("digits")


@pytest.fixture(scope="module")
def drawn(digits):
    return pictures.draw(digits[0])


@pytest.mark.slow
def test_every_arm_is_trained_from_each_number_of_cases(digits):
    pictured, started = digits
    assert list(pictured.arms) == [10, 25, 50] == list(sizes_of(pictured.data.name))
    assert [words for *_, words in started[:3]] == [f"{arm}, 10 cases" for arm in PICTURED_ARMS]
    assert [done for done, *_ in started] == list(range(9))
    for size, by_arm in pictured.arms.items():
        for arm in by_arm.values():
            assert arm.task.train.counts(10)[5:] == (size,) * 5
            assert arm.made.rows.counts(10)[5:] == (1000,) * 5
            assert set(arm.task.train.labels[arm.made.parents].tolist()) <= set(range(5))


def test_references_are_of_every_majority_class(digits):
    pictured, _ = digits
    assert pictured.references.labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert not torch.equal(references(pictured.data, 1).values, pictured.references.values)


def test_translations_of_one_reference_differ_by_arm_and_are_the_same_again(digits):
    pictured, _ = digits
    one, same, other = (
        pictured.translated(pictured.own[arm], pictured.references, 6) for arm in ("mgvae", "mgvae", PICTURED_ARMS[0])
    )
    assert torch.equal(one, same)
    assert not torch.allclose(one, other)
    assert float(one.amin()) >= 0.0
    assert float(one.amax()) <= 1.0


@pytest.mark.slow
def test_files_are_whole_and_nothing_else_is_left(digits, drawn, tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "draw", lambda _: drawn)
    folder = tmp_path / "made" / "here"
    pictures.write(folder, digits[0], {"dataset": "digits"})
    assert sorted(file.name for file in folder.iterdir()) == sorted(
        [*(f"{name}.png" for name in pictures.NAMES), "pictures.json"]
    )
    for name in pictures.NAMES:
        with Image.open(folder / f"{name}.png") as image:
            assert image.format == "PNG"
            assert min(image.size) > 500
            assert len(image.convert("L").getcolors()) > 50
    started = json.loads((folder / "pictures.json").read_text())
    assert started["dataset"] == "digits"
    assert set(started["by_cases"]) == {"10", "25", "50"}
    assert set(started["by_cases"]["10"]) == set(PICTURED_ARMS)
    assert set(started["by_cases"]["10"]["mgvae"]["classes"]) == {"5", "6", "7", "8", "9"}


def test_a_failure_leaves_what_was_there(digits, drawn, tmp_path, monkeypatch):
    (tmp_path / "latent.png").write_text("of yesterday")

    def broken(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pictures, "numbers", broken)
    monkeypatch.setattr(pictures, "draw", lambda _: {"latent": drawn["latent"]})
    monkeypatch.setattr(pictures, "NAMES", ("latent",))
    with pytest.raises(OSError, match="No space left"):
        pictures.write(tmp_path, digits[0], {})
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("latent.png", "of yesterday")]


def test_words_stay_on_the_sheet_and_off_each_other(drawn):
    words_stand_free(drawn)


def words_stand_free(figures):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    for name, figure in figures.items():
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        boxes = [(words.get_text(), words.get_window_extent(canvas.get_renderer())) for words in figure.texts]
        width, height = canvas.get_width_height()
        for words, box in boxes:
            assert box.x0 >= 0, (name, words)
            assert box.y0 >= 0, (name, words)
            assert box.x1 <= width, (name, words)
            assert box.y1 <= height, (name, words)
        met = [(one, other) for at, (one, box) in enumerate(boxes) for other, second in boxes[at + 1 :] if _meet(box, second)]
        assert met == [], name


def _meet(one, other):
    """Return whether two boxes overlap by more than the room around letters."""
    wide = min(one.x1, other.x1) - max(one.x0, other.x0)
    high = min(one.y1, other.y1) - max(one.y0, other.y0)
    return wide > 1 and high > 4


@pytest.mark.slow
def test_colours_are_shown_in_colour(tmp_path, monkeypatch):
    monkeypatch.setattr("mgvae.paper.pictures.collect.MADE", 12)
    monkeypatch.setattr("mgvae.paper.pictures.collect.SIZES", (16,))  # as many as there are: nothing is trained twice
    pictured, _ = made("celeba", celeba(tmp_path / "celeba", each=(40, 32, 32, 32, 32)), steps=5, latent_dim=3, channels=4)
    assert pictured.references.labels.tolist() == [0] * 10
    figures = pictures.draw(pictured)
    assert list(figures) == list(pictures.NAMES)
    words_stand_free(figures)
    assert json.dumps(numbers(pictured), allow_nan=False)
    assert pictured.own["mgvae"].mean()["diversity"] is None  # the real images of a class are all equal
    colours = figures["translations"].axes[0].images[0].get_array()
    assert float((colours[..., 2] - colours[..., 0]).max()) > 0.3  # the faces are plain blue


def test_a_mosaic_sets_the_first_column_apart_and_draws_ink_dark():
    cells = torch.stack([torch.ones(2, 4), torch.zeros(2, 4), torch.ones(2, 4)], 1)
    image = mosaic(cells, (1, 2, 2))
    assert image.shape == (FINE * (2 * CELL + GAP), FINE * (3 * CELL + FIRST_GAP + GAP), 3)
    middle = image[5, :, 0]
    dark = torch.nonzero(middle == 0.0)[:, 0]
    assert dark.min() == 0
    assert len(dark) == 2 * FINE * CELL
    assert middle[FINE * CELL :].argmin() == FINE * (FIRST_GAP + CELL + GAP)


def test_principal_axes_are_those_of_the_largest_spread():
    draws = torch.randn(300, 5, generator=torch.Generator().manual_seed(0)) * torch.tensor([0.1, 4.0, 0.1, 2.0, 0.1])
    centre, axes, share = principal(draws + 7.0)
    torch.testing.assert_close(centre, draws.mean(0) + 7.0)
    assert axes.abs().argmax(0).tolist() == [1, 3]
    assert float(axes.amax(0).min()) > 0.9  # not turned around
    assert share > 0.99

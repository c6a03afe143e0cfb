"""Readers: the real files as their sources describe them, made files back as written, malformed ones refused."""

from __future__ import annotations

import gzip
import hashlib

import numpy as np
import pytest
import torch

from mgvae.errors import ExtractError, ShapeError
from mgvae.paper.datasets.files import found
from mgvae.paper.datasets.images import read_faces, read_idx, read_lists, read_pair
from mgvae.paper.datasets.rows import Rows, joined
from mgvae.paper.datasets.tables import read_isolet, read_musk, read_water
from tests.mgvae.paper.layouts import celeba, idx, images, isolet, musk, real, water

MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
}


@pytest.mark.parametrize("zipped", [True, False])
def test_idx_round_trip(tmp_path, zipped):
    values = np.random.default_rng(0).integers(0, 256, (5, 4, 3))
    path = tmp_path / "values"
    path.write_bytes(gzip.compress(idx(values)) if zipped else idx(values))
    got = read_idx(path)
    assert got.dtype == torch.uint8
    np.testing.assert_array_equal(got.numpy(), values)


@pytest.mark.parametrize(
    ("bytes_", "said"),
    [
        (b"", "begin as an IDX file"),
        (b"\x00\x01\x08\x01\x00\x00\x00\x01\x00", "begin as an IDX file"),
        (b"\x00\x00\x08\x00", "begin as an IDX file"),
        (b"\x00\x00\x0d\x01\x00\x00\x00\x01\x00\x00\x00\x00", "type 0x0d"),
        (b"\x00\x00\x08\x03\x00\x00\x00\x01", "inside its header"),
        (b"\x00\x00\x08\x02\xff\xff\xff\xff\xff\xff\xff\xff", "claims .* values: damaged"),
        (idx(np.zeros((3, 4)))[:-1], "must hold 12 values by its header; got 11"),
        (idx(np.zeros((3, 4))) + b"\x00", "must end after the 12 values"),
        (gzip.compress(idx(np.arange(200)), mtime=0)[:-20], "cut off or damaged"),
        (gzip.compress(idx(np.arange(200)), mtime=0)[:40] + bytes(60), "cut off or damaged"),
    ],
)
def test_malformed_idx(tmp_path, bytes_, said):
    path = tmp_path / "values"
    path.write_bytes(bytes_)
    with pytest.raises(ExtractError, match=said):
        read_idx(path)


def test_images_and_labels_that_disagree(tmp_path):
    images(tmp_path, zipped=False)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.zeros(7)))
    with pytest.raises(ExtractError, match="agree in number; got 300 and 7"):
        read_pair(tmp_path, "train")
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.zeros((300, 1))))
    with pytest.raises(ExtractError, match="3 dimensions and labels 1; got 3 and 2"):
        read_pair(tmp_path, "train")


def test_images_keep_their_labels(tmp_path):
    rows, shape = read_pair(images(tmp_path), "t10k")
    assert shape == (28, 28)
    torch.testing.assert_close(rows.values[:, 0].long(), rows.labels)


def test_absent_files_and_folders(tmp_path):
    with pytest.raises(ExtractError, match="no such folder"):
        found(tmp_path / "none", "clean2.data")
    with pytest.raises(ExtractError, match=r"must hold clean2.data"):
        found(tmp_path, "clean2.data")


@pytest.mark.parametrize("folder", ["mnist", "fashion_mnist"])
def test_the_published_images(folder):
    at = real(folder)
    train, shape = read_pair(at, "train")
    test, _ = read_pair(at, "t10k")
    assert (len(train), len(test), shape, train.values.dtype) == (60_000, 10_000, (28, 28), torch.uint8)
    if folder == "mnist":
        for name, digest in MD5.items():
            with gzip.open(at / f"{name}.gz") as file:
                assert hashlib.md5(file.read(), usedforsecurity=False).hexdigest() == digest
        assert train.labels[:5].tolist() == [5, 0, 4, 1, 9]  # as everyone knows them
    else:
        assert train.counts(10) == (6000,) * 10


def test_musk_as_published():
    rows, molecule = read_musk(real("musk2"))
    assert (rows.values.shape, rows.counts(2), len(set(molecule.tolist()))) == ((6598, 166), (5581, 1017), 102)
    assert rows.labels[:1017].all()
    assert rows.values[0, :3].tolist() == [46.0, -108.0, -60.0]


def test_made_musk(tmp_path):
    rows, molecule = read_musk(musk(tmp_path))
    assert (rows.labels.tolist(), molecule.tolist()) == ([1, 1, 0], [0, 0, 1])
    assert rows.values[2].tolist() == list(range(1, 167))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([["M1", "c1", *range(165), 1]], "169 columns; got 168"),
        ([["M1", "c1", *range(166), 1], ["M1", "c2", *range(170), 1]], "comma-separated text"),
        ([["M1", "c1", *range(165), "x", 1]], "1 rows do not"),
        ([["M1", "c1", *range(166), 2]], "must be 0 or 1"),
        ([["M1", "c1", *range(166), 1], ["M1", "c2", *range(166), 0]], "the same for all rows of a molecule"),
    ],
)
def test_malformed_musk(tmp_path, rows, said):
    with pytest.raises(ExtractError, match=said):
        read_musk(musk(tmp_path, rows))


def test_isolet_as_published():
    rows, group = read_isolet(real("isolet"))
    assert (rows.values.shape, rows.counts(2)) == ((7797, 617), (7197, 600))
    assert torch.bincount(group).tolist() == [1560, 1560, 1560, 1558, 1559]


def test_made_isolet(tmp_path):
    rows, group = read_isolet(isolet(tmp_path))
    assert (len(rows), int(rows.labels.sum()), group.unique().tolist()) == (130, 10, [0, 1, 2, 3, 4])
    assert rows.labels[:3].tolist() == [1, 1, 0]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"gnd": np.arange(1, 25)[:, None]}, r"fea must be \(24, 617\)"),
        ({"fea": np.full((26, 617), np.nan)}, "must be finite"),
        ({"gnd": np.arange(0, 26)[:, None]}, "a number from 1 to 26"),
    ],
)
def test_malformed_isolet(tmp_path, changed, said):
    with pytest.raises(ExtractError, match=said):
        read_isolet(isolet(tmp_path, **changed))


@pytest.mark.parametrize("kept", [0, 100, 3000])
def test_isolet_cut_off(tmp_path, kept):
    path = isolet(tmp_path) / "isolet5.mat"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ExtractError, match=r"cannot be read as a Matlab file|must hold the matrices"):
        read_isolet(tmp_path)


def test_water_quality_as_published():
    rows, broken = read_water(real("water_quality"))
    assert (rows.values.shape, rows.counts(2), broken) == ((7996, 20), (7084, 912), 3)


def test_broken_water_rows_are_left_out_and_counted(tmp_path):
    broken = ",".join([" 0.03 ", "#NUM!", *["1"] * 18, "#NUM!"])
    rows, count = read_water(water(tmp_path, broken))
    assert (len(rows), count) == (8, 1)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (",".join(["wet"] + ["1"] * 20), "1 rows hold something else"),
        (",".join(["1"] * 20 + [""]), "1 rows hold something else"),
        (",".join(["1"] * 20 + ["2"]), "must be 0 or 1"),
        (",".join(["1"] * 30), "comma-separated text"),
    ],
)
def test_malformed_water(tmp_path, line, said):
    with pytest.raises(ExtractError, match=said):
        read_water(water(tmp_path, line))


def test_water_without_its_columns(tmp_path):
    (tmp_path / "waterQuality1.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ExtractError, match="21 columns, the last is_safe; got 2"):
        read_water(tmp_path)


def test_celeba_takes_images_of_one_hair_class(tmp_path):
    faces = read_lists(celeba(tmp_path / "celeba"))
    assert torch.bincount(faces.labels).tolist() == [40, 8, 8, 8, 8]
    assert torch.bincount(faces.parts[faces.labels == 0]).tolist() == [20, 10, 10]


def test_celeba_images_are_the_middle_square_channels_first(tmp_path):
    folder = celeba(tmp_path / "celeba")
    faces = read_lists(folder)
    at = int((faces.labels == 3).nonzero()[0, 0])
    image = read_faces(folder, [faces.files[at]]).reshape(3, 64, 64)
    assert image.dtype == torch.uint8
    colours = image.double().mean((1, 2))
    torch.testing.assert_close(colours, torch.tensor([120.0, 100.0, 200.0], dtype=torch.double), atol=3.0, rtol=0)


def rewritten(path, change):
    path.write_text(change(path.read_text()))


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("list_attr_celeba.txt", lambda text: text.replace("Bald", "Hat"), "none called Bald"),
        ("list_attr_celeba.txt", lambda text: "x" + text, "must begin with the number of images"),
        ("list_attr_celeba.txt", lambda text: text.rsplit("\n", 2)[0], "must list 74 images by its first line; got 73"),
        ("list_attr_celeba.txt", lambda text: text.rstrip()[:-3] + "\n", "1 do not"),
        (
            "list_attr_celeba.txt",
            lambda text: text.replace("000002.jpg", "000001.jpg"),
            "must name each image once; 1 come again",
        ),
        ("list_attr_celeba.txt", lambda text: text.replace("000002.jpg", "../02.jpg"), "named without folders"),
        ("list_eval_partition.txt", lambda text: text.replace(" 2", " 3", 1), "0, 1 or 2; 1 do not"),
        ("list_eval_partition.txt", lambda text: text.split("\n", 1)[1], "both lists must name the same images; 1 stand"),
    ],
)
def test_malformed_celeba_lists(tmp_path, name, change, said):
    folder = celeba(tmp_path / "celeba")
    rewritten(folder / name, change)
    with pytest.raises(ExtractError, match=said):
        read_lists(folder)


def test_missing_and_damaged_celeba_images(tmp_path):
    folder = celeba(tmp_path / "celeba")
    path = folder / "img_align_celeba" / "000001.jpg"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(ExtractError, match="cannot be read as an image"):
        read_faces(folder, ["000001.jpg"])
    path.unlink()
    with pytest.raises(ExtractError, match="there is no such image"):
        read_faces(folder, ["000001.jpg"])


def test_bytes_become_shares_and_tables_stay():
    labels = torch.zeros(2, dtype=torch.long)
    assert Rows(torch.tensor([[0], [255]], dtype=torch.uint8), labels).scaled().tolist() == [[0.0], [1.0]]
    table = Rows(torch.tensor([[-3.0], [7.0]]), labels)
    assert joined(table, table).scaled().tolist() == [[-3.0], [7.0], [-3.0], [7.0]]


def test_rows_and_labels_must_agree():
    with pytest.raises(ShapeError, match=r"values must be \(n, P\) and labels \(n,\)"):
        Rows(torch.zeros(3, 2), torch.zeros(2, dtype=torch.long))

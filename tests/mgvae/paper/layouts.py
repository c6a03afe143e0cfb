"""Small files in the layouts of the published data sets."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from tests.paths import ROOT

SHARED = ROOT.parent / "shared" / "data"
HAIR = ("Black_Hair", "Blond_Hair", "Bald", "Brown_Hair", "Gray_Hair")


def real(*names):
    """Return the folder of a real data set, or skip."""
    folder = SHARED.joinpath(*names)
    if not folder.is_dir():
        pytest.skip(f"the data sets for measuring are not here: {folder}")
    return folder


def idx(values):
    values = np.asarray(values, np.uint8)
    return struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.tobytes()


def images(folder, *, each=30, side=28, zipped=True):
    """Write ten classes of random images; the class is written into the first pixel."""
    draws = np.random.default_rng(0)
    for part, count in (("train", each), ("t10k", each // 2)):
        labels = draws.permutation(np.repeat(np.arange(10), count))
        pixels = draws.integers(0, 256, (len(labels), side, side))
        pixels[:, 0, 0] = labels
        for name, values in ((f"{part}-images-idx3-ubyte", pixels), (f"{part}-labels-idx1-ubyte", labels)):
            data = idx(values)
            (folder / f"{name}{'.gz' if zipped else ''}").write_bytes(gzip.compress(data) if zipped else data)
    return folder


def musk(folder, rows=None):
    rows = rows or [["M1", "c1", *range(166), 1], ["M1", "c2", *range(166), 1], ["N1", "c1", *range(1, 167), 0]]
    (folder / "clean2.data").write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
    return folder


def isolet(folder, **changed):
    draws = np.random.default_rng(0)
    for number in range(1, 6):
        held = {"fea": draws.uniform(-1, 1, (26, 617)), "gnd": np.arange(1, 27, dtype=np.uint8)[:, None]}
        name = f"Isolet{number}.mat" if number < 5 else "isolet5.mat"
        savemat(folder / name, {**held, **changed} if number == 5 else held)
    return folder


def water(folder, *lines):
    names = [f"metal{number}" for number in range(20)]
    good = [",".join([str(number / 7)] * 20 + [str(number % 2)]) for number in range(8)]
    (folder / "waterQuality1.csv").write_text("\n".join([",".join([*names, "is_safe"]), *good, *lines]) + "\n")
    return folder


def celeba(folder, *, each=(40, 8, 8, 8, 8), parts=(0.5, 0.25), side=(89, 109)):
    """Write CelebA's layout: each class its own grey, one image of two classes, one of none."""
    labels = [label for label, count in enumerate(each) for _ in range(count)]
    has = [[1 if at == label else -1 for at in range(5)] for label in labels] + [[1, 1, -1, -1, -1], [-1] * 5]
    files = [f"{number + 1:06d}.jpg" for number in range(len(has))]
    (folder / "img_align_celeba").mkdir(parents=True)
    for name, label in zip(files, [*labels, 0, 0], strict=True):
        Image.new("RGB", side, (40 * label, 100, 200)).save(folder / "img_align_celeba" / name, quality=95)
    lines = [f"{len(files)}", " ".join(["Smiling", *HAIR])]
    lines += [f"{name} -1 " + "  ".join(map(str, row)) for name, row in zip(files, has, strict=True)]
    (folder / "list_attr_celeba.txt").write_text("\n".join(lines) + "\n")
    place = []
    for count in (*each, 2):
        train, validation = (round(share * count) for share in parts)
        place += [0] * train + [1] * validation + [2] * (count - train - validation)
    told = [f"{name} {part}" for name, part in zip(files, place, strict=True)]
    (folder / "list_eval_partition.txt").write_text("\n".join(told) + "\n")
    return folder

"""The data sets of the paper, split into training, validation and test rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor

from mgvae.errors import ConfigError
from mgvae.paper.datasets.images import HAIR, PARTS, SIZE, read_faces, read_lists, read_pair
from mgvae.paper.datasets.rows import Rows, at_most, drawn, thinned
from mgvae.paper.datasets.tables import read_isolet, read_musk, read_water
from mgvae.torch_runtime import torch_generator

Name = Literal["digits", "mnist", "fashion-mnist", "celeba", "musk", "isolet", "water-quality"]
Split = Literal["rows", "groups"]
Rho = Literal[600, 100]
CASES = {600: 10, 100: 60}  # rows that a rare class keeps, of about 6,000: as published
FEW_CASES = {600: 10, 100: 30}  # of the small digits, which have about 90 training rows a class
BLACK = 15_000  # images of the majority class of CelebA; a rare one has BLACK / rho
TEST_ROWS = {"musk": 200, "isolet": 200, "water-quality": 300}  # of each class, the first in the file: as published
GROUPED = ("musk", "isolet")
IMAGES = ("digits", "mnist", "fashion-mnist", "celeba")
VALIDATION = 0.15  # share of a table's training rows, or of its groups
QUICK = 300  # rows of a class, in training and test, for a first look
FOLDERS = {"fashion-mnist": "fashion_mnist", "musk": "musk2", "water-quality": "water_quality"}


@dataclass(frozen=True)
class Imbalanced:
    """An imbalanced classification task.

    Attributes:
        name: as in `load`.
        train, validation, test: disjoint rows; nothing that trains or chooses sees the test rows.
        shape: (channels, height, width) of an image; None for a table.
        classes: names, in the order of the labels.
        majority, minority: the labels of either kind.
        split: how test and validation rows were chosen, in words.
        thinned: which rows were left out of training, in words.
        source: where the rows come from.
    """

    name: str
    train: Rows
    validation: Rows
    test: Rows
    shape: tuple[int, int, int] | None
    classes: tuple[str, ...]
    majority: tuple[int, ...]
    minority: tuple[int, ...]
    split: str
    thinned: str
    source: str


def load(
    name: str,
    folder: Path | None,
    *,
    rho: Rho = 600,
    seed: int = 0,
    split: Split = "rows",
    quick: bool = False,
    cases: int | None = None,
) -> Imbalanced:
    """Return a data set of the paper.

    Args:
        name: one of `Name`.
        folder: where its files lie, or the folder above, in which it is called as in ``FOLDERS``; not needed for digits.
        rho: how imbalanced images are made; tables keep their own imbalance.
        seed: of the draw of rare and of validation rows.
        split: for tables, rows (the paper's: the first rows of each class in the file are the test part) or groups (no
            molecule of Musk, no speakers of Isolet on two sides).
        quick: whether classes are cut to `QUICK` rows, for a first look.
        cases: rows that a rare class of images keeps, instead of what rho says. All other rows stay the same, and fewer cases
            are the first of more.
    Raises:
        ConfigError: the name or the split is not known, a folder is needed, or a table is to keep a number of cases.
        ExtractError: a file is missing or malformed.
        DataError: a rare class has too few rows.
    """
    check(name, rho, split, folder, cases)
    if name == "digits" or folder is None:
        data = _digits(rho, seed, cases)
        return _cut(data) if quick else data
    below = folder / FOLDERS.get(name, name)
    place = below if below.is_dir() else folder
    if name == "celeba":
        return _celeba(place, rho, seed, QUICK if quick else None, cases)
    data = _table(name, place, seed, split) if name in TEST_ROWS else _idx(name, place, rho, seed, cases)
    return _cut(data) if quick else data


def check(name: str, rho: int, split: str, folder: Path | None, cases: int | None = None) -> None:
    """Raise ConfigError unless `load` can take these arguments."""
    if name not in get_args(Name):
        raise ConfigError(f"The data set must be one of {', '.join(get_args(Name))}; got {name!r}.")
    if rho not in CASES:
        raise ConfigError(f"rho must be {' or '.join(map(str, CASES))}; got {rho}.")
    if split not in get_args(Split):
        raise ConfigError(f"The split must be {' or '.join(get_args(Split))}; got {split!r}.")
    if name != "digits" and folder is None:
        raise ConfigError(f"{name} must be read from a folder. Name it (--data).")
    if split == "groups" and name not in GROUPED:
        raise ConfigError(f"{name} has no groups to split by; {' and '.join(GROUPED)} have. Leave --split at rows.")
    if cases is not None and name not in IMAGES:
        raise ConfigError(
            f"Rare classes of {', '.join(IMAGES)} can be given a number of rows; {name} keeps its own. Leave it out."
        )
    if cases is not None and cases < 1:
        raise ConfigError(f"A rare class must keep one row or more; got {cases}.")


def _cut(data: Imbalanced) -> Imbalanced:
    said = f"{data.thinned}; at most {QUICK} rows of a class in training and test, for a first look"
    limit = QUICK if data.shape is not None else _in_proportion(data.train.counts(len(data.classes)))
    return replace(data, train=at_most(data.train, limit), test=at_most(data.test, QUICK), thinned=said)


def _in_proportion(counts: tuple[int, ...]) -> dict[int, int]:
    """Return rows of each class in a quick run, in the table's own proportions."""
    share = min(1.0, QUICK / max(counts))
    return {label: max(1, round(share * count)) for label, count in enumerate(counts)}


def _digits(rho: int, seed: int, cases: int | None) -> Imbalanced:
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    rows = Rows(torch.from_numpy((pixels * 255 / 16).round()).to(torch.uint8), torch.from_numpy(labels).long())
    half = {label: count // 2 for label, count in enumerate(rows.counts(10))}
    test = torch.cat(list(drawn(rows.labels, half, seed=seed, stream="test").values())).sort().values
    rest = torch.ones(len(rows), dtype=torch.bool)
    rest[test] = False
    return _ten_classes(
        "digits",
        rows.take(torch.nonzero(rest)[:, 0]),
        rows.take(test),
        (FEW_CASES[rho] if cases is None else cases, FEW_CASES[rho]),
        (8, 8),
        seed,
        split="half of each class, at random, is the test part",
        source="scikit-learn's load_digits: 1,797 of the digits of Alpaydin and Kaynak 1998, UCI 80",
    )


def _idx(name: str, folder: Path, rho: int, seed: int, cases: int | None) -> Imbalanced:
    train, shape = read_pair(folder, "train")
    test, _ = read_pair(folder, "t10k")
    sizes = CASES[rho] if cases is None else cases, CASES[rho]
    return _ten_classes(
        name, train, test, sizes, shape, seed, split="the official test images", source=f"{folder}, IDX as published"
    )


def _ten_classes(
    name: str, rows: Rows, test: Rows, sizes: tuple[int, int], shape: tuple[int, int], seed: int, *, split: str, source: str
) -> Imbalanced:
    """Return the task on ten classes: 0-4 whole, 5-9 thinned to ``sizes``."""
    cases, few = sizes
    wanted = {label: None if label < 5 else cases for label in range(10)}
    train, held_out = thinned(rows.labels, wanted, few, seed=seed)
    return Imbalanced(
        name,
        rows.take(train),
        rows.take(held_out),
        test,
        (1, *shape),
        tuple(map(str, range(10))),
        tuple(range(5)),
        tuple(range(5, 10)),
        split=f"{split}; {few} rows of each class, drawn from the rest, are for validation",
        thinned=f"classes 5-9 thinned to {cases} rows each, at random",
        source=source,
    )


def _celeba(folder: Path, rho: int, seed: int, limit: int | None, kept: int | None) -> Imbalanced:
    faces = read_lists(folder)
    of = {part: torch.nonzero(faces.parts == number)[:, 0] for number, part in enumerate(PARTS)}
    black, cases = min(BLACK, limit or BLACK), BLACK // rho
    there = torch.bincount(faces.labels[of["train"]], minlength=len(HAIR)).tolist()
    keeps = cases if kept is None else kept
    wanted = {label: min(there[label], keeps if label else black) for label in range(len(HAIR))}
    draw = drawn(faces.labels[of["train"]], wanted, seed=seed, stream="thin")
    few = {label: min(cases, int((faces.labels[of["validation"]] == label).sum())) for label in range(len(HAIR))}
    held_out = drawn(faces.labels[of["validation"]], few, seed=seed, stream="validation")

    def rows(at: Tensor) -> Rows:
        return Rows(read_faces(folder, [faces.files[one] for one in at.tolist()]), faces.labels[at])

    test = at_most(Rows(of["test"][:, None], faces.labels[of["test"]]), limit).values[:, 0]
    return Imbalanced(
        "celeba",
        rows(of["train"][torch.cat(list(draw.values())).sort().values]),
        rows(of["validation"][torch.cat(list(held_out.values())).sort().values]),
        rows(test),
        (3, SIZE, SIZE),
        HAIR,
        (0,),
        tuple(range(1, len(HAIR))),
        split=f"the official parts; at most {cases} validation images of each class",
        thinned=f"{black:,} images with black hair and at most {keeps} of each other class, at random",
        source=f"{folder}, aligned images with one of five hair attributes; middle square at {SIZE} x {SIZE}",
    )


def _table(name: str, folder: Path, seed: int, split: Split) -> Imbalanced:
    rows, group, source = _read_table(name, folder)
    if split == "groups" and group is not None:
        test, held_out, how = _by_groups(name, group, rows.labels, seed)
    else:
        test, held_out, how = _by_rows(name, rows.labels, seed)
    parts = [rows.take(torch.nonzero(where)[:, 0]) for where in (~test & ~held_out, held_out, test)]
    low, high = parts[0].values.amin(0), parts[0].values.amax(0)
    span = torch.where(high > low, high - low, 1.0)
    train, validation, test_rows = (Rows((part.values - low) / span, part.labels) for part in parts)
    thinned = "nothing; columns scaled to [0, 1] by the training rows"
    return Imbalanced(
        name, train, validation, test_rows, None, ("0", "1"), (0,), (1,), split=how, thinned=thinned, source=source
    )


def _read_table(name: str, folder: Path) -> tuple[Rows, Tensor | None, str]:
    if name == "musk":
        return *read_musk(folder), f"{folder}, UCI Musk version 2"
    if name == "isolet":
        return *read_isolet(folder), f"{folder}, UCI Isolet in Deng Cai's version; A and B against the rest"
    rows, broken = read_water(folder)
    return rows, None, f"{folder}, imaginary data by its author's own word; {broken} broken rows left out"


def _by_rows(name: str, labels: Tensor, seed: int) -> tuple[Tensor, Tensor, str]:
    """Return bool masks of test and validation rows, ``(n,)``: the paper's split."""
    count = TEST_ROWS[name]
    test, held_out = torch.zeros(len(labels), dtype=torch.bool), torch.zeros(len(labels), dtype=torch.bool)
    for label in (0, 1):
        at = torch.nonzero(labels == label)[:, 0]
        test[at[:count]] = True
        rest = at[count:]
        order = torch.randperm(len(rest), generator=torch_generator(seed, "validation", label))
        held_out[rest[order[: round(VALIDATION * len(rest))]]] = True
    how = f"the first {count} rows of each class in the file are the test part, as published"
    if name == "musk":
        how += " (conformations of one molecule may lie on two sides)"
    if name == "isolet":
        how += " (in this version's order of rows, which is not UCI's)"
    return test, held_out, f"{how}; {VALIDATION:.0%} of the rest for validation"


def _by_groups(name: str, group: Tensor, labels: Tensor, seed: int) -> tuple[Tensor, Tensor, str]:
    """Return bool masks of test and validation rows, ``(n,)``, that no group shares."""
    if name == "isolet":
        return group == 4, group == 3, "the speakers of isolet5 are the test part, those of isolet4 for validation"
    test, held_out = torch.zeros(len(group), dtype=torch.bool), torch.zeros(len(group), dtype=torch.bool)
    for label in (0, 1):
        codes = torch.tensor(sorted(set(group[labels == label].tolist())))
        order = codes[torch.randperm(len(codes), generator=torch_generator(seed, "molecules", label))]
        fifth, few = round(0.2 * len(codes)), max(1, round(VALIDATION * len(codes)))
        test |= torch.isin(group, order[:fifth])
        held_out |= torch.isin(group, order[fifth : fifth + few])
    return test, held_out, f"a fifth of the molecules of each class is the test part, {VALIDATION:.0%} for validation"

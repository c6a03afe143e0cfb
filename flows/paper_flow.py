"""Run the experiments of Ai et al. 2023 as the flow mgvae-paper, a task a seed."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from prefect import flow, task

from flows.allowed_paths import require_allowed
from flows.progress import reporter
from flows.redaction import redact_errors, unpickled
from mgvae.errors import ConfigError, reason_of
from mgvae.paper.datasets.load import IMAGES, Imbalanced, check, load
from mgvae.paper.experiment import ARMS, Outcome, run_seed, settings_for
from mgvae.paper.pictures.collect import gallery

PICTURED = 0  # the seed of the pictures


@flow(name="mgvae-paper", persist_result=False, validate_parameters=True)
@unpickled
def paper_flow(
    dataset: str,
    rho: int = 600,
    seeds: int = 3,
    data: str | None = None,
    split: str = "rows",
    arms: list[str] | None = None,
    quick: bool = False,
    out: str | None = None,
    pictures: str | None = None,
) -> dict[str, Any]:
    """Compare the ways of treating the imbalance on one data set.

    Args:
        dataset: which, see `mgvae.paper.datasets.load`.
        rho: imbalance that images are given, 600 or 100.
        seeds: how often all of it is repeated, with the seeds 0, 1, ... .
        data: folder of the files; not needed for digits.
        split: of tables, rows or groups.
        arms: which arms; all if left out.
        quick: a first look: fewer rows and steps.
        out: JSON file to write the result to, after each seed.
        pictures: folder to write pictures of the translations to, with their numbers; of images only, with seed 0.

    Returns:
        What was compared and every outcome: ``{dataset, rho, seeds, quick, about, outcomes}``.
    """
    with redact_errors():
        for place, what in ((data, "data"), (out, "out"), (pictures, "pictures")):
            if place is not None:
                require_allowed(place, what)
        chosen = check_order(dataset, rho=rho, seeds=seeds, data=data, split=split, arms=arms, pictures=pictures)
        order = {"dataset": dataset, "rho": rho, "seeds": seeds, "quick": quick}
        result: dict[str, Any] = {**order, "about": {}, "outcomes": []}
        for seed in range(seeds):
            done = _seed(dataset, data, rho=rho, split=split, arms=chosen, quick=quick, seed=seed)
            result["about"] = done["about"]
            result["outcomes"] += done["outcomes"]
            if out is not None:
                _write(Path(out), result)  # after each seed: a long study that is cut off keeps what it has
        if pictures is not None:
            _pictures(dataset, data, rho=rho, quick=quick, folder=pictures)
        return result


@task(name="seed", task_run_name="seed-{seed}", persist_result=False)
def _seed(
    dataset: str, data: str | None, *, rho: Any, split: Any, arms: tuple[str, ...], quick: bool, seed: int
) -> dict[str, Any]:
    with redact_errors():
        rows = load(dataset, None if data is None else Path(data), rho=rho, seed=seed, split=split, quick=quick)
        heard, stage = reporter(), f"seed {seed}"
        heard.started(stage)
        outcomes: list[Outcome] = []
        settings = settings_for(rows, quick=quick)
        for outcome, _ in run_seed(
            rows, settings, seed=seed, arms=arms, on_start=lambda arm: heard.advanced(len(outcomes), len(arms), arm)
        ):
            outcomes.append(outcome)
        heard.ended(stage, cached=False)
        return {"about": describe_data(rows), "outcomes": [asdict(outcome) for outcome in outcomes]}


@task(name="pictures", persist_result=False)
def _pictures(dataset: str, data: str | None, *, rho: Any, quick: bool, folder: str) -> None:
    with redact_errors():
        from mgvae.paper.pictures.draw import write  # matplotlib is slow to import, and few runs draw

        where = None if data is None else Path(data)

        def data_with(cases: int | None = None) -> Imbalanced:
            return load(dataset, where, rho=rho, seed=PICTURED, quick=quick, cases=cases)

        heard = reporter()
        heard.started("pictures")
        rows = data_with()
        pictured = gallery(rows, data_with, settings_for(rows, quick=quick), seed=PICTURED, on_start=heard.advanced)
        about = {"dataset": dataset, "rho": rho, "seed": PICTURED, "quick": quick, "about": describe_data(pictured.data)}
        try:
            write(Path(folder), pictured, about)
        except OSError as error:
            raise _not_written(folder, error) from None
        heard.ended("pictures", cached=False)


def describe_data(data: Imbalanced) -> dict[str, Any]:
    """Return what a reader of the table must know of the data set."""
    classes = len(data.classes)
    parts = {"train": data.train, "validation": data.validation, "test": data.test}
    counts = {part: list(rows.counts(classes)) for part, rows in parts.items()}
    return {"source": data.source, "split": data.split, "thinned": data.thinned, "rows": counts, "classes": list(data.classes)}


def check_order(
    dataset: str,
    *,
    rho: int,
    seeds: int,
    data: str | None,
    split: str,
    arms: list[str] | None,
    pictures: str | None,
) -> tuple[str, ...]:
    """Return the arms in the table's order; all if None.

    Raises:
        ConfigError: an argument of `paper_flow` cannot be used, or the folder for pictures not be written to.
    """
    check(dataset, rho, split, None if data is None else Path(data))
    if unknown := [arm for arm in arms or () if arm not in ARMS]:
        raise ConfigError(f"Arms must be among {', '.join(ARMS)}; got {', '.join(unknown)}.")
    if seeds < 1:
        raise ConfigError(f"There must be one seed or more (--seeds); got {seeds}.")
    if pictures is not None:
        if dataset not in IMAGES:
            raise ConfigError(
                f"Pictures need a data set of images: {', '.join(IMAGES)}; got {dataset}, a table. Leave out --pictures."
            )
        try:  # now, not when hours of work are done
            Path(pictures).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _not_written(pictures, error) from None
    return tuple(arm for arm in ARMS if arms is None or arm in arms)


def _not_written(folder: str, error: OSError) -> ConfigError:
    return ConfigError(f"{folder}: pictures cannot be written there ({reason_of(error)}). Name another folder (--pictures).")


def _write(path: Path, result: dict[str, Any]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(result, indent=1), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({reason_of(error)}). Name another file (--out).") from None

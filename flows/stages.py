"""The stages as plain functions: verified input folders and the configuration in, payload files out. No Prefect here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file

from flows.progress import reporter
from flows.translation import ROWS, translate
from mgvae.checkpoint import load_checkpoint, save_checkpoint
from mgvae.cohort import build_cohort
from mgvae.config import CohortConfig
from mgvae.encoding import encoding_from_json, fit_encoding
from mgvae.errors import ExtractError
from mgvae.extract import read_extract
from mgvae.generator import device_of, finetune_cases, pretrain_majority
from mgvae.seeds import derive
from mgvae.split import holdout
from mgvae.store import CLOCK
from mgvae.tables import load_cohort, load_synthetic, save_cohort, save_synthetic
from mgvae.tensors import save_tensors
from mgvae.threads import one_thread
from mgvae.train import Anchor, History

Inputs = Mapping[str, Path]


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        name: its name, also its artifact's kind.
        make: ``(config, inputs, folder) -> None``, writes the payload into the empty folder.
        needs: stages whose artifacts it reads.
        reads: the part of the configuration that it depends on; with the inputs and the code it makes the cache key.
        modules: where its code lives, besides this module's imports that the function uses.
    """

    name: str
    make: Callable[[CohortConfig, Inputs, Path], None]
    needs: tuple[str, ...]
    reads: Callable[[CohortConfig], dict[str, Any]]
    modules: tuple[str, ...]


def validate(config: CohortConfig, inputs: Inputs, folder: Path) -> None:
    """Read the extract and run the suite: ``frame.parquet``, ``validation.json``."""
    from validation.checks import validate as check  # Great Expectations takes seconds to import

    extract = read_extract(config)
    result = check(extract.frame, extract.unreadable, config)
    facts = {
        **result.to_json(),
        "absent": extract.absent,
        "unlisted": extract.unlisted,
        "stored": extract.stored,
        "sha256": extract.sha256,
        "missing": {str(name): float(share) for name, share in extract.frame.isna().mean().items()},
    }
    _write_json(folder / "validation.json", facts)
    extract.frame.to_parquet(folder / "frame.parquet")


def split(config: CohortConfig, inputs: Inputs, folder: Path) -> None:
    """Find the eligible subjects and hold a test part apart: the cohort's files."""
    cohort = build_cohort(config, pd.read_parquet(inputs["validate"] / "frame.parquet"))
    save_cohort(folder, cohort, holdout(cohort, config.split, seed=derive(config.seed, "split")))


def encode(config: CohortConfig, inputs: Inputs, folder: Path) -> None:
    """Fit the encoding on the training part: ``encoding.json``, ``rows.safetensors``."""
    cohort, test = load_cohort(inputs["split"])
    train = cohort.take(~test)
    encoding = fit_encoding(train.features, config.columns.features)
    rows = torch.from_numpy(encoding.encode(train.features, dtype=np.float32))
    tensors = {"rows": rows, "event": torch.from_numpy(train.event), "group": torch.from_numpy(train.group)}
    save_tensors(tensors, folder / ROWS)
    _write_json(folder / "encoding.json", encoding.to_json())


def pretrain(config: CohortConfig, inputs: Inputs, folder: Path) -> None:
    """Train on the majority: a checkpoint with its anchor, ``history.json``, ``clock.json``."""
    training, rows = config.training, _rows(inputs)
    majority = ~rows["event"]
    encoding = encoding_from_json(_read_json(inputs["encode"] / "encoding.json"))
    with one_thread():
        trained = pretrain_majority(
            encoding,
            rows["rows"][majority].to(device_of(training)),
            rows["group"][majority].numpy(),
            training,
            seed=derive(config.seed, "generator"),
            on_epoch=_told,
        )
    save_checkpoint(folder, trained.model, encoding, training, anchor=trained.anchor)
    _write_history(folder, trained.history, _size(trained.model, training))


def finetune(config: CohortConfig, inputs: Inputs, folder: Path) -> None:
    """Fine-tune on the rare cases, held by EWC: a checkpoint, ``history.json``, ``clock.json``."""
    training, rows = config.training, _rows(inputs)
    device = device_of(training)
    start = load_checkpoint(inputs["pretrain"])
    anchor = start.anchor and Anchor(_moved(start.anchor.parameters, device), _moved(start.anchor.fisher, device))
    event = rows["event"]
    with one_thread():
        tuned = finetune_cases(
            start.model.to(device),
            anchor,
            rows["rows"][event].to(device),
            rows["rows"][~event].to(device),
            rows["group"][event].numpy(),
            training,
            seed=derive(config.seed, "generator"),
            on_epoch=_told,
        )
    save_checkpoint(folder, tuned.model, start.encoding, training)
    chosen = {"ewc_lambda": tuned.ewc_lambda, "candidates": [asdict(candidate) for candidate in tuned.candidates]}
    _write_history(folder, tuned.history, chosen)


def make_synthetic(config: CohortConfig, inputs: Inputs, folder: Path) -> None:
    """Translate majority patients: ``features.parquet``, ``parents.parquet`` (positions among the training majority)."""
    seed, prevalence = derive(config.seed, "generator"), config.synthesis.prevalence
    made = translate(inputs["finetune"], inputs["encode"], config.training, seed=seed, n=None, prevalence=prevalence)
    save_synthetic(made, folder)


def assess(config: CohortConfig, inputs: Inputs, folder: Path) -> None:
    """Judge the synthetic cases: ``gates.json``, ``marginals.json``."""
    from validation.checks import synthetic_table
    from validation.checks import validate as check
    from validation.fidelity import marginals
    from validation.gates import assess as judge

    cohort, test = load_cohort(inputs["split"])
    made = load_synthetic(inputs["synthesise"])
    real = {side: cohort.take(rows) for side, rows in (("train", ~test), ("test", test))}
    majority = {side: part.features[~part.event].reset_index(drop=True) for side, part in real.items()}
    cases = {side: part.features[part.event].reset_index(drop=True) for side, part in real.items()}
    table, unreadable = synthetic_table(made.features, config)
    suite_result = check(table, unreadable, config, scope="synthetic")
    gates = judge(
        made.features,
        made.parent,
        majority["train"],
        cases["train"],
        majority["test"],
        cases["test"],
        config=config,
        seed=derive(config.seed, "gates"),
        suite_result=suite_result,
    )
    _write_json(folder / "gates.json", [gate.to_json() for gate in gates])
    shown = marginals(majority["train"], cases["train"], made.features, config.columns.features)
    _write_json(folder / "marginals.json", shown)


def evaluate(config: CohortConfig, inputs: Inputs, folder: Path) -> None:
    """Compare the arms, cross-validated and on the hold-out: ``evaluation.json``."""
    from flows.fanout import spread  # Prefect, for those who spread it over a cluster
    from mgvae.evaluation.evaluate import evaluate as compare
    from mgvae.evaluation.table import rows

    cohort, test = load_cohort(inputs["split"])
    train, held = (rows(part.features, part.event, part.group) for part in (cohort.take(~test), cohort.take(test)))
    _write_json(folder / "evaluation.json", compare(train, held, config, on_done=_told_splits, spread=spread()))


def model(config: CohortConfig, inputs: Inputs, folder: Path) -> None:
    """Fit the recommended model on the whole training part: its file, its predictions of the hold-out, whom it has seen."""
    from mgvae.evaluation.deployed import fit_deployed, save_deployed
    from mgvae.evaluation.recommendation import barred_arms, recommend

    cohort, test = load_cohort(inputs["split"])
    evaluation, gates = _read_json(inputs["evaluate"] / "evaluation.json"), _read_json(inputs["assess"] / "gates.json")
    settings = config.evaluation
    chosen = recommend(evaluation, margin=settings.margin, barred=barred_arms(gates, settings.arms))
    fitted = fit_deployed(cohort.take(~test), config, arm=chosen["arm"], classifier=chosen["classifier"])
    save_deployed(folder, fitted, cohort, test)


def _columns(config: CohortConfig) -> dict[str, Any]:
    return config.model_dump(mode="json", include={"subject_id", "group", "index_date", "outcome", "columns"})


def _section(*names: str) -> Callable[[CohortConfig], dict[str, Any]]:
    return lambda config: {"seed": config.seed, **config.model_dump(mode="json", include=set(names))}


TRAINERS = ("mgvae.generator", "mgvae.checkpoint", "mgvae.threads")
STAGES: tuple[Stage, ...] = (
    Stage("validate", validate, (), _columns, ("mgvae.extract", "validation.checks")),
    Stage(
        "split",
        split,
        ("validate",),
        _section("subject_id", "group", "index_date", "outcome", "columns", "split"),
        ("mgvae.tables", "mgvae.split"),
    ),
    Stage("encode", encode, ("split",), _section("columns"), ("mgvae.tables", "mgvae.encoding", "mgvae.tensors")),
    Stage("pretrain", pretrain, ("encode",), _section("training"), TRAINERS),
    Stage("finetune", finetune, ("encode", "pretrain"), _section("training"), TRAINERS),
    Stage(
        "synthesise",
        make_synthetic,
        ("encode", "finetune"),
        _section("training", "synthesis"),
        ("flows.translation", "mgvae.tables"),
    ),
    Stage(
        "assess",
        assess,
        ("split", "synthesise"),
        _section("columns", "outcome", "gates"),
        ("mgvae.tables", "validation.gates", "validation.checks", "validation.fidelity"),
    ),
    Stage(
        "evaluate",
        evaluate,
        ("split",),
        _section("columns", "training", "synthesis", "evaluation"),
        ("mgvae.tables", "mgvae.evaluation.evaluate"),
    ),
    Stage(
        "model",
        model,
        ("split", "assess", "evaluate"),
        _section("subject_id", "group", "index_date", "outcome", "columns", "training", "synthesis", "evaluation"),
        ("mgvae.tables", "mgvae.evaluation.deployed", "mgvae.evaluation.recommendation"),
    ),
)


def check_extract_unchanged(folder: Path, sha256: str) -> None:
    """Raise where the extract that was read is not the one the run was keyed by.

    Raises:
        ExtractError: the file changed in between.
    """
    if _read_json(folder / "validation.json")["sha256"] != sha256:
        raise ExtractError("The extract changed while the run began. Start again once it is written.")


def _rows(inputs: Inputs) -> dict[str, torch.Tensor]:
    tensors: dict[str, torch.Tensor] = load_file(inputs["encode"] / ROWS)
    return tensors


def _moved(tensors: Mapping[str, torch.Tensor], device: torch.device) -> dict[str, torch.Tensor]:
    return {name: value.to(device) for name, value in tensors.items()}


def _write_history(folder: Path, history: History, more: Mapping[str, Any]) -> None:
    """Write ``history.json``, the same whenever the same is trained, and apart from it how long that took."""
    facts = {
        "epochs": len(history.epochs),
        "heldout_elbo": history.heldout_elbo,
        "best_epoch": history.best_epoch,
        "history": [asdict(epoch) for epoch in history.epochs],
    }
    _write_json(folder / "history.json", {**facts, **more})
    _write_json(folder / CLOCK, {"seconds": history.seconds})


def _size(model: Any, training: Any) -> dict[str, Any]:
    return {"parameters": model.n_parameters(), "device": device_of(training).type}


def _told(epoch: int, epochs: int, score: float) -> None:
    reporter().advanced(epoch, epochs, f"ELBO {score:.2f}")


def _told_splits(done: int, total: int) -> None:
    reporter().advanced(done, total, f"split {done} of {total}")


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, allow_nan=False), encoding="utf-8")


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))

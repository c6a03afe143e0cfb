"""The flow mgvae-stage: one stage of a run, carried out where its deployment puts it. `flows.placement` calls it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from prefect import flow

from flows.placement import FLOW, SETTINGS
from flows.roots import confine
from flows.stages import STAGES, Stage
from flows.stores import AnyStore, open_store
from flows.withheld import OrchestrationError, withheld
from flows.work import Order, make_here, perform
from mgvae.config import CohortConfig
from mgvae.store import Reference
from mgvae.strict import build


@flow(name=FLOW, persist_result=False, validate_parameters=True)
def stage_flow(
    stage: str,
    key: str,
    settings: str,
    inputs: dict[str, dict[str, str]],
    out: str,
    store: str,
    more: dict[str, str] | None = None,
    extract: str | None = None,
) -> None:
    """Carry one stage out and put its artifact and its record into the store.

    Args:
        stage: its name.
        key: the cache key that the run computed; this side must come to the same.
        settings: digest of the artifact that holds the study's settings.
        inputs: references of the artifacts that the stage reads.
        out: folder of the runs; what is fetched from a store on a URL is kept there.
        store: folder or URL of the store.
        more: what the key holds besides.
        extract: path or URL of the extract, for the stage that reads it.
    """
    with withheld():
        confine(out, "out")
        confine(store, "store")
        confine(extract or out, "extract")
        kept = open_store(Path(out).resolve(), store)
        order = _order(kept, stage, settings, inputs, more or {}, extract)
        if order.key != key:
            raise OrchestrationError(
                f"Stage {stage} must run with the code and the libraries of the run that sent it; this worker has others. "
                "Install the same version and constraints.txt on both sides."
            )
        perform(stage, key, lambda: make_here(order, kept), kept)


def _order(
    store: AnyStore,
    stage: str,
    settings: str,
    inputs: dict[str, dict[str, str]],
    more: dict[str, str],
    extract: str | None,
) -> Order:
    folder = store.folder(Reference("settings", settings))
    values: dict[str, Any] = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    config = build(CohortConfig, {**values, "extract": extract or "(not told)"}, where="settings")
    references = {name: Reference(**told) for name, told in inputs.items()}
    return Order(_stage(stage), config, references, more)


def _stage(name: str) -> Stage:
    for stage in STAGES:
        if stage.name == name:
            return stage
    raise OrchestrationError(f"Stage '{name}' must be one of {', '.join(stage.name for stage in STAGES)}.")

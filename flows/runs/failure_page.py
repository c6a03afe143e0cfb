"""The Prefect artifact ``mgvae-failed`` of a run that ended badly."""

from __future__ import annotations

import re
from contextlib import suppress

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import ArtifactCreate
from prefect.client.schemas.filters import ArtifactFilter
from prefect.client.schemas.objects import FlowRun

KEY = "mgvae-failed"
MARKUP = re.compile(r"([\\`*_\[\]<>|~#]|:(?=//)|(?<=www)\.)")
STILL = "The champion and its predictions stay as they were, and finished stages are kept: the next run goes on from there."


def escaped(text: object) -> str:
    """Return text that Markdown shows as it is: no link, picture, HTML or line of its own."""
    return MARKUP.sub(r"\\\1", " ".join(str(text).split()))


def failure_text(state: str | None, message: str | None) -> str:
    """Return the page of a failed run in Markdown.

    Args:
        state: name of the state in which it ended.
        message: of that state; its first line is shown.
    """
    reason = ((message or "").strip() or "no reason given").splitlines()[0]
    return (
        f"# This run ended {escaped(state)}\n\n{escaped(reason)}\n\n{STILL}\n\n"
        "What to do: deployments/README.md, 'When the night failed'."
    )


def note_crash(client: SyncPrefectClient, run: FlowRun) -> None:
    """Make the page of a run whose process is gone and that does not go on by itself; once for each run."""
    with suppress(Exception):  # whatever is wrong with the server, the run's state counts
        wanted = ArtifactFilter.model_validate({"key": {"any_": [KEY]}, "flow_run_id": {"any_": [run.id]}})
        if run.state is None or client.read_artifacts(artifact_filter=wanted):
            return
        about = escaped(f"{client.read_flow(run.flow_id).name} {run.name}")
        text = failure_text(run.state.name, run.state.message)
        client.create_artifact(ArtifactCreate(key=KEY, type="markdown", description=about, data=text, flow_run_id=run.id))

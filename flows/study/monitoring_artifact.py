"""Show what `mgvae monitor` finds on Prefect's pages."""

from __future__ import annotations

import json

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate

from flows.prefect_server import served
from flows.study.prefect_pages import artifact_key
from mgvae.report.formatting import limits, number, share
from mgvae.results.monitoring import Monitoring


def show_monitoring(found: Monitoring) -> str:
    """Make the artifact ``mgvae-<study>-monitoring``; return in words whether it was taken."""
    if not served():
        return "Not shown on Prefect's pages: no server is configured."
    key = f"{artifact_key(found.study)}-monitoring"
    try:
        # over the API, since Prefect deprecates artifacts made outside of a run
        table, about = json.dumps(monitoring_rows(found)), "By month of prediction, 99 % intervals; then each scoring"
        with get_client(sync_client=True) as client:
            client.create_artifact(ArtifactCreate(type="table", key=key, data=table, description=about))
    except Exception as error:  # whatever is wrong with the server
        return f"Not shown on Prefect's pages: the server did not take it ({type(error).__name__})."
    return f"On Prefect's pages: artifact {key}."


def monitoring_rows(found: Monitoring) -> list[dict[str, str]]:
    """Return a row for each month of prediction, then one for each scoring."""
    months = [
        {
            "month": one.month,
            "predicted": str(one.predicted),
            "matured": str(one.matured),
            "events": str(one.events),
            "alerts": share(one.alerts),
            "AUROC": f"{number(one.auroc.value)} {limits(one.auroc)}",
            "observed/expected": f"{number(one.observed_expected.value)} {limits(one.observed_expected)}",
            "slope": f"{number(one.slope.value)} {limits(one.slope)}",
            "signals": "; ".join(one.signals),
        }
        for one in found.cohorts
    ]
    nights = [
        {
            "month": one.scored_at[:10],
            "predicted": str(one.patients),
            "alerts": share(one.alerts),
            "stability index of risks": number(one.psi),
            "missing, largest change": f"{number(one.missing)} {one.missing_column or ''}".strip(),
            "moved most": f"{number(one.moved[0].psi)} {one.moved[0].column}" if one.moved else "",
            "signals": "; ".join(one.signals),
        }
        for one in found.scored
    ]
    return months + nights

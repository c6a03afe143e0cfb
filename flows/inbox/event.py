"""Post the event ``ehr.extract.landed`` to the configured Prefect server.

`prefect.events.emit_event` only queues an event: a thread sends it at some time before the interpreter ends, tries again for as
long as the server is away, and tells nobody but the log that it gave up. A command has to know. So the event is posted to the
server's own address for events, and the answer says that it was taken.
"""

from __future__ import annotations

from typing import Literal

from flows.inbox.folder import DIGITS
from flows.inbox.landing import Landing

EVENT = "ehr.extract.landed"
RESOURCE = "mgvae-cohort.extract"
CONNECT_S, ANSWER_S = 2.0, 10.0

Delivery = Literal["sent", "no server", "not sent"]


def announce(landing: Landing) -> tuple[Delivery, str]:
    """Post the event of an extract; return whether it arrived, and the type of error.

    Args:
        landing: an extract with a path; no value of a patient is sent: path, study, digest and number of rows.
    """
    from prefect.settings import PREFECT_API_URL

    if not PREFECT_API_URL.value():
        return "no server", ""
    try:
        _post(landing)
    except Exception as error:  # whatever is wrong with the server, the extract has landed
        return "not sent", type(error).__name__
    return "sent", ""


def _post(landing: Landing) -> None:
    import httpx
    from prefect.client.orchestration import get_client
    from prefect.events.schemas.events import Event, Resource
    from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    short = landing.sha256[:DIGITS]
    resource = {
        "prefect.resource.id": f"{RESOURCE}.{landing.study}.{short}",
        "prefect.resource.name": f"{landing.study} {short}",
        "mgvae.study": landing.study,
    }
    payload = {"uri": str(landing.path), "study": landing.study, "sha256": landing.sha256, "rows": landing.rows}
    event = Event(event=EVENT, resource=Resource.model_validate(resource), payload=payload)
    times = {"timeout": httpx.Timeout(ANSWER_S, connect=CONNECT_S)}
    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}), get_client(httpx_settings=times, sync_client=True) as client:
        client.request("POST", "/events", json=[event.model_dump(mode="json")]).raise_for_status()

"""The final state of a run, as Prefect's list, `--watch` and the worker's log show it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from prefect import State
from prefect.client.schemas.objects import StateType

from flows.runs.report_server import report_url
from mgvae.errors import MGVAEError
from mgvae.report.overview import advice
from mgvae.report.schema import Report

EXIT = {"pass": 0, "warn": 0, "fail": 2, "invalid": 2}
# red in Prefect's list, and exit code 1 of --watch; events are called prefect.flow-run.<name>
REFUSED = {"fail": "Refused", "invalid": "Invalid"}
CANNOT_JUDGE = "CannotJudge"  # a run that is well, of which nobody can say whether it may be champion

# the states that flows of this process proposed, for `result_of`
_PROPOSED: ContextVar[list[State[Any]] | None] = ContextVar("_PROPOSED", default=None)


class RunRefusedError(MGVAEError):
    """What a refused run is to those who wait for its result; not raised by its flow.

    Attributes:
        result: ``{run, status, exit_code}``.
    """

    def __init__(self, message: str, result: dict[str, Any]) -> None:
        super().__init__(message)
        self.result = result


def final_state(report: Report, folder: Path, remarks: Sequence[str], *, judged: bool = True) -> State[Any]:
    """Return the state in which a run ends.

    Args:
        report: the run's report.
        folder: the run folder.
        remarks: what its reader should know besides, such as whether it was promoted.
        judged: whether it could be judged if it may be champion.

    Returns:
        A state of type COMPLETED, called CannotJudge where that was not so, or of type FAILED with a name of its own where the
        report's status is fail or invalid. Its message says status, recommendation, champion and where the report is; its data
        is ``{run, status, exit_code}``, or a `RunRefusedError` with it, since Prefect raises the data of a failed state.
    """
    champion = folder.parent / "champion"
    parts = [
        f"Status: {report.status}. {report.verdict.sentence}",
        advice(report),
        *remarks,
        f"Champion: {champion.resolve().name if champion.exists() else 'none'}.",
        f"Report: {report_url(folder) or folder / 'report.html'}",
    ]
    message = " ".join(part for part in parts if part)
    result = {"run": str(folder), "status": report.status, "exit_code": EXIT[report.status]}
    if report.status in REFUSED:
        refusal = RunRefusedError(message, result)
        state: State[Any] = State(type=StateType.FAILED, name=REFUSED[report.status], message=message, data=refusal)
    else:
        name = "Completed" if judged else CANNOT_JUDGE
        state = State(type=StateType.COMPLETED, name=name, message=message, data=result)
    if (proposed := _PROPOSED.get()) is not None:
        proposed.append(state)
    return state


def result_of(run: Callable[..., State[dict[str, Any]]], *arguments: Any, **parameters: Any) -> dict[str, Any]:
    """Return the result of a flow, also of one whose run is refused; raise what it raised.

    Args:
        run: the flow `flows.study.flow.cohort_flow`.
        arguments: its parameters.
        parameters: the same, by name.
    """
    proposed: list[State[Any]] = []
    token = _PROPOSED.set(proposed)
    try:
        state = run(*arguments, return_state=True, **parameters)
    finally:
        _PROPOSED.reset(token)
    # a server that answers too late is asked again, and then returns the state that it has: without data
    found = (proposed[-1] if state.data is None and proposed else state).result(raise_on_failure=False)
    if isinstance(found, RunRefusedError):
        return found.result
    if isinstance(found, BaseException):
        raise found
    return dict(found)

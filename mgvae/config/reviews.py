"""Open review lines: what a draft asks in the files of a study and nobody has settled."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from pydantic import Field

from mgvae.config.strict import Strict
from mgvae.errors import ConfigError

REVIEW = "# review: "
CONFIRM = "confirm that each predictor is known at the index date"
OPEN = re.compile(rf"(?:^|\s){re.escape(REVIEW)}\s*(.*)")
NAMED = 8  # lines named in a message


class Reviews(Strict):
    """What is left to review in cohort.yaml and the data dictionary, counted when they are read.

    Attributes:
        open: comments ``# review: ...`` that are still there. Settle what one asks, then delete the comment.
        unconfirmed: whether one of them still asks to confirm that each predictor is known at the index date.
    """

    open: int = Field(default=0, ge=0)
    unconfirmed: bool = False


def open_lines(text: str) -> dict[int, str]:
    """Return what each open review line asks, by the line's number from 1; a line may ask twice."""
    found = ((number, OPEN.search(line)) for number, line in enumerate(text.splitlines(), start=1))
    return {number: match.group(1) for number, match in found if match}


def count_reviews(texts: Iterable[str]) -> Reviews:
    """Return how many review lines the texts hold."""
    asked = [question for text in texts for question in open_lines(text).values()]
    return Reviews(open=len(asked), unconfirmed=any(question.startswith(CONFIRM) for question in asked))


def open_reviews(path: Path) -> str:
    """Return the open review lines of a file as comments: nobody settled them by building from it."""
    return "".join(f"{REVIEW}{question}\n" for question in open_lines(path.read_text(encoding="utf-8")).values())


def refuse_open(paths: Iterable[Path]) -> None:
    """Check that no review line is open.

    Raises:
        ConfigError: one is; the message names files and lines.
    """
    texts = {path: path.read_text(encoding="utf-8") for path in paths}
    found = {path: list(open_lines(text)) for path, text in texts.items()}
    if not any(found.values()):
        return
    places = "; ".join(f"{path}, {_lines(numbers)}" for path, numbers in found.items() if numbers)
    raise ConfigError(
        f"--strict: no line may be open for review; {sum(map(len, found.values())):,} are: {places}. "
        "Settle what each asks and delete its comment."
    )


def _lines(numbers: list[int]) -> str:
    more = f" and {len(numbers) - NAMED:,} more" if len(numbers) > NAMED else ""
    return f"line{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers[:NAMED]))}{more}"

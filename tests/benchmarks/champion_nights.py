"""How often the champion's rule promotes a refit on 2 % more of the same patients: ten simulated nights (seconds).

Run: python -m tests.benchmarks.champion_nights
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.flows.champion_tools import Nights, config

SETTINGS = {"arms": ["none"], "classifiers": ["logistic_regression"], "bootstrap": 500}


def main() -> None:
    """Print what was decided of each night, and why."""
    with tempfile.TemporaryDirectory() as place:
        nights = Nights(Path(place) / "runs")
        for number in range(10):
            decision = nights.consider(
                nights.night(f"night{number}", n=1500 + 30 * number, settings=config(evaluation=SETTINGS))
            )
            print(f"{decision.action}: {decision.reason}")


if __name__ == "__main__":
    main()

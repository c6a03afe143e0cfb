"""Simulated extracts, night by night, with one fault from a given night on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from mgvae.config.strict import build
from mgvae.config.study import CohortConfig

Fault = Literal["nothing", "wrong_join", "unit_error", "slow_shift", "new_site", "better_data", "label_delay"]
FAULTS: tuple[Fault, ...] = ("nothing", "wrong_join", "unit_error", "slow_shift", "new_site", "better_data", "label_delay")
START, A_NIGHT, BEGIN = 2000, 60, 20  # patients of the first extract, newcomers of a night, first night with the fault
SHIFT = 0.04  # standard deviations that the slow shift moves all newcomers of a night more than those of the night before
PREVALENCE_AT = 2.7  # the intercept: about 9 % have the event


@dataclass(frozen=True)
class World:
    """A study whose extracts keep all patients and gain some every night.

    Attributes:
        fault: what is wrong, from night `BEGIN` on.
        seed: of all draws.
    """

    fault: Fault
    seed: int

    def extract(self, night: int) -> pd.DataFrame:
        """Return the extract of a night, as read."""
        count = START + A_NIGHT * night
        frame = self.patients().iloc[:count].reset_index(drop=True)
        rng = np.random.default_rng([self.seed, 7, night])
        if night < BEGIN:
            return frame
        if self.fault == "wrong_join":
            frame["died"] = rng.permutation(frame["died"])
        elif self.fault == "unit_error":
            rows = rng.random(count) < 0.05
            frame.loc[rows, "weight"] *= 2.2046
        elif self.fault == "label_delay":
            late = np.arange(count) >= count - 800
            frame.loc[late, "died"] = "0"
        return frame

    def patients(self) -> pd.DataFrame:
        """Return all patients of sixty nights as they truly are."""
        rng = np.random.default_rng([self.seed, 1])
        most = START + A_NIGHT * 60
        a, b, c, d, noise, hidden = rng.normal(size=(6, most))
        came = np.maximum(0, (np.arange(most) - START) // A_NIGHT + 1)  # the first night of a patient
        sex, uniform = rng.random(most), rng.random(most)
        if self.fault == "slow_shift":
            a = a + SHIFT * np.maximum(0, came - BEGIN + 1)
        site = (self.fault == "new_site") & (came >= BEGIN)
        a, c = np.where(site, a + 0.8, a), np.where(site, 0.5 * c - 0.6, c)
        risk = 1 / (1 + np.exp(PREVALENCE_AT - 0.9 * a - 0.5 * b + 0.4 * d - 0.9 * hidden))
        proxy = hidden + (0.3 if self.fault == "better_data" else 3.0) * noise
        if self.fault == "better_data":  # the proxy is recorded well for newcomers; for the others by hindsight, a night later
            proxy = np.where(came >= BEGIN, proxy, hidden + 3.0 * noise)
        frame = {
            "id": [f"p{number}" for number in range(most)],
            "died": np.where(uniform < risk, "1", "0"),
            "age": 60 + 12 * a,
            "pressure": 130 + 15 * b,
            "weight": 80 + 12 * c,
            "marker": np.exp(0.5 * d),
            "proxy": proxy,
            "sex": np.where(sex < 0.5, "f", "m"),
        }
        return pd.DataFrame(frame)


def study() -> CohortConfig:
    """Return the study of all worlds."""
    kinds = {name: {"kind": "continuous"} for name in ("age", "pressure", "weight", "marker", "proxy")}
    own = {"id": {"role": "identifier"}, "died": {"kind": "binary", "role": "excluded", "categories": [0, 1]}}
    values = {
        "study": "nights",
        "extract": "x",
        "subject_id": "id",
        "outcome": {"column": "died", "event": 1},
        "columns": {"columns": {**own, **kinds, "sex": {"kind": "binary", "categories": ["f", "m"]}}},
        "evaluation": {"arms": ["none"], "classifiers": ["logistic_regression"], "bootstrap": 200},
    }
    return build(CohortConfig, values, source="benchmark")

"""Whether the attacks find what a generator has learned by heart, and nothing else.

    python -m tests.benchmarks.leaks [--seeds 30]

First, generators trained on 20 simulated cases for 2,000 epochs without anchor, early stopping or judges: the strongest
attack on membership, members against 60 others; and the same attacks where nobody was trained on, 20 of the others against 40.

Then canaries: an odd row (each column from another patient) stands 0, 1, 4 or 16 times among the 20 cases. It is found where it
is among the most suspicious 5 % of 100 rows of its kind, of which the others were never trained on. A row is as suspicious as
the attack that suspects it most says; as rows of one kind are exchangeable, the false alarms are exactly 5 % (exposure: Carlini
et al. 2019, arXiv:1802.08232).
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
import torch
from scipy import stats

from mgvae.threads import one_thread
from tests.benchmarks.privacy import MEMBERS, draw, generated
from tests.validation.offered import shuffled
from validation.attacks.membership import Membership, membership
from validation.attacks.scores import attack_scores
from validation.intervals import share

OVER, SHORT = 2000, 50  # epochs of fine-tuning; after 2,000 nearly every canary is found
INSERTED = (0, 1, 4, 16)
KIND, FOUND = 100, 0.05


def attacked(seed: int, *, epochs: int = OVER) -> tuple[Membership | None, Membership | None]:
    """Return the attacks on members against others, and on others against others."""
    drawn = draw(seed)
    embed, made = generated(drawn.majority, drawn.members, None, epochs=epochs, seed=seed)
    inside, outside, rows = embed(drawn.members), embed(drawn.others), embed(made)
    nobody = membership(outside[:MEMBERS], outside[MEMBERS:], rows, seed=seed)
    return membership(inside, outside, rows, seed=seed), nobody


def canary_rank(seed: int, times: int, *, epochs: int | None = SHORT) -> float:
    """Return the share of rows of the canary's kind that are as suspicious, itself among them."""
    drawn = draw(seed)
    odd = shuffled(drawn.majority, KIND, np.random.default_rng(seed))
    cases = pd.concat([drawn.members, *[odd.iloc[:1]] * times], ignore_index=True)
    embed, made = generated(drawn.majority, cases, None, epochs=epochs, seed=seed)
    ranks = stats.rankdata(attack_scores(embed(odd), embed(made), seed=seed), axis=1).max(axis=0)
    return float((ranks >= ranks[0]).mean())


def membership_table(seeds: int) -> None:
    """Print the strongest attack by whom it is made on."""
    found = [attacked(seed) for seed in range(seeds)]
    print(f"| {seeds} generators | mean AUC | lowest | highest | interval holds 0.5 |\n|---|---|---|---|---|")
    for name, side in (("20 trained on against 60 others", 0), ("20 others against 40 others", 1)):
        strongest = [one.strongest for pair in found if (one := pair[side]) is not None]
        values, holds = [one.value for one in strongest], sum(one.low <= 0.5 <= one.high for one in strongest)
        print(
            f"| {name} | {np.mean(values):.2f} | {min(values):.2f} | {max(values):.2f} | {holds} of {len(values)} |", flush=True
        )


def canary_table(seeds: int) -> None:
    """Print how often a canary is found by how often it was inserted."""
    print("| generator | " + " | ".join(f"{times} times" for times in INSERTED) + " |\n" + "|---" * 5 + "|", flush=True)
    for name, epochs in ((f"{SHORT} epochs, no early stopping", SHORT), ("as the product trains", None)):
        ranks = [[canary_rank(seed, times, epochs=epochs) for seed in range(seeds)] for times in INSERTED]
        cells = [share(sum(rank <= FOUND for rank in row), seeds) for row in ranks]
        print(
            f"| {name} | " + " | ".join(f"{one.value:.2f} ({one.low:.2f} to {one.high:.2f})" for one in cells) + " |",
            flush=True,
        )


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.leaks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=30)
    seeds = parser.parse_args().seeds
    torch.set_num_threads(1)
    with one_thread():
        membership_table(seeds // 2)
        canary_table(seeds)


if __name__ == "__main__":
    main()

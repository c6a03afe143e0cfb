"""Learning curves, and how lambda was chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from mgvae.report.figures.hover import lines_below, name_columns
from mgvae.report.figures.svg import axes, blank, drawing, inline
from mgvae.report.formatting import number, plain
from mgvae.report.palette import light
from mgvae.results.training import EpochRecord, LambdaTrial, Pretraining

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT = 380, 240


def learning_curve(training: Pretraining, *, key: str, title: str) -> Markup | None:
    """Draw training and held-out ELBO by epoch, with the kept epoch marked.

    Nothing is drawn where no epoch was recorded. The vertical range leaves out the first tenth of the epochs where there are
    many: they would flatten the rest.
    """
    series = {
        "training rows": ([(e.epoch, e.train_elbo) for e in training.history if e.train_elbo is not None], "majority", (4, 2)),
        "held-out rows": ([(e.epoch, e.heldout_elbo) for e in training.history if e.heldout_elbo is not None], "cases", ()),
    }
    if not any(points for points, _, _ in series.values()):
        return None
    with drawing(key):
        figure = blank(WIDTH, HEIGHT)
        ax = axes(figure, left=64, right=12, top=14, bottom=40)
        for name, (points, colour, dash) in series.items():
            if points:
                style = "-" if not dash else (0, dash)
                ax.plot(*zip(*points, strict=True), color=light(colour), linestyle=style, label=name)
        if training.best_epoch is not None and training.heldout_elbo is not None:
            _mark(ax, training.best_epoch, training.heldout_elbo)
        _frame(ax, [value for points, _, _ in series.values() for _, value in points[len(points) // 10 :]])
        ax.set(xlabel="epoch", ylabel="ELBO per row (nats)")
        ax.grid(axis="y")
        name_columns(ax, [one.epoch for one in training.history], [_said(one) for one in training.history])
        ax.legend(frameon=False, loc="lower right", fontsize=10.5, labelcolor=light("ink"))
        return inline(
            figure,
            title=title,
            description=f"Kept: epoch {training.best_epoch}, held-out ELBO {number(training.heldout_elbo, 2)} nats.",
        )


def lambda_path(trials: Sequence[LambdaTrial], chosen: float | None, *, key: str) -> Markup | None:
    """Draw held-out ELBO against the weight of the EWC penalty, the chosen one filled.

    Nothing is drawn where the weight was not searched.
    """
    known = sorted((t.ewc_lambda, t.heldout_elbo) for t in trials if t.heldout_elbo is not None)
    if not known:
        return None
    with drawing(key):
        figure = blank(WIDTH, HEIGHT)
        ax = axes(figure, left=64, right=12, top=14, bottom=40)
        values = [elbo for _, elbo in known]
        ax.plot(range(len(known)), values, color=light("majority"), linewidth=1.2)
        for place, (weight, elbo) in enumerate(known):
            picked = chosen is not None and weight == chosen
            fill = light("synthetic") if picked else light("page")
            ax.plot(place, elbo, "o", color=light("synthetic"), markerfacecolor=fill, markersize=9 if picked else 6)
        ax.set_xticks(range(len(known)), [plain(weight) for weight, _ in known])
        _frame(ax, values)
        ax.set(xlabel="weight of the EWC penalty, λ", ylabel="held-out ELBO (nats)", xlim=(-0.4, len(known) - 0.6))
        ax.grid(axis="y")
        said = [f"λ {plain(weight)}: held-out ELBO {number(elbo, 2)} nats" for weight, elbo in known]
        name_columns(ax, range(len(known)), said)
        return inline(figure, title="Choice of lambda by held-out ELBO of real cases", description=f"Chosen: {plain(chosen)}.")


def _said(epoch: EpochRecord) -> str:
    elbo = {"training rows": epoch.train_elbo, "held-out rows": epoch.heldout_elbo}
    return lines_below(f"Epoch {epoch.epoch}, ELBO", {name: number(value, 2) for name, value in elbo.items()})


def _frame(ax: Axes, values: Sequence[float]) -> None:
    low, high = min(values), max(values)
    room = 0.12 * (high - low) or 0.5
    ax.set_ylim(low - room, high + room)


def _mark(ax: Axes, epoch: int, elbo: float) -> None:
    ax.axvline(epoch, color=light("axis"), linewidth=0.8, linestyle=(0, (2, 2)))
    ax.plot(epoch, elbo, "o", color=light("cases"), markersize=7)

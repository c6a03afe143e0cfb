"""One experiment of the paper: a data set, a seed, and one result for each arm.

The settings are those of every data set, except that small images have small models. They were chosen on training images of
MNIST and FashionMNIST that were left out, and looked at on digits, with seeds that no table uses: see `docs/results/paper.md`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import get_args

from mgvae.config.sections import Training
from mgvae.cost import Cost, measured
from mgvae.paper.classifier import MEASURES, Fitting, LossName, fit, measures, predict
from mgvae.paper.datasets.load import Imbalanced
from mgvae.paper.datasets.rows import Rows, joined
from mgvae.paper.models.pixel_models import Size, large
from mgvae.paper.oversamplers.fine_tuning import Plan, Start, plain_vae, pretrained
from mgvae.paper.oversamplers.judged_translation import anchored, free, translations
from mgvae.paper.oversamplers.rivals import conditional_vae, gan, random_oversampling, smote
from mgvae.paper.oversamplers.task import Made, Task
from mgvae.reproducibility import derive
from mgvae.threads import one_thread

ARMS = {  # ways of treating the imbalance, in the table's order, and their names there
    "erm": "nothing (ERM)",
    "random_oversampling": "random oversampling",
    "reweighted": "re-weighting",
    "class_balanced": "class-balanced re-weighting",
    "focal": "focal loss",
    "ldam": "LDAM",
    "smote": "SMOTE",
    "conditional_vae": "conditional VAE",
    "gan": "conditional GAN",
    "vae": "VAE",
    "mgvae_no_pretraining": "MGVAE from scratch",
    "mgvae_no_ewc": "MGVAE without EWC",
    "mgvae_no_leave_one_out": "MGVAE without leave-one-out",
    "mgvae_no_details": "MGVAE without details",
    "mgvae": "MGVAE",
}
LOSSES: dict[str, LossName] = {name: name for name in get_args(LossName)}  # arms that only change the classifier's loss
FROM_MAJORITY = ("mgvae_no_ewc", "mgvae_no_leave_one_out", "mgvae_no_details", "mgvae")  # begin with the pre-trained model
SMALL = 100  # pixels up to which an image has small models
MANY = 10_000  # training rows from which 30 epochs of pre-training are as many steps as fewer rows get in 80
LAMBDAS = (3.0, 10.0, 30.0, 100.0)  # from gently held to hardly moved
LATENT = 40  # D; with 10, digits and MNIST came out lower


@dataclass(frozen=True)
class Settings:
    """How an experiment is run.

    Attributes:
        plan: of the models that translate.
        rival_steps: of the class-conditional generators.
        fitting: of the classifier.
        restarts: classifiers for each arm, from other starts and batches; their measures are averaged.
    """

    plan: Plan
    rival_steps: int
    fitting: Fitting
    restarts: int = 3


@dataclass(frozen=True)
class Outcome:
    """One arm with one seed.

    Attributes:
        arm: a key of `ARMS`.
        seed: of everything.
        measures: on the test rows, see `mgvae.paper.classifier`.
        synthetic: how many rows were made.
        by_lambda: how many rows of each rare class were made with each strength of EWC.
        costs: of the stages pretrain (shared: each arm that starts from it names the same one), generate and classify.
    """

    arm: str
    seed: int
    measures: dict[str, float]
    synthetic: int
    costs: dict[str, Cost]
    by_lambda: dict[int, dict[float, int]] = field(default_factory=dict)


def settings_for(data: Imbalanced, *, quick: bool = False) -> Settings:
    """Return the settings of a data set; ``quick`` ones take a fraction of the steps."""
    small = data.train.values.shape[1] <= SMALL
    many = len(data.train) >= MANY
    training = Training(
        batch_size=100,
        pretrain_epochs=15 if quick else 30 if many else 80,
        learning_rate=2e-3,
        exemplars=2000,
        device="cpu",
    )
    size = Size(latent_dim=LATENT, hidden=(128, 128) if small else (300, 300), channels=8 if quick else 32, tied=True)
    brief = Fitting(steps=600, check_every=50)
    if quick:
        steps = 200 if large(data.shape) else 1000  # a step of convolutions takes a hundred times as long
        return Settings(Plan(size, training, steps=100, lambdas=LAMBDAS[1:2]), steps, brief, restarts=1)
    if small:  # with fewer steps than these the GAN falls behind
        return Settings(Plan(size, training, steps=200, lambdas=LAMBDAS[::2]), 1500, brief, restarts=2)
    return Settings(Plan(size, training, lambdas=LAMBDAS), 3000, Fitting(steps=2000, check_every=100), restarts=3)


def run_seed(
    data: Imbalanced,
    settings: Settings,
    *,
    seed: int,
    arms: Iterable[str] = ARMS,
    on_start: Callable[[str], None] | None = None,
) -> Iterator[tuple[Outcome, Made | None]]:
    """Yield each arm's outcome with the rows that it made, if any.

    Args:
        data: the data set, drawn with ``seed``.
        settings: how.
        seed: of models, batches and draws.
        arms: which, in this order.
        on_start: hears of each arm before it is run.
    Raises:
        TrainingError: a training left the finite numbers.
    """
    task = Task(data.train, len(data.classes), data.majority, data.minority, seed, data.shape)
    starts: dict[bool, tuple[Start, Cost]] = {}
    for arm in arms:
        if on_start is not None:
            on_start(arm)
        with one_thread():
            costs: dict[str, Cost] = {}
            start = None
            if arm in FROM_MAJORITY:
                start, costs["pretrain"] = _start(task, settings.plan, starts, leave_one_out=arm != "mgvae_no_leave_one_out")
            with measured(costs, "generate"):
                made = _made(arm, task, settings, start, data.validation)
            with measured(costs, "classify"):
                result = _judged(data, made, settings, arm, seed)
        yield Outcome(arm, seed, result, 0 if made is None else len(made.rows), costs, _by_lambda(made)), made


def _start(task: Task, plan: Plan, starts: dict[bool, tuple[Start, Cost]], *, leave_one_out: bool) -> tuple[Start, Cost]:
    """Return the pre-trained model and its cost, reused from ``starts`` if there."""
    if leave_one_out not in starts:
        costs: dict[str, Cost] = {}
        with measured(costs, "pretrain"):
            start = pretrained(task, replace(plan, training=plan.training.model_copy(update={"leave_one_out": leave_one_out})))
        starts[leave_one_out] = start, costs["pretrain"]
    return starts[leave_one_out]


def _made(arm: str, task: Task, settings: Settings, start: Start | None, validation: Rows) -> Made | None:
    plan = settings.plan

    def with_ewc(*, keep_details: bool = True) -> Made:
        if start is None:
            raise TypeError(f"{arm} begins with a pre-trained model.")
        return translations(task, anchored(task, plan, start, validation, settings.fitting, keep_details=keep_details))

    makers: dict[str, Callable[[], Made]] = {
        "random_oversampling": lambda: random_oversampling(task),
        "smote": lambda: smote(task),
        "conditional_vae": lambda: conditional_vae(task, plan.size, settings.rival_steps),
        "gan": lambda: gan(task, plan.size, settings.rival_steps),
        "vae": lambda: plain_vae(task, plan),
        "mgvae_no_pretraining": lambda: translations(task, free(task, plan, None)),
        "mgvae_no_ewc": lambda: translations(task, free(task, plan, start)),
        "mgvae_no_leave_one_out": with_ewc,
        "mgvae_no_details": lambda: with_ewc(keep_details=False),
        "mgvae": with_ewc,
    }
    return makers[arm]() if arm in makers else None


def _by_lambda(made: Made | None) -> dict[int, dict[float, int]]:
    if made is None or made.ewc_lambda is None:
        return {}
    pairs = zip(made.rows.labels.tolist(), made.ewc_lambda.tolist(), strict=True)
    counts: dict[int, dict[float, int]] = {}
    for (label, ewc_lambda), count in sorted(Counter(pairs).items()):
        counts.setdefault(label, {})[ewc_lambda] = count
    return counts


def _judged(data: Imbalanced, made: Made | None, settings: Settings, arm: str, seed: int) -> dict[str, float]:
    train = data.train if made is None else joined(data.train, made.rows)
    loss = LOSSES.get(arm, "cross_entropy")
    results = []
    for restart in range(settings.restarts):
        own = derive(seed, "judge", restart)  # the same start and the same draws for every arm
        model = fit(train, data.validation, classes=len(data.classes), loss=loss, fitting=settings.fitting, seed=own)
        got = predict(model, data.test)
        results.append(measures(data.test.labels, got, classes=len(data.classes), minority=data.minority))
    return {name: sum(one[name] for one in results) / len(results) for name in MEASURES}

"""`MGVAEOverSampler`: rare rows from the majority, for whoever lives in scikit-learn and imbalanced-learn pipelines."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
import pandas as pd
from imblearn.over_sampling.base import BaseOverSampler
from imblearn.utils import check_sampling_strategy
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from mgvae.config.sections import Training
from mgvae.errors import TableError
from mgvae.generator.synthesis import encoded
from mgvae.reproducibility import numpy_generator
from mgvae.sampler.containers import appended, appended_labels, as_table, read_labels
from mgvae.sampler.parameters import column_positions, group_codes, layer_widths
from mgvae.sampler.per_class import Classes, Grown, grow
from mgvae.sampler.persistence import load_sampler, save_sampler
from mgvae.sampler.progress import Phases
from mgvae.sampler.table_types import read_frame, with_categories
from mgvae.torch_runtime import one_thread, own_stream
from mgvae.training.loops import History

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"
POSITIVE = Interval(numbers.Integral, 1, None, closed="left")


class MGVAEOverSampler(BaseOverSampler):  # type: ignore[misc]
    """Over-sample rare classes by translating rows of the majority one by one with a Majority-Guided VAE.

    Takes DataFrames with numbers, booleans, categories, text, nullable and Arrow types, dates and missing cells, as well as
    arrays, SciPy sparse matrices (made dense) and lists. Returns the rows it was given, unchanged, and the synthetic rows after
    them, with the same columns, dtypes and categories; missing cells are learned and generated.

    Args:
        sampling_strategy: as in imbalanced-learn; "auto" brings every class to the size of the largest.
        categorical_features: "infer" takes booleans, categories, text and objects (unless they are numbers) as names; or give
            names, positions or a mask of the columns whose values are names whatever their dtype.
        latent_dim: D, the size of a code.
        hidden: width of each hidden layer.
        epochs: most passes over the majority in pre-training; "auto" makes about 2,000 steps. Early stopping ends it sooner.
        finetune_epochs: most passes over a rare class; how many are made is chosen by cross-validation over its rows.
        ewc_lambda: weight of the EWC penalty on the Fisher information normalised to mean 1, so that it means the same on
            tables of any width; "auto" chooses it by cross-validation over the rare rows; 0 is no EWC.
        exemplar_weights: "tilted" (majority rows that resemble the class weigh more) or "uniform" (as published).
        plausibility: "matched" (of more translations than needed, those are kept that differ from the majority as the real rare
            rows do), "filtered" (those that look less like the class than nearly all its rows are dropped) or "none".
        pretraining: False trains each class from scratch; an ablation.
        leave_one_out: whether a majority row is left out of its own prior in pre-training.
        posterior_variance: "free" or "tied" to the prior's.
        learning_rate, finetune_learning_rate: Adam's step sizes.
        batch_size: rows in a step of pre-training.
        exemplars: how many majority rows, drawn anew each epoch, carry the prior; "all" for the exact mixture.
        random_state: seed, or a numpy RandomState. The same seed gives the same rows on the same machine; None draws the seed
            from numpy's global stream, as in scikit-learn.
        device: "auto", "cpu" or "cuda".
        verbose: whether progress is shown on stderr.

    Attributes:
        sampling_strategy_: label -> rows made.
        sample_parent_indices_: position in ``X`` of the row that each synthetic row was translated from, ``(n_made,)``.
        history_: "pretrain" -> epochs and held-out ELBO (nats per row); "finetune" -> label -> the same and ``ewc_lambda``.
        n_features_in_: columns of ``X``.
        feature_names_in_: their names, where all are text.
        classes_: the labels, sorted.

    Source: Ai et al. 2023, arXiv:2302.10910.

    >>> from mgvae import MGVAEOverSampler
    >>> X_resampled, y_resampled = MGVAEOverSampler(random_state=0).fit_resample(X, y)  # doctest: +SKIP
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseOverSampler._parameter_constraints,
        "categorical_features": [StrOptions({"infer"}), "array-like"],
        "latent_dim": [POSITIVE],
        "hidden": ["array-like"],
        "epochs": [StrOptions({"auto"}), POSITIVE],
        "finetune_epochs": [POSITIVE],
        "ewc_lambda": [StrOptions({"auto"}), Interval(numbers.Real, 0, None, closed="left")],
        "exemplar_weights": [StrOptions({"tilted", "uniform"})],
        "plausibility": [StrOptions({"matched", "filtered", "none"})],
        "pretraining": ["boolean"],
        "leave_one_out": ["boolean"],
        "posterior_variance": [StrOptions({"free", "tied"})],
        "learning_rate": [Interval(numbers.Real, 0, None, closed="neither")],
        "finetune_learning_rate": [Interval(numbers.Real, 0, None, closed="neither")],
        "batch_size": [Interval(numbers.Integral, 2, None, closed="left")],
        "exemplars": [StrOptions({"all"}), POSITIVE],
        "device": [StrOptions({"auto", "cpu", "cuda"})],
        "verbose": ["boolean"],
    }

    def __init__(
        self,
        sampling_strategy: Any = "auto",
        *,
        categorical_features: Any = "infer",
        latent_dim: int = 10,
        hidden: Sequence[int] = (128, 128),
        epochs: int | Literal["auto"] = "auto",
        finetune_epochs: int = 200,
        ewc_lambda: float | Literal["auto"] = 10.0,
        exemplar_weights: Literal["tilted", "uniform"] = "tilted",
        plausibility: Literal["matched", "filtered", "none"] = "matched",
        pretraining: bool = True,
        leave_one_out: bool = True,
        posterior_variance: Literal["free", "tied"] = "free",
        learning_rate: float = 4e-3,
        finetune_learning_rate: float = 1e-3,
        batch_size: int = 128,
        exemplars: int | Literal["all"] = 2000,
        random_state: Any = None,
        device: Literal["auto", "cpu", "cuda"] = "auto",
        verbose: bool = False,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.categorical_features = categorical_features
        self.latent_dim = latent_dim
        self.hidden = hidden
        self.epochs = epochs
        self.finetune_epochs = finetune_epochs
        self.ewc_lambda = ewc_lambda
        self.exemplar_weights = exemplar_weights
        self.plausibility = plausibility
        self.pretraining = pretraining
        self.leave_one_out = leave_one_out
        self.posterior_variance = posterior_variance
        self.learning_rate = learning_rate
        self.finetune_learning_rate = finetune_learning_rate
        self.batch_size = batch_size
        self.exemplars = exemplars
        self.random_state = random_state
        self.device = device
        self.verbose = verbose

    def fit_resample(self, X: Any, y: Any, *, groups: Any = None) -> tuple[Any, Any]:
        """Return ``X`` and ``y`` with synthetic rows after their own.

        Args:
            X: table, ``(N, P)``.
            y: labels of two classes or more, of any type, ``(N,)``; or one column per class.
            groups: what belongs together (a family, repeated visits), ``(N,)``: never on both sides of an inner split.
        Raises:
            ValueError: a parameter, the table or the labels cannot be used; the message says what must hold.
        """
        table, code, one_hot = self._checked(X, y, groups)
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        wanted = {at: int(self.sampling_strategy_.get(label, 0)) for at, label in enumerate(self.classes_)}
        made, at, parents = self._fit_resample(table, Classes(code, group_codes(groups, len(table)), wanted), seed=seed)
        self.sample_parent_indices_ = parents
        out = appended(self._configured(X), made, parents)
        return out, appended_labels(y, self.classes_[at], parents, one_hot=one_hot)

    def fit(self, X: Any, y: Any) -> MGVAEOverSampler:
        """Check the input and work out ``sampling_strategy_``; nothing is trained. `fit_resample` is what makes rows."""
        self._checked(X, y, None)
        return self

    def sample(self, X: Any, n: int, *, label: Any = None, random_state: Any = None) -> tuple[pd.DataFrame, Array]:
        """Return ``n`` further synthetic rows translated from the rows of ``X``, and the position of each row's parent.

        Works on a fitted sampler and on one that was loaded, which knows no patient's row: the majority comes from ``X``. Here
        the choice of plausible translations is the linear part of what it was in training, and a level of text, categories or
        objects that fewer than 5 training rows have does not come out: its name is not kept, others stand for it.

        Args:
            X: rows of the majority, with the columns of the table that was fitted on.
            n: rows to make.
            label: the class to make; by default the rarest that was filled up.
            random_state: seed; by default the sampler's own.
        Raises:
            ValueError: n is below 0, or no rows of this label were made in training.
        """
        check_is_fitted(self, "translators_")
        if n < 0:
            raise TableError(f"n must be 0 or more; got {n}.")
        label = next(iter(self.translators_), None) if label is None else label
        if label not in self.translators_:
            known = ", ".join(map(str, self.translators_)) or "none"
            raise TableError(f"label must be a class that training filled up ({known}); got {label!r}.")
        seed = int(check_random_state(self.random_state if random_state is None else random_state).randint(2**31 - 1))
        with one_thread():
            rows = encoded(self.encoding_, self.frame_.typed(as_table(X)), Training(device="cpu"))
            made = self.translators_[label].make(self.encoding_, rows, n, seed=seed)
        out = self.frame_.restored(made.features, numpy_generator(seed, "restore"))
        return with_categories(out, X) if isinstance(X, pd.DataFrame) else out, made.parent

    def save(self, path: str | Path) -> Path:
        """Write the fitted sampler into the folder ``path`` (safetensors and JSON, no row of any patient) and return it.

        Raises:
            CheckpointError: the folder holds something else, or cannot be written.
        """
        check_is_fitted(self, "translators_")
        return save_sampler(self, Path(path))

    @classmethod
    def load(cls, path: str | Path) -> MGVAEOverSampler:
        """Return the sampler that `save` wrote.

        Raises:
            CheckpointError: a file is missing, unreadable or of another version.
        """
        return load_sampler(cls, Path(path))

    def set_output(self, *, transform: Literal["default", "pandas"] | None = None) -> MGVAEOverSampler:
        """Say what `fit_resample` makes of an array: "default" an array, "pandas" a DataFrame. None changes nothing."""
        if transform not in (None, "default", "pandas"):
            raise ValueError(f"transform must be 'default', 'pandas' or None; got {transform!r}.")
        if transform is not None:
            self._sklearn_output_config = {"transform": transform}
        return self

    def _checked(self, X: Any, y: Any, groups: Any) -> tuple[pd.DataFrame, Array, int]:
        """Return the table, each row's class as a number, and how many columns ``y`` has where it has one per class."""
        self._validate_params()
        layer_widths(self.hidden)
        labels = read_labels(y)
        table = as_table(X)
        check_consistent_length(table, labels.each, groups)
        self._keep_names(X, table.shape[1])
        self.sampling_strategy_ = dict(check_sampling_strategy(self.sampling_strategy, labels.each, self._sampling_type))
        self.classes_, code = np.unique(labels.each, return_inverse=True)
        return table, code, labels.one_hot

    def _keep_names(self, X: Any, columns: int) -> None:
        """Set ``n_features_in_``, and ``feature_names_in_`` where all names are text, which need not differ."""
        self.n_features_in_ = columns
        if isinstance(X, pd.DataFrame) and all(isinstance(name, str) for name in X.columns):
            self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_

    def _fit_resample(self, table: pd.DataFrame, classes: Classes, *, seed: int) -> tuple[pd.DataFrame, Array, Array]:
        """Return the rows made, in the user's types, with the class and the parent of each."""
        frame = read_frame(table, categorical=column_positions(self.categorical_features, table))
        with one_thread(), own_stream(), Phases(shown=self.verbose) as phases:
            grown = grow(
                frame.typed(table),
                frame.columns,
                classes,
                self._settings(),
                pretraining=self.pretraining,
                seed=seed,
                told=phases.begin,
            )
        self._keep(grown)
        self.frame_ = frame.published()
        draws = numpy_generator(seed, "restore")
        parts = [frame.restored(one.features, draws) for one in grown.made.values()]
        made = pd.concat(parts, ignore_index=True) if parts else table.iloc[:0]
        at = np.repeat(list(grown.made), [len(part) for part in parts]).astype(np.int64)
        parents = np.concatenate([np.empty(0, dtype=np.int64), *(one.parent for one in grown.made.values())])
        return made, at, parents.astype(np.int64)

    def _keep(self, grown: Grown) -> None:
        label = self.classes_.tolist()
        for one in grown.translators.values():
            one.model.cpu()  # `sample` works there, wherever training did
        rarest_first = sorted(grown.translators, key=lambda one: -len(grown.made[one].features))
        self.encoding_ = grown.encoding
        self.translators_ = {label[one]: grown.translators[one] for one in rarest_first}
        self.history_: dict[str, Any] = {
            "pretrain": None if grown.pretrained is None else _told(grown.pretrained),
            "finetune": {
                label[one]: {**_told(history), "ewc_lambda": chosen} for one, (history, chosen) in grown.finetuned.items()
            },
        }

    def _settings(self) -> Training:
        return Training(
            latent_dim=self.latent_dim,
            hidden=layer_widths(self.hidden),
            pretrain_epochs=self.epochs,
            finetune_epochs=self.finetune_epochs,
            ewc_lambda=self.ewc_lambda,
            exemplar_weights=self.exemplar_weights,
            plausibility=self.plausibility,
            leave_one_out=self.leave_one_out,
            posterior_variance=self.posterior_variance,
            learning_rate=self.learning_rate,
            finetune_learning_rate=self.finetune_learning_rate,
            batch_size=self.batch_size,
            exemplars=self.exemplars,
            device=self.device,
        )

    def _configured(self, X: Any) -> Any:
        """Return ``X`` as the kind of table that `set_output` asks for."""
        asked = getattr(self, "_sklearn_output_config", {}).get("transform", "default")
        if asked == "pandas" and not isinstance(X, pd.DataFrame):
            return as_table(X).set_axis(self.get_feature_names_out(), axis=1)
        return X

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.categorical = True
        return tags


def _told(history: History) -> dict[str, Any]:
    return {
        "epochs": [vars(epoch) for epoch in history.epochs],
        "best_epoch": history.best_epoch,
        "heldout_elbo": history.heldout_elbo,
        "seconds": history.seconds,
    }

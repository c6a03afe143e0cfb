"""The MGVAE as a sampler for pipelines of scikit-learn and imbalanced-learn.

What needs torch is imported where rows are made: importing torch takes as long as everything else here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
from imblearn.over_sampling.base import BaseOverSampler
from imblearn.utils import check_sampling_strategy
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted

from mgvae.arrays import Array
from mgvae.config.sections import Training
from mgvae.errors import TableError
from mgvae.reproducibility import numpy_generator
from mgvae.sampler.containers import append_labels, append_rows, as_table, read_labels
from mgvae.sampler.parameters import CONSTRAINTS, column_positions, group_codes, layer_widths, training_settings
from mgvae.sampler.progress import TrainingProgress
from mgvae.sampler.remarks import check_columns, check_rows
from mgvae.sampler.rules import known_rules, stated_rules, table_rules
from mgvae.sampler.table_types import TableTypes, restore_categories

DEFAULTS = Training()


class MGVAEOverSampler(BaseOverSampler):  # type: ignore[misc]
    """Over-sample rare classes with translations of majority rows by an MGVAE.

    Takes DataFrames with numbers, booleans, categories, text, nullable and Arrow types, dates and missing cells, as well as
    arrays, SciPy sparse matrices (made dense) and lists. Returns the rows it was given, unchanged, and the synthetic rows after
    them, with the same columns, dtypes and categories; missing cells are learned and generated.

    Args:
        sampling_strategy: as in imbalanced-learn; "auto" brings every class to the size of the largest.
        categorical_features: "infer" treats booleans, categories, text and objects (unless they are numbers) as levels; or the
            names, positions or a mask of the columns to treat so whatever their dtype.
        latent_dim: D, the size of a code.
        hidden: width of each hidden layer. This and the other parameters of training are fields of
            `mgvae.config.sections.Training`, which has their defaults; ``epochs`` is its ``pretrain_epochs``.
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
        rules: between columns, which the rows made keep, such as ``["dbp <= sbp", "cigarettes > 0 implies smoker == yes"]``;
            see `mgvae.config.rules.Rule`. What it took stands among the remarks of ``history_``.
        random_state: seed, or a numpy RandomState. The same seed gives the same rows on the same machine; None draws the seed
            from numpy's global stream, as in scikit-learn.
        device: "auto", "cpu" or "cuda".
        verbose: whether progress is shown on stderr.

    Attributes:
        sampling_strategy_: label -> rows made.
        sample_parent_indices_: position in ``X`` of the row that each synthetic row was translated from, ``(n_made,)``.
        history_: "pretrain" -> epochs, held-out ELBO (nats per row) and remarks, such as that groups were too few to hold out;
            "finetune" -> label -> the same and ``ewc_lambda``.
        n_features_in_: columns of ``X``.
        feature_names_in_: their names, where all are text.
        classes_: the labels, sorted.

    Source: Ai et al. 2023, arXiv:2302.10910.

    >>> from mgvae import MGVAEOverSampler
    >>> X_resampled, y_resampled = MGVAEOverSampler(random_state=0).fit_resample(X, y)  # doctest: +SKIP
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseOverSampler._parameter_constraints,
        **CONSTRAINTS,
    }

    def __init__(
        self,
        sampling_strategy: Any = "auto",
        *,
        categorical_features: Any = "infer",
        latent_dim: int = DEFAULTS.latent_dim,
        hidden: Sequence[int] = DEFAULTS.hidden,
        epochs: int | Literal["auto"] = DEFAULTS.pretrain_epochs,
        finetune_epochs: int = DEFAULTS.finetune_epochs,
        ewc_lambda: float | Literal["auto"] = DEFAULTS.ewc_lambda,
        exemplar_weights: Literal["tilted", "uniform"] = DEFAULTS.exemplar_weights,
        plausibility: Literal["matched", "stacked", "filtered", "none"] = DEFAULTS.plausibility,
        pretraining: bool = True,
        leave_one_out: bool = DEFAULTS.leave_one_out,
        posterior_variance: Literal["free", "tied"] = DEFAULTS.posterior_variance,
        learning_rate: float = DEFAULTS.learning_rate,
        finetune_learning_rate: float = DEFAULTS.finetune_learning_rate,
        batch_size: int = DEFAULTS.batch_size,
        exemplars: int | Literal["all"] = DEFAULTS.exemplars,
        rules: Sequence[Any] | None = None,
        random_state: Any = None,
        device: Literal["auto", "cpu", "cuda"] = DEFAULTS.device,
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
        self.rules = rules
        self.random_state = random_state
        self.device = device
        self.verbose = verbose

    def fit_resample(self, X: Any, y: Any, *, groups: Any = None) -> tuple[Any, Any]:
        """Return ``X`` and ``y`` with synthetic rows after their own.

        Args:
            X: table, ``(N, P)``.
            y: labels of two classes or more, of any type, ``(N,)``; or one column per class.
            groups: group of each row, ``(N,)``, such as its family or patient; no inner split divides a group.
        Raises:
            ValueError: a parameter, the table or the labels cannot be used; the message says what must hold.
        """
        table, code, one_hot = self._check(X, y, groups)
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        made, at, parents = self._fit_resample(table, code, group=group_codes(groups, len(table)), seed=seed)
        self.sample_parent_indices_ = parents
        asked = getattr(self, "_sklearn_output_config", {}).get("transform")
        framed = asked == "pandas" and not isinstance(X, pd.DataFrame)
        given = as_table(X).set_axis(self.get_feature_names_out(), axis=1) if framed else X
        out = append_rows(given, made, parents)
        return out, append_labels(y, self.classes_[at], parents, one_hot=one_hot)

    def fit(self, X: Any, y: Any) -> MGVAEOverSampler:
        """Check the input and set ``sampling_strategy_``; `fit_resample` makes rows."""
        self._check(X, y, None)
        return self

    def sample(self, X: Any, n: int, *, label: Any = None, random_state: Any = None) -> tuple[pd.DataFrame, Array]:
        """Return further synthetic rows and the position of each row's parent in ``X``.

        Works on a loaded sampler, too, which holds no patient's row: the majority comes from ``X``. The choice of plausible
        translations is the linear part of what it was in training. A level of text, categories or objects that fewer than 5
        training rows have is never made: its name is not kept, a frequent one is drawn instead.

        Args:
            X: rows of the majority, with the columns of the training table, ``(K, P)``.
            n: rows to make.
            label: the class to make; by default the rarest that was filled up.
            random_state: seed; by default the sampler's own.
        Returns:
            Rows ``(n, P)`` and positions ``(n,)``.
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
        from mgvae.sampler.per_class import make_further_rows

        typed, rules = self.table_types_.to_typed(as_table(X)), known_rules(self.rules, self.table_types_)
        made = make_further_rows(self.translators_[label], self.encoding_, typed, n, seed=seed, rules=rules)
        out = self.table_types_.to_user(made.features, numpy_generator(seed, "restore"))
        return restore_categories(out, X) if isinstance(X, pd.DataFrame) else out, made.parent

    def save(self, path: str | Path) -> Path:
        """Write the sampler into the folder ``path``, without any patient's row.

        Raises:
            CheckpointError: the folder holds something else, or cannot be written.
        """
        check_is_fitted(self, "translators_")
        from mgvae.sampler.persistence import FittedState, write_state

        state = FittedState(
            parameters=self.get_params(deep=False),
            sampling_strategy=self.sampling_strategy_,
            classes=self.classes_,
            history=self.history_,
            n_features_in=self.n_features_in_,
            feature_names_in=getattr(self, "feature_names_in_", None),
            encoding=self.encoding_,
            table_types=self.table_types_,
            translators=self.translators_,
        )
        return write_state(state, Path(path))

    @classmethod
    def load(cls, path: str | Path) -> MGVAEOverSampler:
        """Return the sampler that `save` wrote.

        Raises:
            CheckpointError: a file is missing, unreadable or of another version.
        """
        from mgvae.sampler.persistence import read_state

        state = read_state(Path(path), known_parameters=cls().get_params())
        sampler = cls(**state.parameters)
        for name, value in vars(state).items():
            if name != "parameters" and value is not None:
                setattr(sampler, f"{name}_", value)
        return sampler

    def set_output(self, *, transform: Literal["default", "pandas"] | None = None) -> MGVAEOverSampler:
        """Let `fit_resample` return arrays as such ("default") or as frames ("pandas")."""
        if transform not in (None, "default", "pandas"):
            raise ValueError(f"transform must be 'default', 'pandas' or None; got {transform!r}.")
        if transform is not None:
            self._sklearn_output_config = {"transform": transform}
        return self

    def _check(self, X: Any, y: Any, groups: Any) -> tuple[pd.DataFrame, Array, int]:
        """Return the table, a class number per row, and the columns of a one-hot ``y``."""
        self._validate_params()
        layer_widths(self.hidden)
        stated_rules(self.rules)
        labels, one_hot = read_labels(y)
        table = as_table(X)
        check_consistent_length(table, labels, groups)
        self._set_feature_names(X, table.shape[1])
        self.sampling_strategy_ = dict(check_sampling_strategy(self.sampling_strategy, labels, self._sampling_type))
        self.classes_, code = np.unique(labels, return_inverse=True)
        return table, code, one_hot

    def _set_feature_names(self, X: Any, columns: int) -> None:
        """Set ``n_features_in_``, and ``feature_names_in_`` where all names are text."""
        self.n_features_in_ = columns
        if isinstance(X, pd.DataFrame) and all(isinstance(name, str) for name in X.columns):
            self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_

    def _fit_resample(self, table: pd.DataFrame, code: Array, *, group: Array, seed: int) -> tuple[pd.DataFrame, Array, Array]:
        """Return the rows made, in the user's dtypes, with class and parent of each."""
        from mgvae.sampler.per_class import Classes, oversample_classes

        types = TableTypes.fit(table, categorical=column_positions(self.categorical_features, table))
        check_columns(table, types)
        wanted = {at: int(self.sampling_strategy_.get(label, 0)) for at, label in enumerate(self.classes_)}
        labels = self.classes_.tolist()
        check_rows(labels, np.bincount(code), wanted)
        with TrainingProgress(enabled=self.verbose) as progress:
            result = oversample_classes(
                types.to_typed(table),
                types.columns,
                Classes(code, group, wanted),
                training_settings(self.get_params(deep=False)),
                pretraining=self.pretraining,
                seed=seed,
                progress=progress.start_phase,
                rules=table_rules(stated_rules(self.rules), types),
            )
        self.translators_ = {labels[at]: translator for at, translator in result.translators.items()}
        self.encoding_, self.table_types_ = result.encoding, types.suppress_rare()
        self.history_ = {"pretrain": result.pretrained, "finetune": {labels[at]: past for at, past in result.finetuned.items()}}
        draws = numpy_generator(seed, "restore")
        parts = [types.to_user(rows.features, draws) for rows in result.made.values()]
        made = pd.concat(parts, ignore_index=True) if parts else table.iloc[:0]
        return made, *result.classes_and_parents()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.categorical = True
        return tags

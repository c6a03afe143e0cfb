"""Labels of arms and classifiers for people."""

from __future__ import annotations

from mgvae.config.sections import Arm, Classifier

ARMS: dict[Arm, str] = {
    "none": "No correction",
    "class_weight": "Class weights",
    "threshold": "Threshold moving",
    "random_oversampling": "Random oversampling",
    "smote": "SMOTE",
    "vae": "VAE on cases",
    "mgvae_no_pretraining": "MGVAE, no pre-training",
    "mgvae_no_ewc": "MGVAE, no EWC",
    "mgvae": "MGVAE",
    "guided": "Majority-guided score",
}


class ClassifierNames(dict[str, str]):
    """Labels of classifiers; that of a user's own is its name in words."""

    def __missing__(self, name: str) -> str:
        """Return the label of a classifier that is not built in."""
        return name[:1].upper() + name[1:].replace("_", " ")


CLASSIFIERS = ClassifierNames(
    logistic_regression="Logistic regression",
    elastic_net="Elastic net",
    hist_gradient_boosting="Gradient boosting",
    random_forest="Random forest",
    mlp="Neural network",
    majority_guided="Majority-guided score",
    ensemble="Ensemble",
)


def model_name(arm: Arm, classifier: Classifier | None) -> str:
    """Return ``Random oversampling with logistic regression``."""
    return f"{ARMS[arm]} with {CLASSIFIERS[classifier].lower()}" if classifier else ARMS[arm]


def named(arm: Arm, classifier: Classifier) -> str:
    """Return ``random oversampling with logistic regression``, as it stands inside a sentence."""
    name = model_name(arm, classifier)
    return name if name[1].isupper() else name[0].lower() + name[1:]

"""The section `studies` of cohort.yaml: several questions put to one configuration.

Each study is the rest of cohort.yaml, changed by its own keys: a mapping is merged key by key, anything else replaces. An
outcome of another column or other events takes nothing from the common outcome that describes that one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgvae.config.reviews import open_reviews
from mgvae.config.study import CohortConfig
from mgvae.config.yaml_reader import read_yaml
from mgvae.errors import ConfigError, nearest, reason_of

MARK = "# Written by mgvae from"
PLAIN = re.compile("[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
RESERVED = ("latest", "champion")  # links in the folder of a study
FIXED = ("study", "studies")
ELSEWHERE = ("dictionary", "rules", "privacy", "source", "visits")  # keys of cohort.yaml that are no field of CohortConfig
OF_ONE_OUTCOME = ("label", "expected_prevalence", "event")


@dataclass(frozen=True)
class Studies:
    """The studies of a configuration.

    Attributes:
        name: what they are together: the key ``study``, also the folder of their runs.
        files: the configuration of each study, by its name.
    """

    name: str
    files: dict[str, Path]


def load_studies(cohort: Path) -> Studies | None:
    """Write each study of the section `studies` as a file of its own beside cohort.yaml; None where there is no section.

    The file ``<cohort>-<name>.yaml`` is a complete configuration, which every command takes.

    Raises:
        ConfigError: the section is wrong, or a file is in the way or cannot be written.
    """
    common = read_yaml(cohort)
    if not isinstance(common, dict) or "studies" not in common:
        return None
    asked = common.pop("studies")
    if not isinstance(asked, dict) or not asked or not all(isinstance(one, dict) for one in asked.values()):
        raise ConfigError(f"{cohort}: studies must give the keys of each study by its name: NAME: {{outcome: {{...}}}}.")
    if not PLAIN.fullmatch(str(common.get("study"))):
        raise ConfigError(
            f"{cohort}: study must name all studies together, in letters, digits, '-' and '_': it names a folder."
        )
    _check_names(cohort, list(asked))
    changed = {name: _changed(cohort, common, name, own) for name, own in asked.items()}
    _check_distinct(cohort, changed)
    files = {name: cohort.with_name(f"{cohort.stem}-{name}.yaml") for name in changed}
    for name, path in files.items():
        _write(path, cohort, changed[name])
    return Studies(str(common["study"]), files)


def check_outcomes(cohort: Path, configs: Mapping[str, CohortConfig]) -> None:
    """Check that no study predicts from what another one predicts: it lies after the index date.

    Raises:
        ConfigError: one does.
    """
    for name, config in configs.items():
        for other, predicted in configs.items():
            column = predicted.outcome.column
            if other != name and column in config.columns.features:
                raise ConfigError(
                    f"{cohort}: studies.{name} must not predict from '{column}', the outcome of studies.{other}; "
                    "give it the role 'excluded' in the data dictionary."
                )


def _check_names(cohort: Path, names: Sequence[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        if not PLAIN.fullmatch(name) or name.lower() in RESERVED:
            raise ConfigError(
                f"{cohort}: studies.{name}: a name must be 1 to 64 letters, digits, '-' or '_', beginning with a letter or "
                f"digit, and not {' or '.join(RESERVED)}: it names a folder."
            )
        if name.lower() in seen:
            raise ConfigError(
                f"{cohort}: studies.{name}: names must differ in more than capitals; there is {seen[name.lower()]}."
            )
        seen[name.lower()] = name


def _changed(cohort: Path, common: Mapping[str, Any], name: str, own: Mapping[str, Any]) -> dict[str, Any]:
    known = [*CohortConfig.model_fields, *ELSEWHERE]
    for key in own:
        if key in FIXED:
            raise ConfigError(f"{cohort}: studies.{name}.{key}: must stand at the top only; take it out here.")
        if key not in known:
            raise ConfigError(f"{cohort}: studies.{name}.{key}: unknown key.{nearest(key, known)}")
    title = common.get("title")
    titled = {"title": f"{title}: {name}"} if title is not None else {}
    return {**merged(common, {**titled, **own}), "study": name}


def merged(common: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``common`` with the changes in ``own``, see the module."""
    result = dict(common)
    for key, value in own.items():
        before = common.get(key)
        if not (isinstance(value, dict) and isinstance(before, dict)):
            result[key] = value
            continue
        if key == "outcome" and any(part in value and value[part] != before.get(part) for part in ("column", "events")):
            before = {part: one for part, one in before.items() if part not in OF_ONE_OUTCOME}
        result[key] = merged(before, value)
    return result


def _check_distinct(cohort: Path, changed: Mapping[str, Mapping[str, Any]]) -> None:
    seen: dict[str, str] = {}
    for name, values in changed.items():
        text = json.dumps({key: value for key, value in values.items() if key not in ("study", "title")}, sort_keys=True)
        if text in seen:
            raise ConfigError(f"{cohort}: studies.{name} and studies.{seen[text]} ask the same; remove one of them.")
        seen[text] = name


def _write(path: Path, cohort: Path, values: Mapping[str, Any]) -> None:
    """Write the configuration of a study as JSON, which is YAML too; leave a file that says the same."""
    head = f"{MARK} {cohort.name}; change that file.\n{open_reviews(cohort)}"
    text = f"{head}{json.dumps(values, indent=1, ensure_ascii=False)}\n"
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else None
        if before is not None and not before.startswith(MARK):
            raise ConfigError(f"{path}: must be free for the study of that name in {cohort.name}; rename one of the two.")
        if before != text:
            path.write_text(text, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"{path}: must be writable with space left; {reason}.") from None

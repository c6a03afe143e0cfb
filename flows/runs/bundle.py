"""What repeats a run, as a ZIP file of equal bytes: settings, dictionary, versions, seed, command; no patient data."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path

from ruamel.yaml import YAML

from flows.runs.folder import RunManifest, config_of
from mgvae.errors import StoreError
from mgvae.report.schema import Report

BEGINNING = (1980, 1, 1, 0, 0, 0)  # of ZIP's calendar: no time of day in the bytes
LOCK = Path(__file__).parents[2] / "requirements.lock"  # in a checkout; a wheel does not hold it


def bundle(run: Path, manifest: RunManifest, report: Report) -> bytes:
    """Return the bundle of a run as a ZIP file.

    Args:
        run: the run folder.
        manifest: of the run.
        report: of the run.
    Raises:
        StoreError: the run does not hold its settings, or they were changed.
    """
    config_of(run, manifest)  # the settings match their digest
    settings = dict(manifest.config or {})
    settings.pop("reviews", None)
    inline = settings.pop("columns", {})
    if not isinstance(inline, dict) or "columns" not in inline:
        raise StoreError(f"{run}: must hold its data dictionary; another version made it. Run the study again.")
    training = settings.get("training")
    if isinstance(training, dict) and "privacy" in training:  # it stands at the top of cohort.yaml
        settings["training"] = {key: value for key, value in training.items() if key != "privacy"}
        settings |= {"privacy": training["privacy"]} if training["privacy"] else {}
    settings = {"extract": "EXTRACT", "dictionary": "dictionary.yaml", **settings}
    files = {
        "README.md": _readme(report),
        "cohort.yaml": _yaml(settings),
        "dictionary.yaml": _yaml(inline),
        "requirements.txt": "".join(f"{n}=={v}\n" for n, v in sorted(report.lineage.versions.items()) if n != "python"),
        "lineage.json": report.lineage.model_dump_json(indent=2) + "\n",
    }
    if LOCK.is_file():
        files["requirements.lock"] = LOCK.read_text(encoding="utf-8")
    digests = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()}
    files["manifest.json"] = json.dumps(digests, indent=2, sort_keys=True) + "\n"
    return _zipped(files)


def _readme(report: Report) -> str:
    lineage = report.lineage
    return f"""# Run {report.run_id} of study {report.study}, to repeat

It holds no patient data: who repeats the run needs the extract (sha256 `{lineage.extract_sha256 or "unknown"}`).

- Code: mgvae-cohort {lineage.code_version}; Python {lineage.versions.get("python", "unknown")}; {lineage.machine}.
- Versions of the run: requirements.txt. requirements.lock, where it is here, is that of the installation that made this bundle.
- Seed: {lineage.seed}.

    pip install -r requirements.txt
    mgvae run cohort.yaml --extract PATH_OF_THE_EXTRACT --seed {lineage.seed}

The same code, extract, settings and seed give run id `{report.run_id}` where no other extract was accepted before. The digests
of stages are in lineage.json; other libraries or processors may change last digits, and with them the digests.
"""


def _yaml(content: object) -> str:
    text = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump(content, text)
    return text.getvalue()


def _zipped(files: dict[str, str]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:  # deflate differs between versions of zlib
        for name, text in sorted(files.items()):
            entry = zipfile.ZipInfo(name, BEGINNING)
            entry.create_system, entry.external_attr = 3, 0o600 << 16
            archive.writestr(entry, text)
    return made.getvalue()

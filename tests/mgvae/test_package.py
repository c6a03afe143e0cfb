"""The package's own surface: the sampler, the version, and their types."""

from __future__ import annotations

import ast
import importlib.metadata

import pytest

import mgvae
from tests.paths import ROOT


def test_the_version_is_that_of_the_installation(monkeypatch):
    assert mgvae.__version__ == importlib.metadata.version("mgvae-cohort")

    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    assert mgvae.__version__ == "0"


def test_public_names_exist_and_are_typed():
    assert all(getattr(mgvae, name) is not None for name in mgvae.__all__)
    stub = ast.parse((ROOT / "mgvae" / "__init__.pyi").read_text(encoding="utf-8"))
    imported = {alias.asname for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert imported | {node.target.id for node in stub.body if isinstance(node, ast.AnnAssign)} == set(mgvae.__all__)
    assert (ROOT / "mgvae" / "py.typed").is_file()


def test_other_names_do_not_exist():
    with pytest.raises(AttributeError, match="module 'mgvae' has no attribute 'bogus'"):
        mgvae.bogus  # noqa: B018

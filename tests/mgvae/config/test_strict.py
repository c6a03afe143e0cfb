"""Strict configuration: an unknown key names the nearest known one, and each error is a sentence."""

from __future__ import annotations

import pytest
from pydantic import Field

from mgvae.config.strict import Strict, build
from mgvae.errors import ConfigError, nearest


class Inner(Strict):
    latent_dim: int = Field(default=10, ge=1)


class Outer(Strict):
    name: str
    training: Inner = Inner()
    parts: dict[str, Inner] = Field(default_factory=dict)
    maybe: Inner | None = None


def message(values):
    with pytest.raises(ConfigError) as caught:
        build(Outer, values, source="cohort.yaml")
    return str(caught.value)


def test_a_good_mapping():
    got = build(Outer, {"name": "a", "training": {"latent_dim": 3}}, source="cohort.yaml")
    assert (got.name, got.training.latent_dim) == ("a", 3)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"nam": "a", "name": "a"}, "nam: unknown key. Did you mean 'name'?"),
        ({"name": "a", "training": {"latent_dims": 3}}, "training.latent_dims: unknown key. Did you mean 'latent_dim'?"),
        ({"name": "a", "parts": {"x": {"latentdim": 3}}}, "parts.x.latentdim: unknown key. Did you mean 'latent_dim'?"),
        ({"name": "a", "maybe": {"latent": 3}}, "maybe.latent: unknown key. Did you mean 'latent_dim'?"),
        ({"name": "a", "zzz": 1}, "zzz: unknown key. Known keys: maybe, name, parts, training."),
        ({}, "name: this key is required; add it."),
        (
            {"name": "a", "training": {"latent_dim": 0}},
            "training.latent_dim: Input should be greater than or equal to 1 (got 0)",
        ),
        ({"name": "a", "training": {"latent_dim": "many"}}, "(got 'many')"),
    ],
)
def test_each_mistake_is_a_sentence(values, sentence):
    text = message(values)
    assert text.startswith("cohort.yaml is not usable:\n  ")
    assert sentence in text


def test_all_mistakes_are_told_at_once():
    text = message({"nme": "a", "training": {"latent_dim": -1}})
    assert len(text.splitlines()) == 4  # the head, the unknown key, the missing one, the range


@pytest.mark.parametrize(("values", "got"), [([1], "list"), ("text", "str"), (None, "NoneType")])
def test_something_else_than_a_mapping(values, got):
    assert message(values) == f"cohort.yaml: must be a mapping of keys to values; got {got}."


def test_models_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        Inner().latent_dim = 4


@pytest.mark.parametrize(("word", "hint"), [("latent_dmi", " Did you mean 'latent_dim'?"), ("qqq", "")])
def test_nearest(word, hint):
    assert nearest(word, ["latent_dim", "hidden"]) == hint

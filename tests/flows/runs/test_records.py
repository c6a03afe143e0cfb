"""The key of a stage: the same exactly where its content is; a record that cannot be used is forgotten."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.runs.records import forget_if_unusable, records
from flows.study.cache_key import stage_key
from mgvae.errors import StoreError
from mgvae.store.artifact import Reference, digest
from mgvae.store.local import Store

SAME = {
    "stage": "pretrain",
    "code": "c0de",
    "parameters": {"seed": 0, "training": {"hidden": [16, 16], "latent_dim": 3}},
    "inputs": {"split": Reference("split", "a" * 64), "encode": Reference("encode", "b" * 64)},
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def key(**changes):
    return stage_key(**(SAME | changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"stage": "finetune"},
        {"code": "c0dd"},
        {"parameters": SAME["parameters"] | {"seed": 1}},
        {"parameters": {"seed": 0, "training": {"hidden": [16, 16], "latent_dim": 4}}},
        {"parameters": {"seed": 0, "training": {"hidden": [16], "latent_dim": 3}}},
        {"parameters": SAME["parameters"] | {"more": None}},
        {"inputs": SAME["inputs"] | {"encode": Reference("encode", "c" * 64)}},
        {"inputs": {"split": SAME["inputs"]["split"]}},
        {"inputs": {"split": SAME["inputs"]["encode"], "encode": SAME["inputs"]["split"]}},
    ],
    ids=str,
)
def test_whatever_changes_the_content_changes_the_key(changes):
    assert key(**changes) != key()


def test_the_order_of_keys_does_not_matter():
    reversed_parameters = {
        "training": dict(reversed(SAME["parameters"]["training"].items())),
        "seed": 0,
    }
    assert key(parameters=reversed_parameters, inputs=dict(reversed(SAME["inputs"].items()))) == key()


def test_the_key_names_its_stage_and_is_a_plain_file_name():
    assert key().startswith("pretrain-")
    assert "/" not in key()


@given(st.dictionaries(st.text(), JSON).flatmap(lambda one: st.tuples(st.just(one), st.permutations(list(one.items())))))
def test_digest_ignores_order_only(both):
    content, shuffled = both
    assert digest(dict(shuffled)) == digest(content) == digest(json.loads(json.dumps(content)))
    assert digest({**content, "\0": 1}) != digest({**content, "\0": 2})


@given(JSON, JSON)
def test_digest_tells_contents_apart(one, other):
    assert (digest(one) == digest(other)) == (json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True))


def test_no_number_that_json_lacks():
    with pytest.raises(ValueError, match="JSON"):
        digest({"value": float("nan")})


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def kept(store):
    """An artifact with its record, as Prefect writes it."""
    reference = store.save("split", lambda folder: (folder / "a").write_bytes(b"patients"), about={})
    write_record(store, json.dumps({"metadata": {}, "result": json.dumps(reference.to_json())}).encode())
    return reference


def write_record(store, content):
    records(store).mkdir(parents=True, exist_ok=True)
    (records(store) / "split-1").write_bytes(content)


def test_a_sound_record_stays(store, kept):
    assert forget_if_unusable(store, "split-1") is None
    assert (records(store) / "split-1").exists()
    assert store.folder(kept)


def test_no_record_is_no_trouble(store):
    assert forget_if_unusable(store, "split-1") is None


def test_a_missing_artifact_is_named_and_forgotten(store, kept):
    store.discard(kept)
    assert f"Artifact split {kept.sha256[:12]} is not in the store" in forget_if_unusable(store, "split-1")
    assert not (records(store) / "split-1").exists()


def test_a_damaged_artifact_is_named_forgotten_and_removed(store, kept):
    (store.folder(kept) / "a").write_bytes(b"patienXs")
    assert f"Artifact split {kept.sha256[:12]} is damaged" in forget_if_unusable(store, "split-1")
    assert not (records(store) / "split-1").exists()
    with pytest.raises(StoreError, match="is not in the store"):
        store.folder(kept)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b"null",
        b"[]",
        b"{}",
        b'{"result": 3}',
        b'{"result": "{"}',
        b'{"result": "[]"}',
        b'{"result": "{\\"kind\\": \\"split\\"}"}',
        b'{"result": "{\\"kind\\": \\"split\\", \\"sha256\\": \\"../../x\\"}"}',
        b'{"result": "{\\"kind\\": \\"split\\", \\"sha256\\": 5}"}',
    ],
)
def test_a_record_that_cannot_be_read_is_forgotten(store, kept, content):
    write_record(store, content)
    assert forget_if_unusable(store, "split-1")
    assert not (records(store) / "split-1").exists()
    assert store.folder(kept)


def test_a_record_that_is_no_file(store):
    (records(store) / "split-1").mkdir(parents=True)
    with pytest.raises(StoreError, match=r"records in .* must be readable; Is a directory"):
        forget_if_unusable(store, "split-1")


def test_a_store_below_a_file_has_no_records(tmp_path):
    (tmp_path / "file").write_text("")
    assert forget_if_unusable(Store(tmp_path / "file" / "store"), "split-1") is None

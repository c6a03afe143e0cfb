"""The key of a stage: the same exactly where its content is; a record that cannot be used is removed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.runs.records import all_records, look_up, read_record, remove_record, write_record
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
    """An artifact with its record."""
    reference = store.save("split", lambda folder: (folder / "a").write_bytes(b"patients"), about={})
    write_record(store, "split-1", reference)
    return reference


def file_of(store):
    return store.root / "records" / "split-1"


def test_a_sound_record_stays(store, kept):
    before = file_of(store).stat().st_mtime_ns
    assert look_up(store, "split-1") == (kept, None)
    write_record(store, "split-1", kept)
    assert json.loads(file_of(store).read_bytes()) == {"kind": "split", "sha256": kept.sha256}
    assert file_of(store).stat().st_mtime_ns == before
    assert all_records(store) == {"split-1": kept.sha256}
    remove_record(store, "split-1")
    assert look_up(store, "split-1") == (None, None)
    assert store.folder(kept)


def in_the_form_of_earlier_versions(reference):
    return json.dumps({"metadata": {"prefect_version": "3.8.8"}, "result": json.dumps(reference.to_json())}).encode()


def test_a_record_that_prefect_wrote_is_read_and_written_anew(store, kept):
    file_of(store).write_bytes(in_the_form_of_earlier_versions(kept))
    assert all_records(store) == {"split-1": kept.sha256}
    assert read_record(store, "split-1") == kept
    assert look_up(store, "split-1") == (kept, None)
    assert json.loads(file_of(store).read_bytes()) == kept.to_json()


def test_a_record_that_prefect_wrote_serves_a_store_that_may_only_be_read(store, kept, monkeypatch):
    old = in_the_form_of_earlier_versions(kept)
    file_of(store).write_bytes(old)

    def refuse(*arguments):
        raise StoreError("must be writable")

    monkeypatch.setattr(store, "write_note", refuse)
    assert look_up(store, "split-1") == (kept, None)
    assert file_of(store).read_bytes() == old


def test_no_record_is_no_trouble(store):
    assert look_up(store, "split-1") == (None, None)
    assert all_records(store) == {}


def test_a_missing_artifact_is_named_and_forgotten(store, kept):
    store.discard(kept)
    assert f"Artifact split {kept.sha256[:12]} is not in the store" in look_up(store, "split-1")[1]
    assert not file_of(store).exists()


def test_a_damaged_artifact_is_named_forgotten_and_removed(store, kept):
    (store.folder(kept) / "a").write_bytes(b"patienXs")
    assert f"Artifact split {kept.sha256[:12]} is damaged" in look_up(store, "split-1")[1]
    assert not file_of(store).exists()
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
        b'{"kind": "split"}',
        b'{"kind": "split", "sha256": "../../x"}',
        b'{"kind": "split", "sha256": 5}',
        b'{"result": 3}',
        b'{"result": "{"}',
        b'{"result": "[]"}',
        b'{"result": "{\\"kind\\": \\"split\\"}"}',
        b'{"result": "{\\"kind\\": \\"split\\", \\"sha256\\": \\"../../x\\"}"}',
        b'{"result": "{\\"kind\\": \\"split\\", \\"sha256\\": 5}"}',
    ],
)
def test_a_record_that_cannot_be_read_is_forgotten(store, kept, content):
    file_of(store).write_bytes(content)
    assert all_records(store) == {}
    assert look_up(store, "split-1") == (None, "The record of stage split-1 cannot be read.")
    assert not file_of(store).exists()
    assert store.folder(kept)


def test_a_record_that_is_no_file(store):
    file_of(store).mkdir(parents=True)
    with pytest.raises(StoreError, match=r"records in .* must be readable; Is a directory"):
        look_up(store, "split-1")


def test_a_store_below_a_file_has_no_records(tmp_path):
    (tmp_path / "file").write_text("")
    assert look_up(Store(tmp_path / "file" / "store"), "split-1") == (None, None)

"""YAML read strictly: text stays text, keys are given once, and whatever the file holds, there is one clear error."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgvae.config.yaml_reader import parse_yaml, read_yaml
from mgvae.errors import ConfigError

TEXTS = (
    *("no", "NO", "yes", "Yes", "on", "off", "y", "n", "010", "00", "-007", "00.5", "1900-01-01", "2024-02-29 12:30:00"),
    *("12:30:00", "1:30", "0o7", "0x1F", "0b1", "1_000", "NaN", "inf", "1e999", "1e", "+", ".", "=", "<", "b?"),
)


def read(text):
    return parse_yaml(text, source="cohort.yaml")


def message(text):
    with pytest.raises(ConfigError) as caught:
        read(text)
    return str(caught.value)


@pytest.mark.parametrize("text", TEXTS)
def test_what_looks_like_text_is_text(text):
    assert read(f"a: {text}") == {"a": text}
    assert read(f"[x, {text}]") == ["x", text]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-3", -3),
        ("0", 0),
        ("9007199254740993", 9007199254740993),
        (str(10**30 + 1), 10**30 + 1),
        ("0.5", 0.5),
        ("5.", 5.0),
        ("-.5", -0.5),
        ("1e3", 1000.0),
        ("4E-3", 0.004),
        (".inf", float("inf")),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("'3'", "3"),
        ('"true"', "true"),
        ("!!str 3", "3"),
    ],
)
def test_numbers_booleans_and_null_are_typed(text, value):
    found = read(f"a: {text}")["a"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("key", [*TEXTS, "1", "1.50", "true", "null", "~"])
def test_a_key_is_text_as_it_stands(key):
    assert list(read(f"{key}: 1")) == [key]


@pytest.mark.parametrize(
    ("text", "key", "lines"),
    [
        ("seed: 1\nstudy: x\nseed: 2\n", "seed", (1, 3)),
        ("a: {b: 1, b: 1}", "b", (1, 1)),
        ("columns:\n  sex: {role: excluded}\n  age:\n    kind: count\n  'sex': {}\n", "sex", (2, 5)),
        ("1: a\n'1': b\n", "1", (1, 2)),
        ("<<: {a: 1}\n<<: {b: 1}\n", "<<", (1, 2)),
    ],
)
def test_a_key_given_twice_is_an_error_that_names_both_lines(text, key, lines):
    first, second = lines
    assert message(text) == (
        f"cohort.yaml, line {second}: each key must be given once; '{key}' is in line {first} too. Remove one of the two."
    )


def test_an_alias_repeats_and_a_merge_key_fills_in():
    text = "a: &x {k: 1, l: [2]}\nb: &y {k: 3, m: 4}\nc: {<<: [*x, *y], m: 5}\nd: *x\ne: {k: 9, <<: *x}\n"
    x = {"k": 1, "l": [2]}
    expected = {"a": x, "b": {"k": 3, "m": 4}, "c": {"k": 1, "l": [2], "m": 5}, "d": x, "e": {"k": 9, "l": [2]}}
    assert read(text) == expected
    assert read("'<<': {a: 1}") == {"<<": {"a": 1}}


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 40)
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\n---\nb: 2\n", ", line 2: must hold one YAML document; a second one begins. Remove it, or the line '---'."),
        ("a: !!python/object/apply:os.system ['true']", ", line 1: must be YAML without tags. Remove the word"),
        ("a: !!int '3'", ", line 1: must be YAML without tags."),
        ("a: !vault x", ", line 1: must be YAML without tags."),
        ("a: *b", ", line 1: the name after '*' must be defined before it with '&'. Put text into quotes."),
        ("&a [*a]", ", line 1: the name after '*' must be defined before it"),
        ("<<: 3", ", line 1: the key << must name a mapping, or a list of them. Put it into quotes if it is text."),
        ("a: {{ name }}", ", line 1: a key must be text; it is a list or a mapping. Put text into quotes."),
        ("a: &b c\n*b : 1", ", line 2: a key must be text; it is an alias. Write the text itself."),
        ("[" * 100_000, ", line 1: must be YAML of at most 50 levels; it is nested deeper. Look for brackets left open."),
        ("- " * 100_000, ", line 1: must be YAML of at most 50 levels"),
        ("{a: " * 100_000, ", line 1: must be YAML of at most 50 levels"),
        (BOMB, ", line 6: must hold at most 1,000,000 values, those of aliases included. Use fewer."),
        ("a: 1\nb: [1, 2\nc: 3\n", ", line 3: must be YAML; "),
        ("a: b: c\n", ", line 1: must be YAML; mapping values are not allowed here."),
        ("a: \x00\n", ": must be YAML; it cannot be parsed."),
        ('a: "\\ud83d"', ", line 1: an escape such as \\ud83d is half a character. Write the character itself."),
        ('"\\UFFFFFFFF"', ": must be YAML; it cannot be parsed."),
    ],
    ids=range(18),
)
def test_what_is_not_accepted_is_one_clear_error(text, expected):
    assert message(text).startswith(f"cohort.yaml{expected}")


@given(st.text(st.sampled_from("ab01.-:?*&!<>|%@'\"#{}[], \n\t\\~=_\ufeff"), max_size=40) | st.text(max_size=40))
def test_any_text_is_read_or_refused(text):
    with suppress(ConfigError):
        read(text)


def test_a_file(tmp_path):
    path = tmp_path / "cohort.yaml"
    path.write_text("name: größe\n", encoding="utf-8")
    assert read_yaml(path) == {"name": "größe"}
    path.write_bytes(b"name: gr\xf6\xdfe\n")
    with pytest.raises(ConfigError, match=r"cohort.yaml: must be UTF-8 text. Save it as UTF-8\."):
        read_yaml(path)
    path.write_bytes(b"a: b: c\n")
    with pytest.raises(ConfigError, match=r"cohort.yaml, line 1: must be YAML"):
        read_yaml(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(ConfigError, match=r"absent.yaml: no such file. Give the path of an existing file."):
        read_yaml(tmp_path / "absent.yaml")


def test_a_folder(tmp_path):
    with pytest.raises(ConfigError, match="must be a readable file; Is a directory"):
        read_yaml(tmp_path)

"""Rules between columns in the data dictionary: what may be said, and that a mistake is a sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgvae.config.dictionary import Dictionary, read_dictionary
from mgvae.config.expression import LONGEST, parse
from mgvae.config.strict import build
from mgvae.config.study import CohortConfig, load_config
from mgvae.errors import ConfigError

COLUMNS = {
    "dbp": {"kind": "continuous"},
    "sbp": {"kind": "continuous"},
    "cigarettes": {"kind": "count"},
    "smoker": {"kind": "binary", "categories": ["no", "yes"]},
    "flag": {"kind": "binary"},
    "nyha": {"kind": "ordinal", "categories": ["I", "II", "III"]},
    "grade": {"kind": "categorical", "categories": [1, 2, 3]},
    "A1C result (%)": {"kind": "continuous"},
    "in": {"kind": "count"},
    "missing": {"kind": "count"},
    "admitted": {"kind": "date"},
    "left": {"kind": "date"},
    "note": {"kind": "categorical", "categories": ["a b", "sbp", "true"]},
    "name": {"role": "identifier"},
}


def dictionary(*rules):
    return build(Dictionary, {"columns": COLUMNS, "rules": list(rules)}, source="dictionary.yaml")


@pytest.mark.parametrize(
    "rule",
    [
        "dbp <= sbp",
        "0 < dbp < sbp",
        "cigarettes > 0 implies smoker == yes",
        "not smoker == yes or cigarettes >= 1 and flag == true",
        "cigarettes + `in` == 2 * missing - 1.5e0",
        "nyha > I implies grade in (1, 3)",
        "note not in ('a b', 'sbp')",
        "'a b' == note",
        "`A1C result (%)` <= 20",
        "missing(cigarettes) implies smoker == 'no'",
        "admitted <= left",
        "left - admitted <= 30",
        "admitted + 1 < left",
        "-dbp < 007",
        {"rule": "dbp + sbp == cigarettes", "tolerance": 0.5, "max_broken": 0.01},
        {"missing_together": ["dbp", "sbp", "name"]},
    ],
)
def test_what_may_be_said(rule):
    (found,) = dictionary(rule).rules
    again = dictionary(found.model_dump(exclude_unset=True)).rules
    assert again == (found,)  # what `load_config` passes on
    assert dictionary(found.model_dump(mode="json")).rules[0].text == found.text  # what a manifest holds


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("dpb <= sbp", r"rule 'dpb <= sbp' must name columns of the data dictionary; it has no 'dpb'. Did you mean 'dbp'\?"),
        ("smoker == ye", r"must compare 'smoker' with one of its 2 levels; 'ye' is none. Did you mean 'yes'\?"),
        ("grade == 4", "must compare 'grade' with one of its 3 levels; '4' is none"),
        ("dbp = sbp", "must compare with ==, not with =; got '= sbp'"),
        ("dbp / sbp > 1", "must use [+] - [*] alone; multiply both sides"),
        ("smoker < yes", "must compare 'smoker' with == or !=: its kind is binary"),
        ("note == smoker", "must compare columns that share levels"),
        ("nyha < smoker", "must compare 'nyha' and 'smoker' with == or !="),
        ("smoker + 1 == 2", "must calculate with numbers; the levels of 'smoker' are text"),
        ("admitted > 5", "must compare a date with another date column"),
        ("admitted + left > dbp", "must add days to a date"),
        ("5 - admitted == left", "must add days to a date"),
        ("smoker", "must compare something: 'smoker == yes', not 'smoker'"),
        ("dbp == 'high'", "must compare numbers with numbers; got the text 'high'"),
        ("name == a", "must know the levels of 'name'"),
        ("smoker == 'yes", "must close what it opens with a quote"),
        ("dbp <= sbp implies flag == 1 implies flag == 0", "must say 'implies' at most once"),
        ("implies smoker == yes", "must be a condition such as"),
        ("", "must be a condition such as"),
        ("dbp is sbp", "must be a condition such as"),
        ("missing(1)", r"must give brackets to missing\(COLUMN\) alone"),
        ("dbp(sbp) > 1", "must be a condition|must compare|must give brackets"),
        ("dbp < (sbp > 1)", "must compare columns, levels, numbers"),
        ("dbp < 1e999", "must compare columns, levels, numbers"),
        ("__import__('os')", r"must give brackets to missing\(COLUMN\) alone"),
        ("(" * 300, "must be a condition such as"),
        ("-" * 480 + "dbp < 1", "nested that deeply|must be a condition|calculate"),
        ("dbp < 1 or " * LONGEST, "must have at most 500 characters"),
        ({"rule": "dbp < sbp", "missing_together": ["dbp", "sbp"]}, "must have either 'rule' or 'missing_together'"),
        ({"tolerance": 1}, "must have either 'rule' or 'missing_together'"),
        ({"missing_together": ["dbp"]}, "must name at least two columns, each once"),
        ({"missing_together": ["dbp", "dbp"]}, "must name at least two columns, each once"),
        ({"missing_together": ["dbp", "spb"]}, r"it has no 'spb'. Did you mean 'sbp'\?"),
        ({"rule": "dbp < sbp", "max_broken": 1}, "max_broken: Input should be less than 1"),
        ({"rule": "dbp < sbp", "tolerence": 1}, r"tolerence: unknown key. Did you mean 'tolerance'\?"),
        (["dbp < sbp"], "Input should be a valid dictionary"),
    ],
)
def test_each_mistake_is_a_sentence(rule, words):
    if rule == "-" * 480 + "dbp < 1":
        dictionary(rule)  # deep, and still a number
        return
    with pytest.raises(ConfigError, match=words):
        dictionary(rule)


def test_letters_that_look_alike_are_alike():
    columns = {"größe": {"kind": "count"}, "µ": {"kind": "categorical", "categories": ["Café", "b"]}}
    for text in ("gro\u0308ße > 0", "`gro\u0308ße` > 0", "µ == Cafe\u0301", "`µ` == 'Café'"):
        build(Dictionary, {"columns": columns, "rules": [text]}, source="dictionary.yaml")


def test_a_rule_that_is_stated_twice():
    with pytest.raises(ConfigError, match="'dbp <= sbp' stands there twice"):
        dictionary("dbp <= sbp", "dbp <= sbp ")


@given(st.text(max_size=60))
def test_any_text_is_a_condition_or_a_sentence(text):
    try:
        parse(text)
    except ValueError as error:
        sentence = str(error)
    else:
        sentence = "must not fail"
    assert sentence.startswith("must ")


def test_rules_stand_in_the_dictionary_or_beside_inline_columns(tmp_path):
    (tmp_path / "dictionary.yaml").write_text(
        "columns:\n  a: {kind: count}\n  b: {kind: count}\n  died: {kind: binary, role: excluded}\n"
        "rules:\n  - a <= b\n  - {rule: died == 1 implies a > 0, max_broken: 0.5}\n  - missing_together: [a, b]\n"
    )
    head = "study: s\nextract: e.csv\nsubject_id: null\noutcome: {column: died}\n"
    (tmp_path / "file.yaml").write_text(head + "dictionary: dictionary.yaml\n")
    (tmp_path / "inline.yaml").write_text(head + (tmp_path / "dictionary.yaml").read_text())
    named, inline = (load_config(tmp_path / name) for name in ("file.yaml", "inline.yaml"))
    assert named == inline
    assert [rule.text for rule in named.columns.rules] == ["a <= b", "died == 1 implies a > 0", "missing together: a, b"]
    assert read_dictionary(tmp_path / "dictionary.yaml").rules == named.columns.rules


def test_rules_beside_a_dictionary_file(tmp_path):
    (tmp_path / "dictionary.yaml").write_text("columns:\n  a: {kind: count}\n")
    (tmp_path / "cohort.yaml").write_text(
        "study: s\nextract: e\nsubject_id: null\ndictionary: dictionary.yaml\nrules: [a > 0]\n"
    )
    with pytest.raises(ConfigError, match=r"'rules' must stand in the data dictionary, dictionary\.yaml; move"):
        load_config(tmp_path / "cohort.yaml")


def test_a_rule_names_columns_that_are_read():
    columns = {"a": {"kind": "count"}, "later": {"kind": "count", "role": "excluded"}, "died": {"role": "excluded"}}
    values = {"study": "s", "extract": "e", "subject_id": None, "outcome": {"column": "died"}}
    with pytest.raises(ConfigError, match="the role of 'later' is excluded, and its cells are not read"):
        build(CohortConfig, {**values, "columns": {"columns": columns, "rules": ["a <= later"]}}, source="cohort.yaml")

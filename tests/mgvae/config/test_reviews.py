"""Open review lines are counted in both files, change the run, and can be refused."""

import pytest
from ruamel.yaml import YAML

from mgvae.config.reviews import CONFIRM, Reviews, count_reviews, open_lines
from mgvae.config.study import load_config
from mgvae.errors import ConfigError
from tests.flows.simulated_study import study


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a: 1", []),
        ("# review: a", [1]),
        ("a: 1\nb: 2  # review: x  # review: y\n    # review: z", [2, 3]),
        ("# Look at each line that says review.\n# reviewed: by us\n#review: no", []),
        ("a: x# review: part of the text", []),
    ],
)
def test_which_lines_are_open(text, lines):
    assert list(open_lines(text)) == lines


def test_what_is_unconfirmed():
    assert count_reviews(["# review: a", f"x: 1  # review: {CONFIRM}, then"]) == Reviews(open=2, unconfirmed=True)
    assert count_reviews(["# review: a"]) == Reviews(open=1)


def write(folder, *, reviews=True):
    content = study()
    columns = content.pop("columns")
    for name, values in (
        ("cohort.yaml", content | {"dictionary": "dictionary.yaml"}),
        ("dictionary.yaml", {"columns": columns}),
    ):
        with (folder / name).open("w") as file:
            YAML(typ="safe").dump(values, file)
            file.write("# review: one\n" * reviews)
    return folder / "cohort.yaml"


def test_both_files_are_counted_and_strict_refuses_them_by_line(tmp_path):
    path = write(tmp_path)
    assert load_config(path).reviews == Reviews(open=2)
    with pytest.raises(ConfigError, match=r"--strict: .*2 are: .*cohort.yaml, line \d+; .*dictionary.yaml, line \d+"):
        load_config(path, strict=True)
    assert load_config(write(tmp_path, reviews=False), strict=True).reviews == Reviews()


def test_the_count_is_that_of_the_files_whatever_is_written(tmp_path):
    assert load_config(write(tmp_path), settings=("reviews.open=0",)).reviews.open == 2

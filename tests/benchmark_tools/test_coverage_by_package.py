"""Coverage by package: each module counts in its package, and packages add up to the total."""

import pytest

from tests.benchmarks.coverage_by_package import by_package, package_of, share


def measured(statements, lines, branches, taken):
    return {
        "summary": {
            "num_statements": statements,
            "covered_lines": lines,
            "num_branches": branches,
            "covered_branches": taken,
            "percent_covered": 3.0,
        }
    }


@pytest.mark.parametrize(
    ("path", "package"),
    [
        ("mgvae/cohort/build.py", "mgvae.cohort"),
        ("mgvae/paper/models/networks.py", "mgvae.paper"),
        ("flows/study/stages/split.py", "flows.study"),
        ("mgvae/errors.py", "mgvae"),
        ("flows/cli.py", "flows"),
        ("validation/gates.py", "validation"),
        ("deployments/local.py", "deployments"),
    ],
)
def test_the_package_of_a_module(path, package):
    assert package_of(path) == package


def test_packages_add_up_to_the_total():
    found = by_package(
        {
            "files": {
                "mgvae/cohort/build.py": measured(10, 8, 4, 3),
                "mgvae/cohort/split.py": measured(20, 20, 6, 6),
                "flows/cli.py": measured(5, 1, 0, 0),
            }
        }
    )
    assert list(found) == ["flows", "mgvae.cohort", "total"]
    assert found["mgvae.cohort"] == {"num_statements": 30, "covered_lines": 28, "num_branches": 10, "covered_branches": 9}
    assert found["total"] == {"num_statements": 35, "covered_lines": 29, "num_branches": 10, "covered_branches": 9}


def test_shares():
    assert share(9, 10).strip() == "90.0%"
    assert share(0, 0).strip() == "100.0%"

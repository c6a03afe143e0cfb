"""Check that the example of the README runs as it stands; the quick test only shortens its training."""

from __future__ import annotations

import re

import pytest

from tests.paths import ROOT

QUICK = "random_state=0, hidden=(16, 16), epochs=2, finetune_epochs=2, plausibility='none')"
CHANGES = {"short": (r"(?<=\"ivdrug\"\], )random_state=0\)", QUICK), "as it stands": (r"(?!)", "")}


def example():
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## In a scikit-learn pipeline\n")[1].split("\n## ")[0]
    (block,) = re.findall(r"^```python\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    return block


@pytest.mark.parametrize("how", ["short", pytest.param("as it stands", marks=pytest.mark.slow)])
def test_the_example_runs(how, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    code, changed = re.subn(*CHANGES[how], example())
    assert changed == (how == "short")
    exec(compile(code, "README.md", "exec"), {})  # noqa: S102
    auroc, observed, right, raw = map(float, re.findall(r"\d+(?:\.\d+)?", capsys.readouterr().out))
    assert 0 <= auroc <= 1
    assert observed == 26
    if how == "as it stands":
        assert auroc > 0.6
        assert abs(right - observed) < abs(raw - observed)


def test_every_option_of_the_table_exists():
    from mgvae import MGVAEOverSampler

    known = MGVAEOverSampler().get_params()
    guide = (ROOT / "docs" / "sampler.md").read_text(encoding="utf-8")
    table = guide.split("| option | default | meaning |")[1].split("\n\n")[0]
    rows = [line.split("|")[1:3] for line in table.splitlines()[2:]]
    assert len(rows) == 9
    for names, defaults in rows:
        options = re.findall(r"`(\w+)`", names)
        assert eval(f"[{defaults.replace('`', '')}]") == [known[name] for name in options]  # noqa: S307

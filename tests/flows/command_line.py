"""What tests of the command line ask of its answers."""

import re

PROGRESS = re.compile(r" *\d+:\d\d [a-z_]+: .*\n")


def without_progress(text):
    """Return what stderr holds besides the lines of progress, as where there is no terminal."""
    return PROGRESS.sub("", text)


def refused(said, *words):
    """Check that the command said what is wrong on stderr, in plain words, and ended with exit code 1."""
    assert said.code == 1
    assert said.out == ""
    assert without_progress(said.err).startswith("Error: ")
    assert "Traceback" not in said.err
    for word in words:
        assert word in said.err

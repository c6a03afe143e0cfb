"""What tests of the command line ask of its answers."""


def refused(said, *words):
    """Check that the command said what is wrong on stderr, in plain words, and ended with exit code 1."""
    assert said.code == 1
    assert said.out == ""
    assert said.err.startswith("Error: ")
    assert "Traceback" not in said.err
    for word in words:
        assert word in said.err
